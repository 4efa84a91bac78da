"""What a transformer remembers between two calls: a ring of keys and values, or the few steps of one frame.

Knows where each row is and what it may see; does not know how attention is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from personaplex.nn.state import State

if TYPE_CHECKING:
    from personaplex.nn.step import StepPlan


class Window(NamedTuple):
    """Where a block of T new positions is written, and what each of them may see.

    Attributes:
        slots: int64 `[B, T]`, the ring's slots that it takes.
        mask: bool `[B, 1, T, capacity]`, true where a new position sees a slot.
    """

    slots: torch.Tensor
    mask: torch.Tensor


class Place(NamedTuple):
    """Where one row's next position is written: it sees the first `used` slots, all of them."""

    row: int
    slot: int
    used: int


class Ring(State):
    """Where each row is in a ring of `capacity` slots, which all layers walk together.

    A block of T new positions is written before it is read, so a row sees `context` positions exactly only while
    `capacity >= context + T - 1`.
    """

    def __init__(self, batch: int, capacity: int, context: int | None, device: torch.device):
        self.offset = torch.zeros(batch, dtype=torch.long, device=device)
        self.capacity, self.context = capacity, context

    def positions(self, length: int) -> torch.Tensor:
        """Positions int64 `[B, length]` that the next block occupies."""
        return self.offset[:, None] + torch.arange(length, device=self.offset.device)

    def window(self, length: int) -> Window:
        """Where the next block goes; it does not advance the ring."""
        queries = self.positions(length)
        last = queries[:, -1:]
        held = last - (last - torch.arange(self.capacity, device=last.device)) % self.capacity  # [B, capacity]
        distance = queries[:, :, None] - held[:, None, :]
        mask = (held >= 0)[:, None, :] & (distance >= 0)
        if self.context is not None:
            mask &= distance < self.context
        return Window(queries % self.capacity, mask[:, None])

    def places(self) -> list[Place] | None:
        """The active rows' next positions; None where the slots in use are not known, or not all of them are seen.

        They are known on a CPU, where reading them makes nobody wait.
        """
        if self.offset.device.type != "cpu" or (self.context is not None and self.capacity > self.context):
            return None
        taken = [True] * len(self.offset) if self.active is None else self.active.tolist()
        return [
            Place(row, position % self.capacity, min(position + 1, self.capacity))
            for row, position in enumerate(self.offset.tolist())
            if taken[row]
        ]

    def advance(self, length: int) -> None:
        """Leave a block of that length behind, in the active rows."""
        self.offset += length if self.active is None else length * self.active


class RingKV(State):
    """One layer's keys and values `[B, H, capacity, D]` in the slots of a `Ring`."""

    def __init__(self, batch: int, heads: int, capacity: int, head_dim: int, like: torch.Tensor):
        shape = (batch, heads, capacity, head_dim)
        self.keys = torch.zeros(shape, dtype=like.dtype, device=like.device)
        self.values = torch.zeros(shape, dtype=like.dtype, device=like.device)

    def reset_own(self, rows: torch.Tensor | None) -> None:
        """Nothing need go: what the ring's offset has not passed is not seen."""

    def copy_row_own(self, row: int, source: State, source_row: int) -> None:
        """Copy one row from a ring of the same or a smaller capacity that has not wrapped yet."""
        assert isinstance(source, RingKV)
        used = source.keys.shape[2]
        assert used <= self.keys.shape[2], "the source ring is larger than this one"
        self.keys[row, :, :used].copy_(source.keys[source_row])
        self.values[row, :, :used].copy_(source.values[source_row])

    def write(self, slots: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Write a block `[B, H, T, D]` into slots int64 `[B, T]`."""
        index = slots[:, None, :, None].expand_as(keys)
        self.keys.scatter_(2, index, keys)
        self.values.scatter_(2, index, values)


class StepKV(State):
    """A short sequence that all rows walk in step: the depth transformer within one frame.

    Its queries, keys and values are kept together, `[3, B, H, steps, D]`.
    """

    def __init__(self, batch: int, heads: int, steps: int, head_dim: int, like: torch.Tensor):
        self.step = 0
        self.kept = torch.empty(3, batch, heads, steps, head_dim, dtype=like.dtype, device=like.device)

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Add one position `[B, H, 1, D]`; return all so far. No mask is needed: all of them are in the past."""
        _, all_keys, all_values = self.kept
        all_keys[:, :, self.step : self.step + 1] = keys
        all_values[:, :, self.step : self.step + 1] = values
        return all_keys[:, :, : self.step + 1], all_values[:, :, : self.step + 1]


Cache = RingKV | StepKV


class Past(State):
    """The last positions that a short convolution read, `[B, reach, C]`."""

    def __init__(self, batch: int, reach: int, dim: int, like: torch.Tensor):
        self.last = torch.zeros(batch, reach, dim, dtype=like.dtype, device=like.device)


class TransformerState(State):
    """The ring, one cache for each layer, and the past of each of its two short convolutions where it has them."""

    def __init__(self, ring: Ring | None, caches: list[Cache], pasts: list[Past] | None = None):
        self.ring = ring
        self.caches = caches
        self.pasts = pasts or []
        self.plan: StepPlan | None = None  # for one position a row, where there is a lean way

    def advance(self, length: int) -> None:
        """Leave a block of that length behind, in the active rows."""
        if self.ring is not None:
            self.ring.advance(length)
        for cache in self.caches:
            if isinstance(cache, StepKV):
                cache.step += length

    def rewind(self) -> None:
        """Begin another walk through the steps of a schedule; what was kept of the last one is not seen."""
        for cache in self.caches:
            assert isinstance(cache, StepKV), "a ring does not rewind"
            cache.step = 0

    def pasts_of(self, layer: int) -> list[Past] | None:
        """The pasts of one layer's short convolutions; None where it has none."""
        return self.pasts[2 * layer : 2 * layer + 2] or None
