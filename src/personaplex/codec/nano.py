"""A small codec with Mimi's contract: STFT in, causal ConvNeXt blocks, split RVQ, inverse STFT out.

Log-magnitude spectra at 50 Hz → 12.5 Hz latents → codes → 100 Hz spectra with phase (Vocos, arXiv 2306.00814) → sound.
Or, with `pitch`, the last codebook holds the pitch of the voice, and the 100 Hz spectra are filters of its sound and of
a noise. Every part is causal, so a frame's codes need no sound after it; the decoded sound comes `delay` samples late,
which lets the decoder see what a window's end will sound like before it has to say its beginning. Knows no training
losses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.codec.base import Codec
from personaplex.codec.blocks import Blocks, BlocksState, PastState
from personaplex.codec.pitch import POINTS, PULSE, PitchReader, Throat, ThroatState, minimum_phase
from personaplex.codec.quantize import SplitRVQ
from personaplex.frames import FRAME_SAMPLES, PITCH_SAMPLES
from personaplex.nn.state import State

_FLOOR = 1e-4  # magnitude below which the encoder hears nothing (about -80 dB of full scale per bin)


@dataclass(frozen=True)
class NanoCodecConfig:
    """Sizes of the small codec.

    Attributes:
        codebooks: one semantic and the rest acoustic, or with `pitch` the last one of pitch.
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
        output_delay: samples by which the decoded sound comes later than the sound that was encoded; with `pitch`
            half a window of pulses more.
        pitch: whether there is a codebook of pitch, by which the decoder is given its harmonics.
        pitch_dim: width of the reader of pitch.
        pitch_layers: blocks of it, at 50 Hz.
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
    pitch: bool = False
    pitch_dim: int = 128
    pitch_layers: int = 3

    @property
    def delay(self) -> int:
        """Samples by which the decoded sound comes later than the sound that was encoded."""
        return self.output_delay + self.pitch * PULSE // 2

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> NanoCodecConfig:
        """Read the fields out of a mapping; others are passed over."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in config.items() if name in known})


class EncoderState(State):
    """What the encoder remembers: the last samples, and what its blocks and those that read the pitch do."""

    def __init__(self, past: PastState, fast: BlocksState, slow: BlocksState, pitch: BlocksState | None):
        self.past, self.fast, self.slow, self.pitch = past, fast, slow, pitch


class DecoderState(State):
    """What the decoder remembers: sound that is not whole yet, and what its blocks and its throat do."""

    def __init__(self, tail: PastState, slow: BlocksState, fast: BlocksState, throat: ThroatState | None):
        self.tail, self.slow, self.fast, self.throat = tail, slow, fast, throat


class SoundEncoder(nn.Module):
    """Sound `[B, 1920 * T]` → latents `[B, T, dim]`."""

    def __init__(self, config: NanoCodecConfig):
        super().__init__()
        self.config = config
        self.ratio = FRAME_SAMPLES // config.encoder_hop
        self.window: torch.Tensor
        self.register_buffer("window", torch.hann_window(config.encoder_fft), persistent=False)
        self.inp = nn.Linear(config.encoder_fft // 2 + 1, config.fast_dim)
        self.fast = Blocks(config.encoder_layers, config.fast_dim, config.expansion, config.kernel)
        self.fold = nn.Linear(self.ratio * config.fast_dim, config.dim)
        self.slow = Blocks(config.latent_layers, config.dim, config.expansion, config.kernel)
        self.norm = nn.LayerNorm(config.dim)

    def init_state(self, batch: int, pitch: BlocksState | None = None) -> EncoderState:
        """The state before the first sample, with that of what reads the pitch."""
        past = PastState(batch, self.config.encoder_fft - self.config.encoder_hop, 1, self.inp.weight)
        return EncoderState(past, self.fast.init_state(batch), self.slow.init_state(batch), pitch)

    def spectra(self, pcm: torch.Tensor, state: PastState | None = None) -> torch.Tensor:
        """Magnitudes of whole frames of sound, `[B, N, encoder_fft / 2 + 1]`."""
        config = self.config
        past = config.encoder_fft - config.encoder_hop
        full = F.pad(pcm, (past, 0)) if state is None else state.extend(pcm[..., None])[..., 0]
        windows = full.unfold(-1, config.encoder_fft, config.encoder_hop) * self.window
        return torch.fft.rfft(windows).abs() / math.sqrt(config.encoder_fft)

    def latents(self, magnitude: torch.Tensor, state: EncoderState | None = None) -> torch.Tensor:
        """What is quantized, `[B, T, dim]`."""
        x = self.inp((magnitude.clamp(min=_FLOOR).log() - math.log(_FLOOR)) * 0.25 - 0.5)
        x = self.fast(x, None if state is None else state.fast)
        x = self.fold(x.unflatten(1, (-1, self.ratio)).flatten(2))
        return self.norm(self.slow(x, None if state is None else state.slow))

    def forward(self, pcm: torch.Tensor) -> torch.Tensor:
        """Encode whole frames of sound."""
        return self.latents(self.spectra(pcm))


class SoundDecoder(nn.Module):
    """Latents `[B, T, dim]`, and the pitch where there is a codebook of it → sound `[B, 1920 * T]`."""

    def __init__(self, config: NanoCodecConfig):
        super().__init__()
        self.config = config
        self.ratio = FRAME_SAMPLES // config.decoder_hop
        self.window: torch.Tensor
        self.register_buffer("window", torch.hann_window(config.decoder_fft), persistent=False)
        self.throat = Throat(config.decoder_fft) if config.pitch else None
        self.pitch = nn.Linear(2 * POINTS, config.dim, bias=False) if config.pitch else None
        self.slow = Blocks(config.latent_layers, config.dim, config.expansion, config.kernel)
        self.unfold = nn.Linear(config.dim, self.ratio * config.fast_dim)
        self.fast = Blocks(config.decoder_layers, config.fast_dim, config.expansion, config.kernel)
        self.norm = nn.LayerNorm(config.fast_dim)
        self.out = nn.Linear(config.fast_dim, 2 * (config.decoder_fft // 2 + 1))

    def init_state(self, batch: int) -> DecoderState:
        """The state before the first frame."""
        tail = PastState(batch, self.config.decoder_fft - self.config.decoder_hop, 1, self.out.weight)
        throat = None if self.throat is None else self.throat.init_state(batch)
        return DecoderState(tail, self.slow.init_state(batch), self.fast.init_state(batch), throat)

    def forward(
        self, latents: torch.Tensor, pitch: torch.Tensor | None = None, state: DecoderState | None = None
    ) -> torch.Tensor:
        """Decode whole frames; `pitch [B, T, 2 * POINTS]` is needed where there is a codebook of it."""
        slow, fast, tail = (None, None, None) if state is None else (state.slow, state.fast, state.tail)
        x = latents if self.pitch is None else latents + self.pitch(pitch)
        x = self.unfold(self.slow(x, slow)).unflatten(2, (self.ratio, -1)).flatten(1, 2)
        one, other = self.out(self.norm(self.fast(x, fast))).float().chunk(2, dim=-1)
        if self.throat is None:
            spectrum = torch.polar(one.clamp(max=5.0).exp(), other)  # a log magnitude, a phase
            return self._overlap_add(torch.fft.irfft(spectrum, n=self.config.decoder_fft) * self.window, tail)
        pulses, noise = self.throat(pitch, None if state is None else state.throat)  # two log magnitudes
        spectrum = pulses * minimum_phase(one.clamp(max=5.0)) + noise * other.clamp(max=5.0).exp()
        return self._overlap_add(torch.fft.irfft(spectrum, n=self.config.decoder_fft), tail)

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

    Raises:
        ValueError: when a codec with pitch is to have other hops than its pitch has points.
    """

    def __init__(self, config: NanoCodecConfig):
        super().__init__()
        if config.pitch and (config.encoder_hop, 2 * config.decoder_hop) != (PITCH_SAMPLES, PULSE):
            raise ValueError(
                f"a codec with pitch has an encoder_hop of {PITCH_SAMPLES} and a decoder_hop of {PULSE // 2} samples"
            )
        self.config = config
        self.codebooks = config.codebooks
        self.card = config.card
        self.encoder = SoundEncoder(config)
        self.quantizer = SplitRVQ(
            config.dim,
            config.codebook_dim,
            config.card,
            semantic=1,
            acoustic=config.codebooks - 1 - config.pitch,
        )
        self.pitch: PitchReader | None = None
        if config.pitch:
            self.pitch = PitchReader(
                config.pitch_dim, config.pitch_layers, config.card, config.expansion, config.kernel
            )
        self.decoder = SoundDecoder(config)

    def init_encoder_state(self, batch: int, max_frames: int = 1) -> EncoderState:
        """Empty encoder state; `max_frames` is not needed here."""
        return self.encoder.init_state(batch, None if self.pitch is None else self.pitch.blocks.init_state(batch))

    def init_decoder_state(self, batch: int, max_frames: int = 1) -> DecoderState:
        """Empty decoder state; `max_frames` is not needed here."""
        return self.decoder.init_state(batch)

    def encode(self, pcm: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Sound float `[B, 1, 1920 * T]` → codes int64 `[B, K, T]`."""
        assert state is None or isinstance(state, EncoderState)
        self.check_pcm(pcm)
        spectra = self.encoder.spectra(pcm[:, 0], None if state is None else state.past)
        codes = self.quantizer.encode(self.encoder.latents(spectra, state).transpose(1, 2))
        if self.pitch is None:
            return codes
        return torch.cat([codes, self.pitch.encode(spectra, None if state is None else state.pitch)], dim=1)

    def decode(self, codes: torch.Tensor, state: State | None = None) -> torch.Tensor:
        """Codes int64 `[B, K, T]` → sound float `[B, 1, 1920 * T]`."""
        assert state is None or isinstance(state, DecoderState)
        self.check_codes(codes)
        pitch = None
        if self.pitch is not None:
            codes, last = codes[:, :-1], codes[:, -1]
            pitch = self.pitch.codebook.lookup(last)
        return self.decoder(self.quantizer.decode(codes).transpose(1, 2), pitch, state)[:, None]
