"""Recognition by large neural models, where they are installed: Whisper-class models by name, and NVIDIA's Parakeet.

Knows how each library is called. None of them is a requirement of this program; what is missing is said in a sentence.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.tts import SpeechError, Word

_RATE = 16_000  # Hz, of all these models
PARAKEET = "nvidia/parakeet-tdt-0.6b-v2"  # the recogniser of Full-Duplex-Bench


class Whisper:
    """An `ASR` by faster-whisper or, without it, openai-whisper.

    Args:
        size: a model's name as the library spells it, such as `small.en` or `large-v3`, or a folder.

    Raises:
        SpeechError: when neither library is installed, or the model can not be had.
    """

    def __init__(self, size: str) -> None:
        self.library = next((name for name in ("faster_whisper", "whisper") if importlib.util.find_spec(name)), "")
        if not self.library:
            raise SpeechError("Whisper is not installed: pip install faster-whisper (or openai-whisper).")
        try:
            self._model = _whisper_model(self.library, size)
        except Exception as error:  # each library fails in its own ways, a wrong name among them
            raise SpeechError(f"The Whisper model {size!r} can not be loaded: {_first_line(error)}") from error

    def words(self, pcm: np.ndarray) -> list[Word]:
        """The words in float32 mono `[samples]` at 24 kHz, as the model writes them, with times in seconds."""
        sound = _resampled(pcm)
        if self.library == "faster_whisper":
            segments, _ = self._model.transcribe(sound, language="en", word_timestamps=True, beam_size=5)
            found = [(word.word, word.start, word.end) for segment in segments for word in segment.words or ()]
        else:
            made = self._model.transcribe(sound, language="en", word_timestamps=True)
            found = [
                (w["word"], w["start"], w["end"]) for segment in made["segments"] for w in segment.get("words", ())
            ]
        return [Word(text.strip(), float(start), float(end)) for text, start, end in found]


def _whisper_model(library: str, size: str) -> Any:
    if library == "faster_whisper":
        from faster_whisper import WhisperModel

        return WhisperModel(size)
    import whisper

    return whisper.load_model(size)


class Parakeet:
    """An `ASR` by NeMo.

    Args:
        model: of the hub.

    Raises:
        SpeechError: when NeMo is not installed, or the model can not be had.
    """

    def __init__(self, model: str = PARAKEET) -> None:
        try:
            from nemo.collections.asr.models import ASRModel
        except ImportError as error:
            raise SpeechError("Parakeet needs NeMo: pip install 'nemo_toolkit[asr]'.") from error
        try:
            self._model: Any = ASRModel.from_pretrained(model)
        except Exception as error:
            raise SpeechError(f"The model {model} can not be loaded: {_first_line(error)}") from error

    def words(self, pcm: np.ndarray) -> list[Word]:
        """The words in float32 mono `[samples]` at 24 kHz, as the model writes them, with times in seconds."""
        made = self._model.transcribe([_resampled(pcm)], timestamps=True, verbose=False)[0]
        return [Word(mark["word"], float(mark["start"]), float(mark["end"])) for mark in made.timestamp["word"]]


def _resampled(pcm: np.ndarray) -> np.ndarray:
    import soxr

    return soxr.resample(np.asarray(pcm, np.float32), SAMPLE_RATE, _RATE)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".") + "."
