"""Spectral losses between two waveforms."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from personaplex.frames import SAMPLE_RATE


def mel_filters(bins: int, mels: int, low: float = 40.0, high: float = 12_000.0) -> torch.Tensor:
    """Triangular filters `[bins, mels]`, evenly spaced in HTK mel, each of unit sum."""

    def to_mel(hertz: float) -> float:
        return 2595 * math.log10(1 + hertz / 700)

    points = 700 * (10 ** (torch.linspace(to_mel(low), to_mel(high), mels + 2) / 2595) - 1)
    frequency = torch.linspace(0, SAMPLE_RATE / 2, bins)[:, None]
    rising = (frequency - points[:-2]) / (points[1:-1] - points[:-2])
    falling = (points[2:] - frequency) / (points[2:] - points[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0)
    return filters / filters.sum(dim=0).clamp(min=1e-6)


class _Magnitude(torch.autograd.Function):
    """Magnitudes of real Fourier transforms, with a real one in the backward pass too.

    Autograd's own is complex and takes three times as long.
    """

    @staticmethod
    def forward(ctx: Any, windows: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfft(windows)
        magnitude = spectrum.abs()
        ctx.save_for_backward(spectrum, magnitude)
        return magnitude

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        spectrum, magnitude = ctx.saved_tensors
        towards = gradients[0] / magnitude.clamp(min=1e-12)
        towards[..., 1:-1] *= 0.5  # an inverse transform counts each of these bins twice
        count = 2 * (magnitude.shape[-1] - 1)
        return torch.fft.irfft(spectrum * towards, n=count, norm="forward")


def magnitudes(windows: torch.Tensor) -> torch.Tensor:
    """Magnitudes `[..., n / 2 + 1]` of the Fourier transforms of real windows `[..., n]`, n even."""
    return _Magnitude.apply(windows)


class SpectralLoss(nn.Module):
    """L1 between log-mel spectra, and between magnitudes, at several resolutions.

    Args:
        scales: `(window, mels)` pairs; hops are a quarter of the window.
    """

    def __init__(self, scales: tuple[tuple[int, int], ...] = ((256, 16), (512, 40), (1024, 80), (2048, 80))):
        super().__init__()
        self.scales = scales
        for fft, mels in scales:
            self.register_buffer(f"window_{fft}", torch.hann_window(fft), persistent=False)
            self.register_buffer(f"mel_{fft}", mel_filters(fft // 2 + 1, mels), persistent=False)

    def forward(self, output: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compare `[B, N]` waveforms; returns the log-mel and the magnitude term, means over scales."""
        mel_terms, magnitude_terms = [], []
        for fft, _ in self.scales:
            window, mel = getattr(self, f"window_{fft}"), getattr(self, f"mel_{fft}")
            both = []
            for sound in (output, target):  # apart, for only one of them has a gradient
                magnitude = magnitudes(sound.unfold(-1, fft, fft // 4) * window) / math.sqrt(fft)
                both.append(((magnitude @ mel + 1e-4).log10(), (magnitude + 1e-4).sqrt()))
            (out_mel, out_magnitude), (target_mel, target_magnitude) = both
            mel_terms.append(F.l1_loss(out_mel, target_mel))
            magnitude_terms.append(F.l1_loss(out_magnitude, target_magnitude))
        return torch.stack(mel_terms).mean(), torch.stack(magnitude_terms).mean()
