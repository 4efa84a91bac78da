"""API keys: read from a file or the environment, kept as digests, looked up in constant time.

Knows what a key is and how clients carry one. Does not know what it opens.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from personaplex.errors import UserError
from personaplex.serve.door import Visitor

VARIABLE = "PERSONAPLEX_API_KEYS"
SUBPROTOCOL = "openai-insecure-api-key."  # how a browser carries a key to OpenAI's realtime protocol
MIN_LENGTH = 16  # characters; shorter ones can be guessed


class Keys:
    """The keys that open this server.

    Args:
        lines: one key each, then optionally `name=…` (for logs; its owner) and `sessions=…` (at once). Empty lines and
            what follows a `#` at the beginning of a word count for nothing.
        source: where they come from, for messages, which never show a key.

    Raises:
        UserError: when a line is none of that.
    """

    def __init__(self, lines: Iterable[str] = (), source: str = "the keys"):
        self._visitors: dict[bytes, Visitor] = {}
        for number, line in enumerate(lines, start=1):
            if words := re.sub(r"(^|\s)#.*", "", line).split():
                self._add(words, f"{source}, line {number}")
        if len({visitor.owner for visitor in self._visitors.values()}) < len(self._visitors):
            raise UserError(f"Two of the keys in {source} have the same name; give each its own.")

    def __len__(self) -> int:
        return len(self._visitors)

    def find(self, key: str | None) -> Visitor | None:
        """Whose key it is; None for nobody's."""
        digest, found = _digest(key or ""), None
        for known, visitor in self._visitors.items():  # all of them, so that time tells nothing
            if hmac.compare_digest(known, digest):
                found = visitor
        return found

    def _add(self, words: Sequence[str], where: str) -> None:
        key, options = words[0], {}
        for word in words[1:]:
            name, equals, value = word.partition("=")
            if not equals or name not in ("name", "sessions") or not value:
                raise UserError(f"{where}: after the key there may be name=… and sessions=…, and nothing else.")
            options[name] = value
        if len(key) < MIN_LENGTH or not key.isascii() or not key.isprintable() or "," in key:
            raise UserError(
                f"{where}: a key is at least {MIN_LENGTH} letters, digits and signs without a comma, such as "
                "`openssl rand -hex 24` makes."
            )
        sessions = options.get("sessions")
        if sessions is not None and not (sessions.isdecimal() and 0 < int(sessions) < 1 << 20):
            raise UserError(f"{where}: sessions must be a whole number from 1.")
        digest = _digest(key)
        owner = options.get("name", digest.hex()[:12])
        self._visitors[digest] = Visitor(owner, None if sessions is None else int(sessions))


def load_keys(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Keys:
    """The keys of a file, or else of the environment variable `PERSONAPLEX_API_KEYS` (commas between them).

    Raises:
        UserError: when the file cannot be read or holds no key, or a key is none.
    """
    if path is None:
        return Keys(environment.get(VARIABLE, "").replace(",", "\n").splitlines(), VARIABLE)
    try:
        keys = Keys(path.read_text(encoding="utf-8").splitlines(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The keys in {path} cannot be read; --keys takes a text file with one key a line.") from error
    if not keys:
        raise UserError(f"There is no key in {path}; write one a line, such as `openssl rand -hex 24` makes.")
    return keys


def make_keys(path: Path) -> str | None:
    """Write a file with one new key, for its owner's eyes alone, unless there is a file already.

    Returns:
        The key; None where there was a file, which is left as it is.

    Raises:
        UserError: when it cannot be written.
    """
    key = secrets.token_hex(24)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(f"{key} name=first\n")
    except OSError as error:
        if isinstance(error, FileExistsError) and path.is_file():
            return None
        raise UserError(f"No key can be written to {path} ({error.strerror}); name another file.") from error
    return key


def carried_key(headers: Mapping[str, str], query: Mapping[str, str], subprotocols: Iterable[str] = ()) -> str | None:
    """The key that a request brings: as a bearer token, `?key=`, or OpenAI's WebSocket subprotocol."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if key := query.get("key"):
        return key
    return next((name.removeprefix(SUBPROTOCOL) for name in subprotocols if name.startswith(SUBPROTOCOL)), None)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", errors="surrogatepass")).digest()
