"""Where there is speech, by silero-vad. Knows nothing of who speaks."""

from __future__ import annotations

import functools
from importlib.metadata import version
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


def vad_name() -> str:
    """Its name and version, to stand beside a figure."""
    _model()
    return f"silero-vad {version('silero-vad')}"


def speech_segments(
    pcm: np.ndarray,
    threshold: float = 0.5,
    min_silence: float = 0.1,
    *,
    misread: bool = False,
    decimals: int | None = None,
) -> list[tuple[float, float]]:
    """Stretches of speech as `(start, end)` in seconds.

    Args:
        pcm: float32 mono `[samples]` at 24 kHz.
        threshold: probability above which a moment is speech.
        min_silence: seconds of silence that separate two stretches.
        misread: pass the samples off as 16 kHz without resampling, whatever their rate is. At 24 kHz speech then
            sounds slow and low to the model, and its times are 1.5 times too late (eval_backchannel.py of
            Full-Duplex-Bench does so).
        decimals: of the seconds, rounded as silero's `return_seconds` does (its own choice is 1); None for none.
    """
    import soxr
    import torch
    from silero_vad import get_speech_timestamps

    sound = np.asarray(pcm, np.float32)
    sound = sound if misread else soxr.resample(sound, SAMPLE_RATE, _RATE)
    found = get_speech_timestamps(
        torch.from_numpy(np.ascontiguousarray(sound)),
        _model(),
        threshold=threshold,
        sampling_rate=_RATE,
        min_silence_duration_ms=int(min_silence * 1000),
        return_seconds=decimals is not None,
        time_resolution=decimals or 0,
    )
    unit = _RATE if decimals is None else 1
    return [(mark["start"] / unit, mark["end"] / unit) for mark in found]
