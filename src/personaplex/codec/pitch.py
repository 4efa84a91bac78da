"""The pitch of a voice: read from spectra, coded by a codebook of its own, and given back as the sound of a throat.

Harmonics that a spectral loss has to find by itself a small decoder never finds: it hums on one note. Here the pitch
is an input of the decoder, which then only shapes a train of pulses and a noise (a source and a filter, as the
vocoder WORLD, doi 10.1587/transinf.2015EDP7457, and DDSP, arXiv 2001.04643). A frame has `POINTS` points of pitch, each
a height (octaves over `MIDDLE`) and whether there is a voice; point k is the pitch at the frame's sample `480 k`.
Knows nothing of what is said.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from personaplex.codec.blocks import Blocks, BlocksState, PastState
from personaplex.codec.quantize import Codebook
from personaplex.frames import FRAME_SAMPLES, PITCH_RANGE, PITCH_SAMPLES, SAMPLE_RATE
from personaplex.nn.state import State

POINTS = FRAME_SAMPLES // PITCH_SAMPLES  # in a frame
MIDDLE = 150.0  # Hz of height 0
VOICE = 0.33  # octaves of height that a wrong decision on whether there is a voice weighs as much as
PULSE = PITCH_SAMPLES  # samples of the window of which source and noise are shaped; its hop is half of it
STEPS = 24  # heights of an octave that are told apart
GRID = tuple(step / STEPS for step in range(*(math.floor(math.log2(hertz / MIDDLE) * STEPS) for hertz in PITCH_RANGE)))
_NEAR = 3.5 / STEPS  # octaves
_LAGS = 40, 424  # samples of the autocorrelation that are read: 600 to 57 Hz
_BEATS = 256  # windows after which the noise repeats


def heights(hertz: torch.Tensor) -> torch.Tensor:
    """Pitch in Hz, 0 where unvoiced, `[..., POINTS]` → vectors of a codebook `[..., 2 * POINTS]`."""
    voiced = hertz > 0
    height = torch.where(voiced, (hertz.clamp(min=1.0) / MIDDLE).log2(), 0.0)
    return torch.cat([height, voiced * VOICE], dim=-1)


class PitchReader(nn.Module):
    """The pitch of the one voice in a sound, from the autocorrelation of windows, one each 20 ms.

    It chooses between heights `1 / STEPS` of an octave apart, as CREPE does (arXiv 1802.06182), and then takes the mean
    of those around the likeliest: a mean of all would lie between the octaves that it is in doubt of.

    Args:
        dim: width.
        layers: blocks.
        card: entries of the codebook.
        expansion: of the blocks.
        kernel: of the blocks.
    """

    def __init__(self, dim: int, layers: int, card: int, expansion: int, kernel: int):
        super().__init__()
        self.inp = nn.Linear(_LAGS[1] - _LAGS[0], dim)
        self.blocks = Blocks(layers, dim, expansion, kernel)
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, 1 + len(GRID))
        self.grid: torch.Tensor
        self.register_buffer("grid", torch.tensor(GRID), persistent=False)
        self.codebook = Codebook(card, 2 * POINTS)

    def forward(self, magnitude: torch.Tensor, state: BlocksState | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Magnitudes of spectra `[B, N, bins]` → logits of voice `[B, N]` and of the heights of `GRID`."""
        correlation = torch.fft.irfft(magnitude.float())
        lags = correlation[..., _LAGS[0] : _LAGS[1]] / (correlation[..., :1] + 1e-3)
        read = self.out(self.norm(self.blocks(self.inp(lags), state)))
        return read[..., 0], read[..., 1:]

    def encode(self, magnitude: torch.Tensor, state: BlocksState | None = None) -> torch.Tensor:
        """Magnitudes `[B, POINTS * T, bins]` → codes int64 `[B, 1, T]`."""
        voice, logits = self(magnitude, state)
        near = (self.grid - self.grid[logits.argmax(dim=-1)][..., None]).abs() < _NEAR
        height = (logits.float().masked_fill(~near, -torch.inf).softmax(dim=-1) * self.grid).sum(dim=-1)
        voiced = voice > 0
        points = torch.stack([height * voiced, voiced * VOICE], dim=-2)  # [B, 2, N]
        return self.codebook.nearest(points.unflatten(2, (-1, POINTS)).transpose(1, 2).flatten(2))[:, None]


class ThroatState(State):
    """Where the pulses are: the last point, the phase in cycles, the sound beyond the frame, and the noise's beat."""

    def __init__(self, batch: int, like: torch.Tensor):
        self.point = torch.zeros(batch, 2, dtype=torch.float64, device=like.device)
        self.phase = torch.zeros(batch, 1, dtype=torch.float64, device=like.device)
        self.past = PastState(batch, PULSE // 2, 1, torch.zeros(0, device=like.device))
        self.beat = torch.zeros(batch, 1, dtype=torch.int64, device=like.device)


class Throat(nn.Module):
    """A train of pulses of a given pitch, and a noise, both white: the source that a decoder's filters shape.

    The noise is always the same, so that streaming equals offline and a run can be repeated.

    Args:
        fft: samples of the transforms of windows, `PULSE` at their beginning and silence after it.
    """

    def __init__(self, fft: int):
        super().__init__()
        self.fft = fft
        self.window: torch.Tensor
        self.register_buffer("window", torch.hann_window(PULSE), persistent=False)
        noise = torch.randn(_BEATS, PULSE, generator=torch.Generator().manual_seed(0), device="cpu")
        # Neighbouring windows of noise add up in power, those of pulses in amplitude.
        self.noise: torch.Tensor
        spectra = torch.fft.rfft(noise * torch.hann_window(PULSE, device="cpu").sqrt(), n=fft)
        self.register_buffer("noise", torch.view_as_real(spectra).contiguous(), persistent=False)

    def init_state(self, batch: int) -> ThroatState:
        """The state before the first frame."""
        return ThroatState(batch, self.window)

    def forward(self, points: torch.Tensor, state: ThroatState | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Spectra of windows, each half a window after the one before.

        Args:
            points: `[B, T, 2 * POINTS]` as `heights` gives them.
            state: to go on from.

        Returns:
            Of pulses complex `[B, N, fft / 2 + 1]`, and of noise, the same shape.
        """
        state = self.init_state(len(points)) if state is None else state
        pulses = self._pulses(points.double(), state)
        sound = state.past.extend(pulses[..., None])[..., 0]
        windows = sound.unfold(-1, PULSE, PULSE // 2) * self.window.float()
        count = windows.shape[1]
        beats = (state.beat + torch.arange(count, device=points.device)) % _BEATS
        state.keep(state.beat, (state.beat + count) % _BEATS)
        return torch.fft.rfft(windows, n=self.fft), torch.view_as_complex(self.noise.float())[beats]

    def _pulses(self, points: torch.Tensor, state: ThroatState) -> torch.Tensor:
        """Unit power where there is a voice, `[B, 1920 * T]`: between two points the pitch moves in a straight line.

        In float64 as far as the phase, in which errors add up.
        """
        height, voice = (part.flatten(1) for part in points.chunk(2, dim=-1))  # [B, POINTS * T]
        voiced = (voice > VOICE / 2).double()
        hertz = voiced * MIDDLE * 2**height
        before = torch.cat([state.point, torch.stack([hertz, voiced], dim=-1)[:, :-1].flatten(1)], dim=1)
        before = before.unflatten(1, (-1, 2))
        start, end = before[..., 0], hertz
        start, end = torch.where(start > 0, start, end), torch.where(end > 0, end, start)  # it begins where it is to be
        turns = (start + end) * (PITCH_SAMPLES / 2 / SAMPLE_RATE)  # of each stretch, in cycles
        after = (state.phase + turns.cumsum(dim=1)) % 1.0
        phase = torch.cat([state.phase, after[:, :-1]], dim=1)
        state.keep(state.point, torch.stack([hertz, voiced], dim=-1)[:, -1])
        state.keep(state.phase, after[:, -1:])
        n = torch.arange(PITCH_SAMPLES, device=points.device, dtype=torch.float64)
        share = n / PITCH_SAMPLES
        cycles = phase[..., None] + (start[..., None] + (end - start)[..., None] * share / 2) * n / SAMPLE_RATE
        gain = before[..., 1:] + (voiced[..., None] - before[..., 1:]) * share
        return (gain.float() * _pulse_train(cycles, torch.maximum(start, end)[..., None])).flatten(1)


def _pulse_train(cycles: torch.Tensor, hertz: torch.Tensor) -> torch.Tensor:
    """All harmonics below half the sample rate, of unit power together, at phases `cycles`: a Dirichlet kernel."""
    count = (SAMPLE_RATE / 2 / hertz.clamp(min=1.0)).floor().float()
    angle = (2 * math.pi * (cycles - cycles.round())).float()  # around 0, where it must be exact
    half = (angle / 2).sin()
    near = half.abs() < 1e-4
    total = torch.where(near, count, ((count + 0.5) * angle).sin() / (2 * half.masked_fill(near, 1.0)) - 0.5)
    return total * (2 / count.clamp(min=1.0)).sqrt()


def minimum_phase(log_magnitude: torch.Tensor) -> torch.Tensor:
    """Spectra complex `[..., n / 2 + 1]` of those magnitudes whose sound comes as early as can be (by the cepstrum)."""
    bins = log_magnitude.shape[-1]
    cepstrum = torch.fft.irfft(log_magnitude, n=2 * (bins - 1))
    fold = torch.zeros(2 * (bins - 1), device=log_magnitude.device)
    fold[0] = fold[bins - 1] = 1.0
    fold[1 : bins - 1] = 2.0
    return torch.fft.rfft(cepstrum * fold).exp()
