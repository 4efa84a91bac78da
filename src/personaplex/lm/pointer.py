"""Copying from the role: beside writing a word, the model may point at a word piece of its role and say that.

A pointer-generator (See et al. 2017, arXiv 1704.04368) over the prompt's text alone. A small model has no room to
learn, for every piece, how to carry it from the role to the output; pointing needs to learn only where to look. What is
kept of the role never leaves the context, however long the talk. Knows hidden states and word pieces; not how prompts
are made, nor when a word is due: that is told by the text's own logits, which it leaves as they are.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.frames import ZERO, Layout


class RoleMemory(NamedTuple):
    """What can be pointed at.

    Attributes:
        keys: `[B, R, width]`.
        pieces: int64 `[B, R]`, word pieces; `ZERO` where there is none.
    """

    keys: torch.Tensor
    pieces: torch.Tensor


class Pointer(nn.Module):
    """Finds a piece of the role, and says how far to trust that.

    Args:
        dim: width of hidden states.
        width: of keys and queries.
        layout: the model's layout.
    """

    def __init__(self, dim: int, width: int, layout: Layout):
        super().__init__()
        self.layout, self.width = layout, width
        self.before = nn.Linear(dim, width, bias=False)
        self.at = nn.Linear(dim, width, bias=False)
        self.query = nn.Linear(dim, width, bias=False)
        self.gate = nn.Linear(dim, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, -3.0)

    def memory(self, hidden: torch.Tensor, tokens: torch.Tensor, prompt: torch.Tensor) -> RoleMemory:
        """Keep the word pieces of a prompt, each with what the model knew before it and at it.

        Args:
            hidden: `[B, T, dim]`, the output at each column.
            tokens: int64 `[B, T]`, the columns' text.
            prompt: bool `[B, T]`, columns of the prompt.
        """
        layout = self.layout
        known = prompt & (tokens >= 0) & (tokens < layout.text_card)
        known &= (tokens != layout.text_pad) & (tokens != layout.text_end_pad)
        before = F.pad(hidden[:, :-1], (0, 0, 1, 0))
        return RoleMemory(self.before(before) + self.at(hidden), tokens.masked_fill(~known, ZERO))

    def attend(self, hidden: torch.Tensor, memory: RoleMemory) -> torch.Tensor:
        """How likely each piece of the role is meant: `[B, T, dim]` → `[B, T, R]` in float32; zeros for no role."""
        scores = (self.query(hidden) @ memory.keys.transpose(1, 2)).float() / self.width**0.5
        empty = (memory.pieces == ZERO)[:, None]
        return scores.masked_fill(empty, -1e4).softmax(dim=-1).masked_fill(empty, 0.0)

    def mix(
        self, logits: torch.Tensor, hidden: torch.Tensor, weights: torch.Tensor, pieces: torch.Tensor
    ) -> torch.Tensor:
        """Logits of the text with the share of pointing in them; padding's, and all words' together, are as before.

        Args:
            logits: `[N, text_card]`, the text's own.
            hidden: `[N, dim]`, the output that they come from.
            weights: `[N, R]`, from `attend`.
            pieces: int64 `[N, R]`, of the memory.

        Returns:
            Float32 `[N, text_card]`.
        """
        logits = logits.float()
        pads = [self.layout.text_pad, self.layout.text_end_pad]
        words = logits.clone()
        words[:, pads] = float("-inf")
        found = torch.zeros_like(logits).scatter_add_(1, pieces.clamp(min=0), weights)
        trust = self.gate(hidden).float().sigmoid() * weights.sum(dim=1, keepdim=True)  # none without a role
        share = (1 - trust) * words.softmax(dim=-1) + trust * found
        mixed = (share + 1e-20).log() + words.logsumexp(dim=-1, keepdim=True)
        mixed[:, pads] = logits[:, pads]
        return mixed
