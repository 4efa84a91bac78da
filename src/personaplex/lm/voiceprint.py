"""The voice sample, kept for as long as a talk lasts and looked up at every frame of speech.

The depth transformer, which chooses how a frame sounds, knows the voice otherwise only from what a hidden state of the
temporal transformer carries of it, and the sample itself leaves the context after half a minute. Here each frame asks
the prompt how the voice sounds where the model was in a like state: attention from hidden states to the hidden states
before the sample's columns, whose values are those columns' codes. Knows hidden states and embedded codes; not
how prompts are made.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

HEADS = 4
_WIDTH = 32  # of a head's keys


class Sample(NamedTuple):
    """What can be looked up of a voice.

    Attributes:
        keys: `[B, R, HEADS * width]`.
        values: `[B, R, out]`.
        there: bool `[B, R]`, which of them there are.
    """

    keys: torch.Tensor
    values: torch.Tensor
    there: torch.Tensor


class Voiceprint(nn.Module):
    """Finds how the voice of the prompt sounds in a state like the present one. It begins by telling nothing.

    Args:
        dim: width of hidden states and of embedded codes.
        out: width of the depth transformer, which it tells.
        sets: how many of the depth transformer's sets of weights it tells, each what that set needs.
        reach: columns at the prompt's beginning that are kept; the voice sample comes first.
    """

    def __init__(self, dim: int, out: int, sets: int, reach: int):
        super().__init__()
        self.reach = reach
        self.query = nn.Linear(dim, HEADS * _WIDTH, bias=False)
        self.key = nn.Linear(dim, HEADS * _WIDTH, bias=False)
        self.value = nn.Linear(dim, out, bias=False)
        self.told = nn.Linear(out, sets * out, bias=False)
        nn.init.zeros_(self.told.weight)

    def sample(self, hidden: torch.Tensor, sounds: torch.Tensor, prompt: torch.Tensor) -> Sample:
        """Keep the beginning of a prompt: its initial column, after which R others come, at most `reach`.

        Args:
            hidden: `[B, 1 + R, dim]`, the temporal transformer's output at each column.
            sounds: `[B, 1 + R, dim]`, the embedded codes of the agent at each column.
            prompt: bool `[B, 1 + R]`, columns of the prompt.
        """
        return Sample(self.key(hidden[:, :-1]), self.value(sounds[:, 1:]), prompt[:, 1:])

    def empty(self, batch: int) -> Sample:
        """Room for the samples of `batch` conversations, none of which is there."""
        weight = self.key.weight
        shape = batch, self.reach
        keys, values = (weight.new_zeros(*shape, len(part.weight)) for part in (self.key, self.value))
        return Sample(keys, values, torch.zeros(shape, dtype=torch.bool, device=weight.device))

    def forward(self, hidden: torch.Tensor, sample: Sample) -> torch.Tensor:
        """What to tell the depth transformer: `[B, T, dim]` → `[B, T, sets * out]`; zeros without a sample."""
        queries = self.query(hidden).unflatten(-1, (HEADS, -1)).transpose(1, 2)  # [B, H, T, width]
        keys, values = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (sample.keys, sample.values))
        scores = (queries @ keys.transpose(2, 3)).float() * _WIDTH**-0.5
        nothing = ~sample.there[:, None, None]
        weights = scores.masked_fill(nothing, -1e4).softmax(dim=-1).masked_fill(nothing, 0.0)
        return self.told((weights.to(values.dtype) @ values).transpose(1, 2).flatten(2))
