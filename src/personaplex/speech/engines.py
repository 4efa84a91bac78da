"""Which speech engine speaks for whom; each is started when somebody of its voice first speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from personaplex.speech import festival, kokoro, pico
from personaplex.speech.colour import recolour
from personaplex.speech.espeak import Espeak
from personaplex.speech.festival import Festival
from personaplex.speech.flite import Flite
from personaplex.speech.kokoro import Kokoro
from personaplex.speech.pico import Pico
from personaplex.speech.tts import TTS, Speaker, SpeechError, Utterance, words_of

_ENGINES: dict[str, Callable[[], TTS]] = {
    "flite": Flite,
    "espeak": Espeak,
    "festival": Festival,
    "pico": Pico,
    "kokoro": Kokoro,
}


OTHERS = ("festival", "pico", "kokoro")
"""The engines that are not everywhere."""
_ASKED_FOR = ("kokoro",)  # a hundred times as slow as the others


def others(engine: str | None = None) -> tuple[str, ...]:
    """The voices at hand of the engines that are not everywhere, as `festival ked`; corpora do without those absent.

    Args:
        engine: one of `OTHERS`, for its voices alone; None for those of all but the slow ones.

    Raises:
        MissingEngine: when it is asked for and absent.
    """
    at_hand = {"festival": festival.installed(), "pico": pico.installed(), "kokoro": kokoro.installed()}
    if engine is not None and not at_hand[engine]:
        _ENGINES[engine]()  # says what to install
    wanted = [name for name in OTHERS if name not in _ASKED_FOR] if engine is None else [engine]
    return tuple(f"{name} {voice}" for name in wanted for voice in at_hand[name])


class Voices:
    """Speaks for any speaker by its engine, each engine started at first use."""

    def __init__(self) -> None:
        self._engines: dict[str, TTS] = {}

    def say(self, text: str, speaker: Speaker) -> Utterance:
        """Speak `text`; SpeechError if the engine refuses, MissingEngine if it is absent."""
        if not words_of(text):
            raise SpeechError(f"There is no word to speak in {text!r}.")
        said = self._engine(speaker.engine).say(text, speaker)
        return replace(said, pcm=recolour(said.pcm, speaker.low, speaker.high, speaker.breath, speaker.timbre))

    def require(self, engines: Iterable[str]) -> None:
        """Start `engines` now; MissingEngine if one of them is not installed."""
        for name in engines:
            self._engine(name)

    def _engine(self, name: str) -> TTS:
        if name not in self._engines:
            if name not in _ENGINES:
                raise SpeechError(f"There is no speech engine {name!r}; the engines are {', '.join(_ENGINES)}.")
            self._engines[name] = _ENGINES[name]()
        return self._engines[name]
