"""A different throat for the same voice: the spectral envelope bent apart from the pitch and coloured, breath mixed in.

Works on the short-time spectrum: the envelope is the cepstrum's first part, moved along the frequency axis by a factor
that goes from `low` to `high`, while the harmonics stay where they are. Knows sound only.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from personaplex.frames import SAMPLE_RATE

_WINDOW, _HOP = 512, 128  # samples: 21 ms, 5 ms
_QUEFRENCIES = 36  # samples of the cepstrum that are envelope; shorter than the period of any voice here
_LOW, _HIGH = 1000.0, 3000.0  # Hz, between which the factor goes from low to high
_MOST = np.log(8.0)  # of gain or loss anywhere, 18 dB
BANDS = (150.0, 300.0, 600.0, 1200.0, 2400.0, 4800.0, 9600.0)  # Hz, where a timbre says what is added or taken
_GATE = int(0.001 * SAMPLE_RATE)
_HANN = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
_HERTZ = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE)


def recolour(pcm: np.ndarray, low: float, high: float, breath: float, timbre: Sequence[float] = ()) -> np.ndarray:
    """Move formants, colour them and add breath; digital silence stays digital silence.

    Args:
        pcm: float32 mono `[samples]`, 24 kHz.
        low: factor on formant frequencies below 1 kHz.
        high: the same above 3 kHz.
        breath: 0 keeps the voice, 1 leaves only breath.
        timbre: dB at each of `BANDS`, with slopes between; empty for none.

    Returns:
        float32 `[samples]`, as loud as `pcm`; the same input gives the same samples.
    """
    if not pcm.any() or (low == high == 1 and not breath and not timbre):
        return pcm
    padded = np.pad(pcm, (_WINDOW, _WINDOW + -len(pcm) % _HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP] * _HANN
    spectrum = np.fft.rfft(frames)
    envelope = _envelope(np.log(np.abs(spectrum) + 1e-6))
    factor = np.interp(_HERTZ, [_LOW, _HIGH], [low, high])
    source = np.clip(_HERTZ / factor / _HERTZ[1], 0, len(_HERTZ) - 1)
    left = np.minimum(source.astype(int), len(_HERTZ) - 2)
    part = source - left
    moved = envelope[:, left] * (1 - part) + envelope[:, left + 1] * part
    if timbre:
        moved = moved + np.interp(np.log(_HERTZ + 1), np.log(BANDS), np.asarray(timbre) * np.log(10) / 20)
    spectrum = spectrum * np.exp(np.clip(moved - envelope, -_MOST, _MOST))
    if breath:
        air = np.random.default_rng(zlib.crc32(pcm.tobytes())).standard_normal(len(padded)).astype(np.float32)
        noise = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(air, _WINDOW)[::_HOP] * _HANN)
        noise *= np.exp(np.minimum(moved, _MOST * 4)) / np.sqrt(np.mean(np.abs(noise) ** 2))
        share = breath + (1 - breath) * breath * _HERTZ / (_HERTZ + 2000)  # more of it where voices are breathy: on top
        spectrum = spectrum * np.sqrt(1 - share**2) + noise * share
    out = np.zeros(len(padded), np.float32)
    pieces = np.fft.irfft(spectrum, _WINDOW).astype(np.float32) * _HANN
    for offset in range(_WINDOW // _HOP):  # frames that far apart do not overlap
        block = pieces[offset :: _WINDOW // _HOP].reshape(-1)
        out[offset * _HOP : offset * _HOP + len(block)] += block
    out = out[_WINDOW : _WINDOW + len(pcm)] * _open(pcm)
    return (out * np.sqrt(np.sum(pcm**2) / max(float(np.sum(out**2)), 1e-9))).astype(np.float32)


def _envelope(log_spectrum: np.ndarray) -> np.ndarray:
    cepstrum = np.fft.irfft(log_spectrum)
    cepstrum[:, _QUEFRENCIES : -_QUEFRENCIES + 1] = 0
    return np.fft.rfft(cepstrum).real


def _open(pcm: np.ndarray) -> np.ndarray:
    """1 where `pcm` sounds, 0 in its digital silence, with short slopes between."""
    box = np.ones(2 * _GATE + 1)
    wide = np.convolve(pcm != 0, box, "same") > 0
    sounds = np.convolve(np.pad(wide, _GATE, mode="edge"), box, "valid") > 2 * _GATE + 0.5  # as wide again as it was
    slopes = np.convolve(np.pad(sounds, _GATE), box / len(box), "valid")
    return np.where(sounds, slopes, 0.0).astype(np.float32)
