"""Causal convolutions that run over a whole signal or block by block with the same result."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.nn.state import State


class ConvState(State):
    """The last inputs of a convolution, `[B, C, past]`, and whether a row has had any."""

    def __init__(self, batch: int, channels: int, past: int, like: torch.Tensor):
        self.past = torch.zeros(batch, channels, past, dtype=like.dtype, device=like.device)
        self.started = torch.zeros(batch, dtype=torch.bool, device=like.device)


class CausalConv1d(nn.Module):
    """A convolution that sees no future: output `t` depends on inputs up to `(t + 1) * stride - 1`.

    Args:
        channels_in: input channels.
        channels_out: output channels.
        kernel: taps.
        stride: input samples per output sample; the input's length must be a multiple of it.
        dilation: spacing of the taps.
        groups: channel groups.
        bias: whether there is a bias.
        pad: what precedes the signal: "constant" (zeros) or "replicate" (its first sample).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        pad: str = "constant",
    ):
        super().__init__()
        self.channels_in = channels_in
        self.stride, self.dilation, self.groups, self.pad = stride, dilation, groups, pad
        self.past = (kernel - 1) * dilation + 1 - stride
        if self.past < 0:
            raise ValueError(f"a stride of {stride} skips samples with {kernel} taps at dilation {dilation}")
        reference = nn.Conv1d(channels_in, channels_out, kernel, groups=groups, bias=bias)  # its initialisation
        self.weight = reference.weight
        self.bias = reference.bias

    def init_state(self, batch: int) -> ConvState:
        """The state before the first sample."""
        return ConvState(batch, self.channels_in, self.past, self.weight)

    def forward(self, x: torch.Tensor, state: ConvState | None = None) -> torch.Tensor:
        """Convolve `x [B, C, T]` into `[B, C', T / stride]`.

        Raises:
            ValueError: when T is not a multiple of the stride.
        """
        if x.shape[-1] % self.stride:
            raise ValueError(f"the length {x.shape[-1]} is not a multiple of the stride {self.stride}")
        if state is None:
            mode = "replicate" if self.pad == "replicate" else "constant"
            padded = F.pad(x, (self.past, 0), mode=mode)
        else:
            past = state.past
            if self.pad == "replicate":
                past = torch.where(state.started[:, None, None], past, x[..., :1])
            padded = torch.cat([past, x], dim=-1)
            state.keep(state.past, padded[..., padded.shape[-1] - self.past :])
            state.keep(state.started, torch.ones_like(state.started))
        return F.conv1d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class OverlapState(State):
    """What earlier inputs still add to the outputs to come, `[B, C, overlap]`."""

    def __init__(self, batch: int, channels: int, overlap: int, like: torch.Tensor):
        self.tail = torch.zeros(batch, channels, overlap, dtype=like.dtype, device=like.device)


class CausalConvTranspose1d(nn.Module):
    """A transposed convolution: output `t` depends on inputs up to `t // stride`, the excess on the right is cut."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int, groups: int = 1, bias: bool = True
    ):
        super().__init__()
        self.channels_out = channels_out
        self.stride, self.groups = stride, groups
        self.overlap = kernel - stride
        if self.overlap < 0:
            raise ValueError(f"{kernel} taps leave gaps at a stride of {stride}")
        reference = nn.ConvTranspose1d(channels_in, channels_out, kernel, stride, groups=groups, bias=bias)
        self.weight = reference.weight
        self.bias = reference.bias

    def init_state(self, batch: int) -> OverlapState:
        """The state before the first sample."""
        return OverlapState(batch, self.channels_out, self.overlap, self.weight)

    def forward(self, x: torch.Tensor, state: OverlapState | None = None) -> torch.Tensor:
        """Expand `x [B, C, T]` into `[B, C', T * stride]`."""
        length = x.shape[-1] * self.stride
        full = F.conv_transpose1d(x, self.weight, None, self.stride, groups=self.groups)
        if state is not None and self.overlap:
            full = torch.cat([full[..., : self.overlap] + state.tail, full[..., self.overlap :]], dim=-1)
            state.keep(state.tail, full[..., length:])
        out = full[..., :length]
        return out if self.bias is None else out + self.bias[:, None]
