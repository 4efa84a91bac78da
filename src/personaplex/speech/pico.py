"""SVOX Pico in this process, through the PyPI package ttspico: two women, American and British, at 16 kHz.

It says nothing of its words' times: those come from flite, which says the same (`align`). It is optional: where it is
not installed, corpora do without it.
"""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import soxr

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.align import align, sounding
from personaplex.speech.flite import Flite
from personaplex.speech.tts import MissingEngine, Speaker, SpeechError, Utterance, finish

VOICES = ("en-US", "en-GB")
_INSTALL = "Pico is not installed: pip install ttspico (it needs a C compiler)."
_RATE = 16_000
_PITCHES, _RATES = (50, 200), (20, 500)  # percent, what the engine takes
_GUIDE = Speaker("guide", "flite", "slt", "F")
_NOT_SAID = re.compile(r"[^A-Za-z',.?! -]")  # `<` and `&` are mark-up to it


def installed() -> tuple[str, ...]:
    """The voices at hand; none where ttspico is not installed."""
    return VOICES if importlib.util.find_spec("ttspico") else ()


class Pico:
    """A `TTS`. MissingEngine if the package, or flite, is absent."""

    def __init__(self) -> None:
        if not installed():
            raise MissingEngine(_INSTALL)
        import ttspico

        self._package = ttspico
        self._flite = Flite()

    def say(self, text: str, speaker: Speaker) -> Utterance:
        """Speak `text`; SpeechError for an unknown voice or a text that flite or Pico cannot say."""
        if speaker.voice not in VOICES:
            raise SpeechError(f"Pico has no voice {speaker.voice!r} here; the voices are {', '.join(VOICES)}.")
        guide = self._flite.say(text, _GUIDE)
        engine = self._package.TtsEngine(speaker.voice)  # a new one each time: it carries state to what it says next
        engine.pitch = int(np.clip(round(100 * speaker.pitch / speaker.warp), *_PITCHES))
        engine.rate = int(np.clip(round(100 / (speaker.stretch * speaker.warp)), *_RATES))
        said = engine.speak(_NOT_SAID.sub(" ", text))
        if not said:
            raise SpeechError(f"Pico says nothing for {text!r}; give it words.")
        pcm = np.frombuffer(said, np.int16).astype(np.float32) / 32768
        heard = soxr.resample(pcm, _RATE * speaker.warp, SAMPLE_RATE)
        start, end = sounding(heard)
        heard = heard[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
        words, phones = align(heard, guide)
        return finish(heard, SAMPLE_RATE, words, phones)
