"""How alike two voices sound: the cosine of resemblyzer's speaker embeddings."""

from __future__ import annotations

import contextlib
import functools
import io
from typing import Any

import numpy as np

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.tts import SpeechError

_RATE = 16_000  # Hz, of the encoder


@functools.cache
def _encoder() -> Any:
    try:
        from resemblyzer import VoiceEncoder
    except ImportError as error:
        raise SpeechError("resemblyzer is not installed: pip install resemblyzer.") from error
    with contextlib.redirect_stdout(io.StringIO()):  # it announces itself
        return VoiceEncoder("cpu", verbose=False)


def speaker_embedding(pcm: np.ndarray) -> np.ndarray:
    """Unit vector `[256]` of who speaks in float32 mono `[samples]` at 24 kHz; SpeechError if nobody does."""
    import soxr
    from resemblyzer import preprocess_wav

    encoder = _encoder()
    sound = preprocess_wav(soxr.resample(np.asarray(pcm, np.float32), SAMPLE_RATE, _RATE), source_sr=_RATE)
    if len(sound) < _RATE // 4:
        raise SpeechError("There is too little speech (less than 0.25 s) to recognise a voice by.")
    return np.asarray(encoder.embed_utterance(sound), np.float32)


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine between the speakers of two recordings; above 0.95 one synthetic voice with itself, to 0.96 two alike."""
    return float(np.dot(speaker_embedding(one), speaker_embedding(other)))
