"""A user's channel while it is laid out: speech on one clock, digital silence between, the time of every word."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.tts import TTS, Speaker

SPEECH_DB = -24.0  # dBFS, root mean square of the user's speech


@dataclass
class Scene:
    """Speech so far. Positions are seconds; `now` is where the next utterance begins.

    Attributes:
        tts: who speaks.
        now: end of the last utterance, or later after `wait`.
        words: `(text, start, end)`, lower case.
    """

    tts: TTS
    now: float = 0.0
    words: list[tuple[str, float, float]] = field(default_factory=list)
    _pieces: list[tuple[int, np.ndarray]] = field(default_factory=list)

    def wait(self, seconds: float) -> Scene:
        """Let time pass."""
        self.now += seconds
        return self

    def say(self, text: str, speaker: Speaker, level: float = SPEECH_DB) -> tuple[float, float]:
        """Speak from now on at `level` dBFS; where it begins and ends."""
        utterance = self.tts.say(text, speaker)
        loud = utterance.pcm[np.abs(utterance.pcm) > 1e-4]
        gain = 10 ** (level / 20) / float(np.sqrt(np.mean(loud**2)))
        at = round(self.now * SAMPLE_RATE)
        start, self.now = at / SAMPLE_RATE, (at + len(utterance.pcm)) / SAMPLE_RATE
        self._pieces.append((at, utterance.pcm * min(gain, 0.95 / float(np.abs(utterance.pcm).max()))))
        self.words += [(word.text, start + word.start, start + word.end) for word in utterance.words]
        return start, self.now

    def sound(self) -> np.ndarray:
        """All of it up to now: float32 `[n]` at 24 kHz."""
        out = np.zeros(round(self.now * SAMPLE_RATE), np.float32)
        for at, pcm in self._pieces:
            out[at : at + len(pcm)] += pcm[: len(out) - at]
        return out

    def cut(self, span: tuple[float, float]) -> np.ndarray:
        """The part between two times, float32 `[n]`."""
        first, last = (round(time * SAMPLE_RATE) for time in span)
        return self.sound()[first:last]

    def transcription(self) -> list[dict[str, Any]]:
        """The words as Full-Duplex-Bench's `transcription.json` has them."""
        return [{"speaker": 0, "item": self._chunks()}]

    def transcript(self) -> dict[str, Any]:
        """The words as an ear writes them."""
        return {"text": " ".join(word[0] for word in self.words), "chunks": self._chunks()}

    def _chunks(self) -> list[dict[str, Any]]:
        return [{"text": text, "timestamp": [round(a, 3), round(b, 3)]} for text, a, b in self.words]
