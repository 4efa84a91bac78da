"""Causal ConvNeXt blocks and what they remember: what the small codec is made of. Knows no sound."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.nn.state import State


class PastState(State):
    """The last inputs of a causal layer, `[B, past, C]`."""

    def __init__(self, batch: int, past: int, channels: int, like: torch.Tensor):
        self.past = torch.zeros(batch, past, channels, dtype=like.dtype, device=like.device)

    def extend(self, x: torch.Tensor) -> torch.Tensor:
        """Put the past before `x [B, T, C]` and remember its end."""
        full = torch.cat([self.past, x], dim=1)
        self.keep(self.past, full[:, full.shape[1] - self.past.shape[1] :])
        return full


class DepthwiseConv(nn.Module):
    """A causal depthwise convolution over time as shifted products: faster on a CPU, both ways, than a conv1d."""

    def __init__(self, dim: int, kernel: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(kernel, dim) * kernel**-0.5)
        self.bias = nn.Parameter(torch.zeros(dim))

    def init_state(self, batch: int) -> PastState:
        """The state before the first sample."""
        return PastState(batch, self.weight.shape[0] - 1, self.weight.shape[1], self.weight)

    def forward(self, x: torch.Tensor, state: PastState | None = None) -> torch.Tensor:
        """Convolve `[B, T, C]` along T."""
        taps, length = self.weight.shape[0], x.shape[1]
        full = F.pad(x, (0, 0, taps - 1, 0)) if state is None else state.extend(x)
        if state is not None and length <= 16:  # a frame: there the count of operations costs more than what they do
            if length == 1:
                return (full * self.weight).sum(1, keepdim=True).add_(self.bias)
            return (full.unfold(1, taps, 1) * self.weight.t()).sum(-1).add_(self.bias)
        out: torch.Tensor = self.bias
        for tap in range(taps):
            out = out + full[:, tap : tap + length] * self.weight[tap]
        return out


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, norm, two linear maps, on a scaled residual branch (arXiv 2201.03545).

    Args:
        dim: width.
        expansion: width of the hidden layer over `dim`.
        kernel: taps of the convolution.
    """

    def __init__(self, dim: int, expansion: int, kernel: int):
        super().__init__()
        self.conv = DepthwiseConv(dim, kernel)
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, expansion * dim)
        self.down = nn.Linear(expansion * dim, dim)
        self.scale = nn.Parameter(torch.full((dim,), 0.1))

    def init_state(self, batch: int) -> PastState:
        """The state before the first sample."""
        return self.conv.init_state(batch)

    def forward(self, x: torch.Tensor, state: PastState | None = None) -> torch.Tensor:
        """Map `[B, T, C]` to the same shape."""
        return torch.addcmul(x, self.scale, self.down(F.gelu(self.up(self.norm(self.conv(x, state))))))


class BlocksState(State):
    """What blocks in a row remember, one state a block."""

    def __init__(self, states: Sequence[PastState]):
        self.states = list(states)


class Blocks(nn.ModuleList):
    """Blocks in a row."""

    def __init__(self, count: int, dim: int, expansion: int, kernel: int):
        super().__init__([ConvNeXtBlock(dim, expansion, kernel) for _ in range(count)])

    def init_state(self, batch: int) -> BlocksState:
        """The state before the first sample."""
        return BlocksState([block.init_state(batch) for block in self])  # type: ignore[operator]

    def forward(self, x: torch.Tensor, state: BlocksState | None = None) -> torch.Tensor:
        """Map `[B, T, C]` to the same shape."""
        for index, block in enumerate(self):
            x = block(x, None if state is None else state.states[index])
        return x
