"""Prompts already read: the least recently used give way when the memory set aside for them is full."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from personaplex.engine.stepper import Prefix


class PrefixCache:
    """Prefixes by the digest of their prompt.

    Args:
        max_bytes: memory for keys and values; a single prefix larger than that is not kept.
    """

    def __init__(self, max_bytes: int):
        self.max_bytes = max_bytes
        self.nbytes = self.hits = self.misses = 0
        self._entries: OrderedDict[str, Prefix] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, digest: str, make: Callable[[], Prefix]) -> Prefix:
        """The prefix of that digest, made now if it is not here."""
        if (known := self._entries.get(digest)) is not None:
            self.hits += 1
            self._entries.move_to_end(digest)
            return known
        self.misses += 1
        prefix = make()
        if prefix.nbytes <= self.max_bytes:
            self._entries[digest] = prefix
            self.nbytes += prefix.nbytes
        while self.nbytes > self.max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.nbytes -= oldest.nbytes
        return prefix
