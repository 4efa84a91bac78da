"""A mark on the outgoing sound by which a program can tell that it is synthetic.

A simple one, for the hook that a better one may take: a pseudo-random sequence of one second, 30 dB under the sound of
each frame, repeated from the first frame on. It survives 16-bit PCM and cutting; it does not survive codecs for speech,
nor people who want to remove it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE

DEPTH = 10 ** (-30 / 20)  # of the mark, relative to the frame that it lies under
_PERIOD = 13 * FRAME_SAMPLES  # samples, about a second: whole frames
_BINS = 9  # of a block's spectrum, over which its loudness is taken
CERTAIN = 8.0  # a score that unmarked sound does not reach; see `score`


def _sequence() -> np.ndarray:
    signs = np.random.default_rng(0x5E7).integers(0, 2, _PERIOD) * 2 - 1
    return signs.astype(np.float32)


_SEQUENCE = _sequence()


def spread_spectrum() -> Callable[[np.ndarray], np.ndarray]:
    """A mark for one conversation: a function from each frame, float32 `[1920]`, to the marked one."""
    position = 0

    def mark(pcm: np.ndarray) -> np.ndarray:
        nonlocal position
        own = _SEQUENCE[position : position + len(pcm)]
        position = (position + len(pcm)) % _PERIOD
        return pcm + np.float32(DEPTH * np.sqrt(np.mean(np.square(pcm)))) * own

    return mark


def score(pcm: np.ndarray) -> float:
    """How surely sound `[n]` at 24 kHz, of some seconds, carries the mark, wherever it was cut.

    Returns:
        By how many standard deviations the best alignment stands out of all; from `CERTAIN` on it is no accident.
    """
    whole = len(pcm) // _PERIOD
    if not whole:
        return 0.0
    blocks = np.fft.rfft(np.asarray(pcm[: whole * _PERIOD], np.float64).reshape(-1, FRAME_SAMPLES), axis=1)
    smooth = np.apply_along_axis(np.convolve, 1, np.abs(blocks), np.ones(_BINS) / _BINS, "same")
    flat = np.fft.irfft(blocks / (smooth + 1e-9), FRAME_SAMPLES, axis=1)  # speech is loud where it is; the mark is flat
    folded = flat.reshape(whole, _PERIOD).sum(axis=0)
    match = np.fft.irfft(np.fft.rfft(folded) * np.conj(np.fft.rfft(_SEQUENCE.astype(np.float64))), _PERIOD)
    return float((match.max() - match.mean()) / match.std())


assert _PERIOD % FRAME_SAMPLES == 0 and abs(_PERIOD / SAMPLE_RATE - 1) < 0.1
