"""A small codec with Mimi's contract: STFT in, causal ConvNeXt blocks, split RVQ, inverse STFT out.

Log-magnitude spectra at 50 Hz → 12.5 Hz latents → codes → 100 Hz spectra with phase (Vocos, arXiv 2306.00814) → sound.
Every part is causal, so a frame's codes need no sound after it; the decoded sound comes `output_delay` samples late,
which lets the decoder see what a window's end will sound like before it has to say its beginning. Knows no training
losses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.codec.base import Codec
from personaplex.codec.quantize import SplitRVQ
from personaplex.frames import FRAME_SAMPLES
from personaplex.nn.state import State

_FLOOR = 1e-4  # magnitude below which the encoder hears nothing (about -80 dB of full scale per bin)


@dataclass(frozen=True)
class NanoCodecConfig:
    """Sizes of the small codec.

    Attributes:
        codebooks: one semantic and the rest acoustic.
        card: entries of a codebook.
        codebook_dim: width of a codebook entry.
        dim: width at the frame rate (12.5 Hz).
        fast_dim: width of the encoder at 50 Hz and of the decoder at 100 Hz.
        encoder_layers: blocks at 50 Hz.
        latent_layers: blocks at 12.5 Hz, on each side.
        decoder_layers: blocks at 100 Hz.
        expansion: width of a block's hidden layer over its own.
        kernel: taps of a block's depthwise convolution.
        encoder_fft: samples of an analysis window.
        encoder_hop: samples between two of them.
        decoder_fft: samples of a synthesis window.
        decoder_hop: samples between two of them.
        output_delay: samples by which the decoded sound comes later than the sound that was encoded.
    """

    codebooks: int = 8
    card: int = 512
    codebook_dim: int = 128
    dim: int = 384
    fast_dim: int = 256
    encoder_layers: int = 3
    latent_layers: int = 3
    decoder_layers: int = 4
    expansion: int = 3
    kernel: int = 7
    encoder_fft: int = 1024
    encoder_hop: int = 480
    decoder_fft: int = 960
    decoder_hop: int = 240
    output_delay: int = 480

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> NanoCodecConfig:
        """Read the fields out of a mapping; others are passed over."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in config.items() if name in known})


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
    """Depthwise convolution, norm, two linear maps, on a scaled residual branch (arXiv 2201.03545)."""

    def __init__(self, dim: int, config: NanoCodecConfig):
        super().__init__()
        self.conv = DepthwiseConv(dim, config.kernel)
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, config.expansion * dim)
        self.down = nn.Linear(config.expansion * dim, dim)
        self.scale = nn.Parameter(torch.full((dim,), 0.1))

    def init_state(self, batch: int) -> PastState:
        """The state before the first sample."""
        return self.conv.init_state(batch)

    def forward(self, x: torch.Tensor, state: PastState | None = None) -> torch.Tensor:
        """Map `[B, T, C]` to the same shape."""
        return torch.addcmul(x, self.scale, self.down(F.gelu(self.up(self.norm(self.conv(x, state))))))


class LayerStates(State):
    """States of a sequence of layers."""

    def __init__(self, parts: list[PastState]):
        self.parts = parts


def _parts(state: LayerStates | None, count: int) -> Sequence[PastState | None]:
    return [None] * count if state is None else state.parts


class SoundEncoder(nn.Module):
    """Sound `[B, 1920 * T]` → latents `[B, T, dim]`."""

    def __init__(self, config: NanoCodecConfig):
        super().__init__()
        self.config = config
        self.ratio = FRAME_SAMPLES // config.encoder_hop
        self.window: torch.Tensor
        self.register_buffer("window", torch.hann_window(config.encoder_fft), persistent=False)
        self.inp = nn.Linear(config.encoder_fft // 2 + 1, config.fast_dim)
        self.fast = nn.ModuleList([ConvNeXtBlock(config.fast_dim, config) for _ in range(config.encoder_layers)])
        self.fold = nn.Linear(self.ratio * config.fast_dim, config.dim)
        self.slow = nn.ModuleList([ConvNeXtBlock(config.dim, config) for _ in range(config.latent_layers)])
        self.norm = nn.LayerNorm(config.dim)

    def init_state(self, batch: int) -> LayerStates:
        """The state before the first sample."""
        past = PastState(batch, self.config.encoder_fft - self.config.encoder_hop, 1, self.inp.weight)
        return LayerStates([past, *(block.init_state(batch) for block in [*self.fast, *self.slow])])

    def forward(self, pcm: torch.Tensor, state: LayerStates | None = None) -> torch.Tensor:
        """Encode whole frames of sound."""
        config = self.config
        states = _parts(state, 1 + len(self.fast) + len(self.slow))
        past = config.encoder_fft - config.encoder_hop
        first = states[0]
        full = F.pad(pcm, (past, 0)) if first is None else first.extend(pcm[..., None])[..., 0]
        windows = full.unfold(-1, config.encoder_fft, config.encoder_hop) * self.window
        magnitude = torch.fft.rfft(windows).abs() / math.sqrt(config.encoder_fft)
        x = self.inp((magnitude.clamp(min=_FLOOR).log() - math.log(_FLOOR)) * 0.25 - 0.5)
        for block, part in zip(self.fast, states[1 : 1 + len(self.fast)], strict=True):
            x = block(x, part)
        x = self.fold(x.unflatten(1, (-1, self.ratio)).flatten(2))
        for block, part in zip(self.slow, states[1 + len(self.fast) :], strict=True):
            x = block(x, part)
        return self.norm(x)


class SoundDecoder(nn.Module):
    """Latents `[B, T, dim]` → sound `[B, 1920 * T]`."""

    def __init__(self, config: NanoCodecConfig):
        super().__init__()
        self.config = config
        self.ratio = FRAME_SAMPLES // config.decoder_hop
        self.window: torch.Tensor
        self.register_buffer("window", torch.hann_window(config.decoder_fft), persistent=False)
        self.slow = nn.ModuleList([ConvNeXtBlock(config.dim, config) for _ in range(config.latent_layers)])
        self.unfold = nn.Linear(config.dim, self.ratio * config.fast_dim)
        self.fast = nn.ModuleList([ConvNeXtBlock(config.fast_dim, config) for _ in range(config.decoder_layers)])
        self.norm = nn.LayerNorm(config.fast_dim)
        self.out = nn.Linear(config.fast_dim, 2 * (config.decoder_fft // 2 + 1))

    def init_state(self, batch: int) -> LayerStates:
        """The state before the first frame."""
        tail = PastState(batch, self.config.decoder_fft - self.config.decoder_hop, 1, self.out.weight)
        return LayerStates([tail, *(block.init_state(batch) for block in [*self.slow, *self.fast])])

    def forward(self, latents: torch.Tensor, state: LayerStates | None = None) -> torch.Tensor:
        """Decode whole frames."""
        config = self.config
        states = _parts(state, 1 + len(self.fast) + len(self.slow))
        x = latents
        for block, part in zip(self.slow, states[1 : 1 + len(self.slow)], strict=True):
            x = block(x, part)
        x = self.unfold(x).unflatten(2, (self.ratio, -1)).flatten(1, 2)
        for block, part in zip(self.fast, states[1 + len(self.slow) :], strict=True):
            x = block(x, part)
        log_magnitude, phase = self.out(self.norm(x)).float().chunk(2, dim=-1)
        spectrum = torch.polar(log_magnitude.clamp(max=5.0).exp(), phase)
        windows = torch.fft.irfft(spectrum, n=config.decoder_fft) * self.window
        return self._overlap_add(windows, states[0])

    def _overlap_add(self, windows: torch.Tensor, tail: PastState | None) -> torch.Tensor:
        """Sum windows `[B, N, fft]` at their hops, each window's first sample being the first of its own hop."""
        config = self.config
        batch, count, _ = windows.shape
        hops = config.decoder_fft // config.decoder_hop
        parts = windows.unflatten(2, (hops, config.decoder_hop))  # [B, N, hops, hop]
        full = windows.new_zeros(batch, count + hops - 1, config.decoder_hop)
        for hop in range(hops):
            full = full + F.pad(parts[:, :, hop], (0, 0, hop, hops - 1 - hop))
        full = full.flatten(1)
        length = count * config.decoder_hop
        if tail is not None:
            overlap = tail.past.shape[1]
            full = torch.cat([full[:, :overlap] + tail.past[..., 0], full[:, overlap:]], dim=1)
            tail.keep(tail.past, full[:, length:, None])
        return full[:, :length]


class NanoCodec(Codec):
    """The small codec.

    Args:
        config: its sizes.
    """

    def __init__(self, config: NanoCodecConfig):
        super().__init__()
        self.config = config
        self.codebooks = config.codebooks
        self.card = config.card
        self.encoder = SoundEncoder(config)
        self.quantizer = SplitRVQ(
            config.dim, config.codebook_dim, config.card, semantic=1, acoustic=config.codebooks - 1
        )
        self.decoder = SoundDecoder(config)

    def init_encoder_state(self, batch: int, max_frames: int = 1) -> LayerStates:
        """Empty encoder state; `max_frames` is not needed here."""
        return self.encoder.init_state(batch)

    def init_decoder_state(self, batch: int, max_frames: int = 1) -> LayerStates:
        """Empty decoder state; `max_frames` is not needed here."""
        return self.decoder.init_state(batch)

    def encode(self, pcm: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Sound float `[B, 1, 1920 * T]` → codes int64 `[B, K, T]`."""
        assert state is None or isinstance(state, LayerStates)
        self.check_pcm(pcm)
        return self.quantizer.encode(self.encoder(pcm[:, 0], state).transpose(1, 2))

    def decode(self, codes: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Codes int64 `[B, K, T]` → sound float `[B, 1, 1920 * T]`."""
        assert state is None or isinstance(state, LayerStates)
        self.check_codes(codes)
        return self.decoder(self.quantizer.decode(codes).transpose(1, 2), state)[:, None]
