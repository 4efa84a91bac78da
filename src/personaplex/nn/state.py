"""Streaming state: what a module remembers between two calls, one row per conversation.

A state is a tree of batch-first tensors that are all zero at the start, so that resetting a row is one rule for every
module. It knows nothing of the modules that use it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch


class State:
    """A node of the tree. Tensors are attributes, children are attributes or items of list attributes."""

    active: torch.Tensor | None = None  # bool [B]: rows that advance in the next call; None means all of them

    def nodes(self) -> Iterator[State]:
        """This node and all nodes below it, in a fixed order."""
        yield self
        for value in vars(self).values():
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, State):
                    yield from child.nodes()

    def own_tensors(self) -> list[torch.Tensor]:
        """The tensors of this node alone, batch first."""
        return [value for name, value in vars(self).items() if isinstance(value, torch.Tensor) and name != "active"]

    def set_active(self, active: torch.Tensor | None) -> None:
        """Choose the rows that the next calls advance (bool `[B]`); the others keep their state."""
        for node in self.nodes():
            node.active = active

    def reset(self, rows: torch.Tensor | None = None) -> None:
        """Begin anew in the given rows (int64 indices), or in all."""
        for node in self.nodes():
            node.reset_own(rows)

    def reset_own(self, rows: torch.Tensor | None) -> None:
        """Zero this node's tensors in the given rows."""
        for tensor in self.own_tensors():
            if rows is None:
                tensor.zero_()
            else:
                tensor.index_fill_(0, rows, 0)

    def copy_row(self, row: int, source: State, source_row: int = 0) -> None:
        """Copy one row of another state of the same shape into this one (a prefix cache uses this)."""
        for mine, theirs in zip(self.nodes(), source.nodes(), strict=True):
            mine.copy_row_own(row, theirs, source_row)

    def copy_row_own(self, row: int, source: State, source_row: int) -> None:
        """Copy one row of this node's tensors."""
        for mine, theirs in zip(self.own_tensors(), source.own_tensors(), strict=True):
            mine[row].copy_(theirs[source_row])

    def keep(self, tensor: torch.Tensor, update: torch.Tensor) -> None:
        """Write `update` over `tensor` in place in the active rows."""
        if self.active is None:
            tensor.copy_(update)
        else:
            mask = self.active.view(-1, *[1] * (tensor.dim() - 1))
            tensor.copy_(torch.where(mask, update, tensor))
