"""Where there is speech, by silero-vad. Knows nothing of who speaks."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.tts import SpeechError

_RATE = 16_000  # Hz, of silero's model


@functools.cache
def _model() -> Any:
    try:
        from silero_vad import load_silero_vad
    except ImportError as error:
        raise SpeechError("silero-vad is not installed: pip install silero-vad.") from error
    return load_silero_vad()


def speech_segments(pcm: np.ndarray, threshold: float = 0.5, min_silence: float = 0.1) -> list[tuple[float, float]]:
    """Stretches of speech as `(start, end)` in seconds.

    Args:
        pcm: float32 mono `[samples]` at 24 kHz.
        threshold: probability above which a moment is speech.
        min_silence: seconds of silence that separate two stretches.
    """
    import soxr
    import torch
    from silero_vad import get_speech_timestamps

    model = _model()
    sound = torch.from_numpy(soxr.resample(np.asarray(pcm, np.float32), SAMPLE_RATE, _RATE))
    found = get_speech_timestamps(
        sound, model, threshold=threshold, sampling_rate=_RATE, min_silence_duration_ms=int(min_silence * 1000)
    )
    return [(mark["start"] / _RATE, mark["end"] / _RATE) for mark in found]
