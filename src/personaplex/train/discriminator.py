"""Tells copies from originals by their complex spectra, so that a decoder learns what no spectral distance tells it.

EnCodec's multi-scale STFT discriminator (arXiv 2210.13438, section 3.4), smaller; Mimi is trained with it too (Moshi
paper, section 3.3). Knows no codec.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

_SLOPE = 0.2  # of the leaky rectifiers
_FAINT = 1e-6  # squared magnitude below which spectra are no longer raised: about -60 dB of full scale


class Verdict(NamedTuple):
    """What one scale makes of a batch.

    Attributes:
        logits: `[B, frames, bins]`, above 0 where it takes the sound for an original.
        features: what its layers gave, `[B, C, frames, bins]` each.
    """

    logits: torch.Tensor
    features: list[torch.Tensor]


def _prepared(layer: nn.Conv2d) -> nn.Module:
    """Put it under weight normalisation, its weights keeping the size of what passes so that it learns at once."""
    nn.init.kaiming_normal_(layer.weight, _SLOPE)
    return weight_norm(layer)


class STFTDiscriminator(nn.Module):
    """Two-dimensional convolutions over the complex spectrum at one resolution.

    Args:
        fft: samples of a window; the hop is a quarter of it.
        channels: of each layer.
    """

    def __init__(self, fft: int, channels: int):
        super().__init__()
        self.fft = fft
        self.window: torch.Tensor
        self.register_buffer("window", torch.hann_window(fft), persistent=False)
        layers = [nn.Conv2d(2, channels, (3, 9), stride=(1, 2), padding=(1, 4))]
        for dilation in (1, 2, 4):
            padding = (dilation, 4)
            layers.append(nn.Conv2d(channels, channels, (3, 9), (1, 2), padding, dilation=(dilation, 1)))
        layers.append(nn.Conv2d(channels, channels, 3, padding=1))
        self.layers = nn.ModuleList(_prepared(layer) for layer in layers)
        self.out = _prepared(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, pcm: torch.Tensor) -> Verdict:
        """Judge sound `[B, N]`."""
        spectrum = torch.fft.rfft(pcm.unfold(-1, self.fft, self.fft // 4) * self.window) / math.sqrt(self.fft)
        x = torch.stack([spectrum.real, spectrum.imag], dim=1)
        # The square root of the magnitudes, phases kept: else nothing but the loudest harmonics would count.
        x = x * (x.square().sum(dim=1, keepdim=True) + _FAINT) ** -0.25
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), _SLOPE)
            features.append(x)
        return Verdict(self.out(x)[:, 0], features)


class Discriminator(nn.Module):
    """Several resolutions at once.

    Args:
        windows: samples of each scale's window.
        channels: of each layer.
    """

    def __init__(self, windows: tuple[int, ...] = (2048, 1024, 512), channels: int = 16):
        super().__init__()
        self.scales = nn.ModuleList(STFTDiscriminator(fft, channels) for fft in windows)

    def forward(self, pcm: torch.Tensor) -> list[Verdict]:
        """Judge sound `[B, N]`, N at least the longest window; one verdict a scale."""
        return [scale(pcm) for scale in self.scales]


class AdversarialLosses(NamedTuple):
    """Scalars, means over scales.

    Attributes:
        adversarial: the decoder's: how far copies are from being taken for originals.
        feature_matching: the decoder's: L1 between the features of copy and original, relative to the original's.
        discriminator: the discriminator's own: hinge on both.
    """

    adversarial: torch.Tensor
    feature_matching: torch.Tensor
    discriminator: torch.Tensor


def adversarial_losses(copies: list[Verdict], originals: list[Verdict]) -> AdversarialLosses:
    """Losses of both sides from one pass over copies and one over their originals."""
    adversarial, matching, own = [], [], []
    for copy, original in zip(copies, originals, strict=True):
        adversarial.append(F.relu(1 - copy.logits.float()).mean())
        own.append(F.relu(1 + copy.logits.float()).mean() + F.relu(1 - original.logits.float()).mean())
        for ours, theirs in zip(copy.features, original.features, strict=True):
            size = theirs.detach().abs().mean().clamp(min=1e-6)
            matching.append(((ours - theirs.detach()).abs().mean() / size).float())
    return AdversarialLosses(*(torch.stack(terms).mean() for terms in (adversarial, matching, own)))
