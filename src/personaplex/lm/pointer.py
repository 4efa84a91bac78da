"""Copying: beside writing a word, the model may point at a word piece of its role, or of the user's, and say that.

A pointer-generator (See et al. 2017, arXiv 1704.04368) over the prompt's text. A small model has no room to
learn, for every piece, how to carry it from the role to the output; pointing needs to learn only where to look. With
`echo` it points at the user's last words too, for an answer repeats what was asked ("the capital of France is"). With
`lookup` it also looks up, before it says a word, what of all that the answer will be about, and the text's own logits
are told. What is kept of the role never leaves the context, however long the talk. Knows hidden states and word pieces;
not how prompts are made, nor when a word is due: pointing leaves that to the text's own logits.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.frames import ZERO, Layout

_EVIDENCE = 9
"""What the gate of a pointer that echoes sees beside the hidden state (see `_evidence`)."""


class Memory(NamedTuple):
    """What can be pointed at.

    Attributes:
        keys: `[B, R, width]`.
        pieces: int64 `[B, R]`, word pieces; `ZERO` where there is none.
        seen: bool `[B, T, R]`, which of them each column can point at; None for all.
        heard: how many of them, the last, are places for the user's words; the others are the role's.
    """

    keys: torch.Tensor
    pieces: torch.Tensor
    seen: torch.Tensor | None = None
    heard: int = 0

    def last(self) -> Memory:
        """What the last column can point at."""
        if self.seen is None:
            return self
        return Memory(self.keys, self.pieces.masked_fill(~self.seen[:, -1], ZERO), heard=self.heard)


class Pointer(nn.Module):
    """Finds a piece of the role, and says how far to trust that.

    Args:
        dim: width of hidden states.
        width: of keys and queries.
        layout: the model's layout.
        lookup: whether it looks up, too.
        echo: how many of the user's last word pieces it finds, too.
    """

    def __init__(self, dim: int, width: int, layout: Layout, lookup: bool = False, echo: int = 0):
        super().__init__()
        self.layout, self.width, self.echo = layout, width, echo
        self.before = nn.Linear(dim, width, bias=False)
        self.at = nn.Linear(dim, width, bias=False)
        self.query = nn.Linear(dim, width, bias=False)
        self.gate = nn.Linear(dim, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, -3.0)
        self.heard: nn.Linear | None = None
        if echo:
            self.heard = nn.Linear(dim, width, bias=False)
            self.evidence = nn.Linear(_EVIDENCE, 1, bias=False)
            nn.init.zeros_(self.evidence.weight)
        self.ahead: nn.Linear | None = None
        if lookup:
            self.ahead = nn.Linear(dim, width, bias=False)
            self.told = nn.Linear(width, dim, bias=False)
            nn.init.zeros_(self.told.weight)

    def memory(self, hidden: torch.Tensor, tokens: torch.Tensor, prompt: torch.Tensor) -> Memory:
        """Keep the word pieces of a prompt, each with what the model knew before it and at it.

        Args:
            hidden: `[B, T, dim]`, the output at each column.
            tokens: int64 `[B, T]`, the columns' text.
            prompt: bool `[B, T]`, columns of the prompt.
        """
        before = F.pad(hidden[:, :-1], (0, 0, 1, 0))
        return Memory(self.before(before) + self.at(hidden), tokens.masked_fill(~(prompt & self.said(tokens)), ZERO))

    def said(self, tokens: torch.Tensor) -> torch.Tensor:
        """Which tokens of a text stream are word pieces."""
        layout = self.layout
        padding = (tokens == layout.text_pad) | (tokens == layout.text_end_pad)
        return (tokens >= 0) & (tokens < layout.text_card) & ~padding

    def heard_keys(self, hidden: torch.Tensor) -> torch.Tensor:
        """The keys of the user's words, from the output at their columns: `[..., dim]` → `[..., width]`."""
        assert self.heard is not None, "the model echoes nothing"
        return self.heard(hidden)

    def with_heard(self, memory: Memory, hidden: torch.Tensor, tokens: torch.Tensor) -> Memory:
        """Add to a role's memory what was heard; each column sees the last ones up to its own.

        Args:
            memory: of the role, `[B, R]`.
            hidden: `[B, T, dim]`, the output at each column.
            tokens: int64 `[B, T]`, the columns' words of the user.
        """
        said = self.said(tokens)
        count, length = said.cumsum(dim=1), tokens.shape[1]
        age = count[:, :, None] - count[:, None]  # `[B, T, column]`, pieces heard since that one
        past = torch.ones(length, length, dtype=torch.bool, device=tokens.device).tril()
        seen = past & said[:, None] & (age < self.echo)
        role = torch.ones(len(tokens), length, memory.pieces.shape[1], dtype=torch.bool, device=tokens.device)
        return Memory(
            torch.cat([memory.keys, self.heard_keys(hidden)], dim=1),
            torch.cat([memory.pieces, tokens.masked_fill(~said, ZERO)], dim=1),
            torch.cat([role, seen], dim=2),
            length,
        )

    def attend(self, hidden: torch.Tensor, memory: Memory) -> torch.Tensor:
        """How likely each piece is meant: `[B, T, dim]` → `[B, T, R]` in float32; zeros where there is none."""
        return self._found(self.query(hidden), memory)

    def look_up(self, hidden: torch.Tensor, memory: Memory) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Add to hidden states what the role, and what was heard, tells of what is coming.

        Args:
            hidden: `[B, T, dim]`, the output at each column.
            memory: what each row can point at.

        Returns:
            `[B, T, dim]`, and how likely the answer holds each piece, float32 `[B, T, R]`; the hidden states as they
            are, and None, for a pointer that does not look up.
        """
        if self.ahead is None:
            return hidden, None
        found = self._found(self.ahead(hidden), memory)
        return hidden + self.told(found.to(memory.keys.dtype) @ memory.keys), found

    def _found(self, queries: torch.Tensor, memory: Memory) -> torch.Tensor:
        """Where queries `[B, T, width]` point: float32 `[B, T, R]`, of sum 1, or zeros for nothing there."""
        scores = (queries @ memory.keys.transpose(1, 2)).float() / self.width**0.5
        empty = (memory.pieces == ZERO)[:, None]
        if memory.seen is not None:
            empty = empty | ~memory.seen
        return scores.masked_fill(empty, -1e4).softmax(dim=-1).masked_fill(empty, 0.0)

    def mix(
        self, logits: torch.Tensor, hidden: torch.Tensor, weights: torch.Tensor, pieces: torch.Tensor, heard: int = 0
    ) -> torch.Tensor:
        """Logits of the text with the share of pointing in them; padding's, and all words' together, are as before.

        Args:
            logits: `[N, text_card]`, the text's own.
            hidden: `[N, dim]`, the output that they come from.
            weights: `[N, R]`, from `attend`.
            pieces: int64 `[N, R]`, of the memory.
            heard: how many of these, the last, are the user's.

        Returns:
            Float32 `[N, text_card]`.
        """
        logits = logits.float()
        pads = [self.layout.text_pad, self.layout.text_end_pad]
        words = logits.clone()
        words[:, pads] = float("-inf")
        own = words.softmax(dim=-1)
        found = torch.zeros_like(logits).scatter_add_(1, pieces.clamp(min=0), weights)
        gate = self.gate(hidden).float()
        if self.heard is not None:
            gate = gate + self.evidence(_evidence(own, weights, heard).to(hidden.dtype)).float()
        # None without a role; and the weights' sum may round to more than 1, which would leave less than nothing.
        trust = gate.sigmoid() * weights.sum(dim=1, keepdim=True).clamp(max=1.0)
        share = (1 - trust) * own + trust * found
        mixed = (share + 1e-20).log() + words.logsumexp(dim=-1, keepdim=True)
        mixed[:, pads] = logits[:, pads]
        return mixed


def _evidence(own: torch.Tensor, weights: torch.Tensor, heard: int) -> torch.Tensor:
    """What tells whether the pointer or the text's own logits are to be trusted: `[N, _EVIDENCE]`, without gradient.

    How sure the pointer is, how sure the text is without it, and whether what is found was said by the user; each as it
    is, and the logarithms of it and of what is left. A gate that knows the hidden state alone stays shut where only the
    pointer knows the word.
    """
    said = weights[:, weights.shape[1] - heard :].sum(dim=1)
    surest = F.pad(weights, (0, 1)).amax(dim=1)  # there may be nothing to point at
    sure = torch.stack([said, surest, own.amax(dim=1)], dim=1).detach()
    return torch.cat([sure, sure.clamp(min=1e-4).log(), (1 - sure).clamp(min=1e-4).log()], dim=1)
