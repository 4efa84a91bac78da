"""Which speech engine speaks for whom; each is started when somebody of its voice first speaks."""

from __future__ import annotations

from dataclasses import replace

from personaplex.speech.colour import recolour
from personaplex.speech.espeak import Espeak
from personaplex.speech.festival import Festival
from personaplex.speech.flite import Flite
from personaplex.speech.tts import TTS, Speaker, SpeechError, Utterance, words_of


class Voices:
    """Speaks for any speaker by its engine, each engine started at first use."""

    def __init__(self) -> None:
        self._engines: dict[str, TTS] = {}

    def say(self, text: str, speaker: Speaker) -> Utterance:
        """Speak `text`; SpeechError if the engine is absent or refuses."""
        if not words_of(text):
            raise SpeechError(f"There is no word to speak in {text!r}.")
        if speaker.engine not in self._engines:
            self._engines[speaker.engine] = _start(speaker.engine)
        said = self._engines[speaker.engine].say(text, speaker)
        if speaker.low == speaker.high == 1 and not speaker.breath:
            return said
        return replace(said, pcm=recolour(said.pcm, speaker.low, speaker.high, speaker.breath))


def _start(engine: str) -> TTS:
    if engine == "flite":
        return Flite()
    if engine == "espeak":
        return Espeak()
    if engine == "festival":
        return Festival()
    raise SpeechError(f"There is no speech engine {engine!r}; the engines are flite, espeak and festival.")
