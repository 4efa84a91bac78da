"""When each word and phone of an utterance is heard, from another voice that says the same and knows its times.

Both are bent onto one another by dynamic time warping of their cepstra, each against its own mean: what is said stays,
who says it goes. Knows sound and times; not what is said, nor by which engine.
"""

from __future__ import annotations

import numpy as np

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.tts import Utterance, Word

_HOP = SAMPLE_RATE // 100
_COEFFICIENTS = 16
_QUIET = -45.0  # dB below the loudest, from which on it is speech


def sounding(pcm: np.ndarray) -> tuple[float, float]:
    """When an utterance's first and last sound are, in seconds; `pcm` is float32 `[samples]` at 24 kHz."""
    level = _levels(pcm)
    loud = np.flatnonzero(level > level.max() + _QUIET)
    return loud[0] * _HOP / SAMPLE_RATE, min((loud[-1] + 1) * _HOP, len(pcm)) / SAMPLE_RATE


def align(pcm: np.ndarray, guide: Utterance) -> tuple[list[Word], list[tuple[str, float, float]]]:
    """The guide's words and phones at the times at which `pcm` says them.

    Args:
        pcm: float32 `[samples]`, 24 kHz, trimmed to its first and last sound.
        guide: somebody else who says the same words, with their times.

    Returns:
        Words in seconds of `pcm`, and `(phone, start, end)`, with `pau` where the guide pauses.
    """
    import librosa

    theirs, ours = _features(guide.pcm), _features(pcm)
    _, path = librosa.sequence.dtw(theirs, ours, metric="cosine")
    path = path[::-1]
    seconds = _HOP / SAMPLE_RATE
    scale = len(pcm) / SAMPLE_RATE

    def moved(time: float) -> float:
        return float(np.clip(np.interp(time / seconds, path[:, 0], path[:, 1]) * seconds, 0, scale))

    words = [Word(word.text, moved(word.start), moved(word.end)) for word in guide.words]
    phones: list[tuple[str, float, float]] = []
    for name, start, end in guide.phones:
        if phones and moved(start) > phones[-1][2]:
            phones.append(("pau", phones[-1][2], moved(start)))
        phones.append((name, moved(start), moved(end)))
    return words, phones


def _levels(pcm: np.ndarray) -> np.ndarray:
    blocks = np.pad(pcm, (0, -len(pcm) % _HOP)).reshape(-1, _HOP)
    return np.asarray(10 * np.log10(np.mean(blocks**2, axis=1) + 1e-10))


def _features(pcm: np.ndarray) -> np.ndarray:
    """Cepstra `[coefficients, frames]`, each with mean 0 and spread 1 over the utterance."""
    import librosa

    found = librosa.feature.mfcc(
        y=np.asarray(pcm, np.float32), sr=SAMPLE_RATE, n_mfcc=_COEFFICIENTS, hop_length=_HOP, n_fft=1024, fmax=8000
    )
    return np.asarray((found - found.mean(axis=1, keepdims=True)) / (found.std(axis=1, keepdims=True) + 1e-6))
