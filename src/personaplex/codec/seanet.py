"""SEANet: the convolutional ends of Mimi (EnCodec, arXiv 2210.13438; Moshi paper, section 3.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.nn.conv import CausalConv1d, CausalConvTranspose1d
from personaplex.nn.state import State


class SequenceState(State):
    """States of the stateful layers of a sequence, in order."""

    def __init__(self, parts: list[State]):
        self.parts = parts


class ELU(nn.Module):
    """The activation, as a layer without state."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply it elementwise."""
        return F.elu(x)


class Sequence1d(nn.ModuleList):
    """Layers in a row over `[B, C, T]`; those with an `init_state` get their part of the state."""

    def init_state(self, batch: int) -> SequenceState:
        """The state before the first sample."""
        stateful = cast(list[CausalConv1d], [layer for layer in self if not isinstance(layer, ELU)])
        return SequenceState([layer.init_state(batch) for layer in stateful])

    def forward(self, x: torch.Tensor, state: SequenceState | None = None) -> torch.Tensor:
        """Run the layers in order."""
        parts = None if state is None else iter(state.parts)
        for layer in self:
            if isinstance(layer, ELU):
                x = layer(x)
            else:
                x = layer(x, None if parts is None else next(parts))
        return x


class ResidualBlock(nn.Module):
    """ELU, dilated convolution to a narrower width, ELU, pointwise convolution back, plus the input."""

    def __init__(self, dim: int, kernel: int, dilation: int, compress: int):
        super().__init__()
        hidden = dim // compress
        self.block = Sequence1d(
            [ELU(), CausalConv1d(dim, hidden, kernel, dilation=dilation), ELU(), CausalConv1d(hidden, dim, 1)]
        )

    def init_state(self, batch: int) -> SequenceState:
        """The state before the first sample."""
        return self.block.init_state(batch)

    def forward(self, x: torch.Tensor, state: SequenceState | None = None) -> torch.Tensor:
        """Map `[B, C, T]` to the same shape."""
        return x + self.block(x, state)


class SEANetEncoder(nn.Module):
    """Sound `[B, 1, T]` → `[B, dim, T / product(ratios)]`.

    Args:
        dim: output width.
        filters: width after the first convolution; it doubles with every stride.
        ratios: strides, in the order of the decoder (the encoder takes them from the last to the first).
        residual_layers: residual blocks before each stride.
        kernel: taps of the first convolution.
        residual_kernel: taps of a residual block.
        last_kernel: taps of the last convolution.
        dilation_base: dilation of a residual block over that of the block before it.
        compress: how much narrower a residual block is inside.
    """

    def __init__(
        self,
        dim: int,
        filters: int,
        ratios: Sequence[int],
        residual_layers: int = 1,
        kernel: int = 7,
        residual_kernel: int = 3,
        last_kernel: int = 3,
        dilation_base: int = 2,
        compress: int = 2,
    ):
        super().__init__()
        width = filters
        layers: list[nn.Module] = [CausalConv1d(1, width, kernel)]
        for ratio in reversed(ratios):
            layers += [
                ResidualBlock(width, residual_kernel, dilation_base**i, compress) for i in range(residual_layers)
            ]
            layers += [ELU(), CausalConv1d(width, 2 * width, 2 * ratio, stride=ratio)]
            width *= 2
        layers += [ELU(), CausalConv1d(width, dim, last_kernel)]
        self.model = Sequence1d(layers)

    def init_state(self, batch: int) -> SequenceState:
        """The state before the first sample."""
        return self.model.init_state(batch)

    def forward(self, x: torch.Tensor, state: SequenceState | None = None) -> torch.Tensor:
        """Encode sound whose length is a multiple of the product of the ratios."""
        return self.model(x, state)


class SEANetDecoder(nn.Module):
    """Vectors `[B, dim, T]` → sound `[B, 1, T * product(ratios)]`; arguments as for the encoder."""

    def __init__(
        self,
        dim: int,
        filters: int,
        ratios: Sequence[int],
        residual_layers: int = 1,
        kernel: int = 7,
        residual_kernel: int = 3,
        last_kernel: int = 3,
        dilation_base: int = 2,
        compress: int = 2,
    ):
        super().__init__()
        width = filters * 2 ** len(ratios)
        layers: list[nn.Module] = [CausalConv1d(dim, width, kernel)]
        for ratio in ratios:
            layers += [ELU(), CausalConvTranspose1d(width, width // 2, 2 * ratio, stride=ratio)]
            width //= 2
            layers += [
                ResidualBlock(width, residual_kernel, dilation_base**i, compress) for i in range(residual_layers)
            ]
        layers += [ELU(), CausalConv1d(width, 1, last_kernel)]
        self.model = Sequence1d(layers)

    def init_state(self, batch: int) -> SequenceState:
        """The state before the first vector."""
        return self.model.init_state(batch)

    def forward(self, x: torch.Tensor, state: SequenceState | None = None) -> torch.Tensor:
        """Decode any number of vectors."""
        return self.model(x, state)
