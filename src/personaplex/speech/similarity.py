"""How alike two voices sound: the cosine of speaker embeddings, by resemblyzer (in the box) or WavLM (by download).

Knows the encoders. Knows nothing of silence beyond what each encoder cuts itself: cut it first where it matters.
"""

from __future__ import annotations

import contextlib
import functools
import io
from typing import Any, Protocol

import numpy as np

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.tts import SpeechError

_RATE = 16_000  # Hz, of the encoders
WAVLM = "microsoft/wavlm-base-plus-sv"


class SpeakerEncoder(Protocol):
    """Who speaks, as a vector."""

    @property
    def name(self) -> str:
        """As it stands beside every figure."""

    def embed(self, pcm: np.ndarray) -> np.ndarray:
        """Unit vector of who speaks in float32 mono `[samples]` at 24 kHz.

        Raises:
            SpeechError: when it cannot be told.
        """


class Resemblyzer:
    """A `SpeakerEncoder` (GE2E, 256 numbers). Not comparable with figures made by WavLM."""

    name = "resemblyzer"

    def embed(self, pcm: np.ndarray) -> np.ndarray:
        """See `SpeakerEncoder`."""
        return speaker_embedding(pcm)


class WavLM:
    """A `SpeakerEncoder`: WavLM with an x-vector head (512 numbers), the kind that published figures are made with.

    Args:
        model: of the hub, or a folder.

    Raises:
        SpeechError: when transformers is not installed, or the model can not be had.
    """

    def __init__(self, model: str = WAVLM) -> None:
        try:
            from transformers import AutoFeatureExtractor, WavLMForXVector
        except ImportError as error:
            raise SpeechError("WavLM needs transformers: pip install transformers.") from error
        try:
            self._features: Any = AutoFeatureExtractor.from_pretrained(model)
            self._model: Any = WavLMForXVector.from_pretrained(model).eval()
        except (OSError, ValueError) as error:
            raise SpeechError(
                f"The speaker encoder {model} can not be loaded: connect to the hub once, or name its folder."
            ) from error
        self.name = f"wavlm-tdnn ({model.rstrip('/').rpartition('/')[2]})"

    def embed(self, pcm: np.ndarray) -> np.ndarray:
        """See `SpeakerEncoder`."""
        import soxr
        import torch

        sound = soxr.resample(np.asarray(pcm, np.float32), SAMPLE_RATE, _RATE)
        if len(sound) < _RATE // 2:
            raise SpeechError("There is too little speech (less than 0.5 s) to recognise a voice by.")
        with torch.inference_mode():
            made = self._model(**self._features(sound, sampling_rate=_RATE, return_tensors="pt")).embeddings[0].numpy()
        return np.asarray(made / max(float(np.linalg.norm(made)), 1e-9), np.float32)


def make_encoder(name: str) -> SpeakerEncoder:
    """A speaker encoder by its name: `resemblyzer`, `wavlm-tdnn`, or `wavlm-tdnn:MODEL` (of the hub, or a folder).

    Raises:
        SpeechError: when there is none of that name, or what it needs is not there.
    """
    if name == "resemblyzer":
        _encoder()
        return Resemblyzer()
    kind, _, model = name.partition(":")
    if kind == "wavlm-tdnn":
        return WavLM(model or WAVLM)
    raise SpeechError(f"There is no speaker encoder {name!r}; the encoders are resemblyzer and wavlm-tdnn.")


@functools.cache
def _encoder() -> Any:
    try:
        from resemblyzer import VoiceEncoder
    except ImportError as error:
        raise SpeechError("resemblyzer is not installed: pip install --no-deps resemblyzer.") from error
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
