"""The classic pipeline as a system: wait for silence, recognise, think up an answer, speak it.

The recording plays on a simulated clock. What the pipeline computes is timed by this machine's and added to it, so that
the answer is heard as late as it would be live; the same run on another machine is therefore not the same to the
sample. Knows nothing of tasks and scores.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from personaplex.audio import read_audio
from personaplex.bench.ears import Ear
from personaplex.bench.records import TOKENS_JSON, Case, write_json
from personaplex.bench.systems.answers import Answerer
from personaplex.bench.systems.files import give, refuse
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.speech.speakers import AGENTS
from personaplex.speech.tts import TTS, Speaker, words_of
from personaplex.speech.vad import speech_segments

ENDPOINT = 0.7  # s of silence after which the user's turn is taken to be over
BARGE_IN = 0.25  # s of the user's speech after which the answer stops
_VOICE = "NATF0"
_BEFORE = 0.2  # s before the detected speech that the recogniser hears too
_FADE = int(0.01 * SAMPLE_RATE)


@dataclass
class _Stage:
    """What the system has said so far: sound in its place, and its words."""

    pcm: np.ndarray
    pieces: list[dict[str, Any]] = field(default_factory=list)
    busy: tuple[float, float] = (0.0, 0.0)  # of its last utterance, seconds

    def speak(self, start: float, sound: np.ndarray, words: Sequence[tuple[str, float, float]]) -> None:
        at = round(start * SAMPLE_RATE)
        room = max(len(self.pcm) - at, 0)
        self.pcm[at : at + len(sound)] = sound[:room]
        limit = len(self.pcm) / SAMPLE_RATE
        self.pieces += [
            {"text": text, "start": round(start + a, 3), "end": round(min(start + b, limit), 3)}
            for text, a, b in words
            if start + a < limit
        ]
        self.busy = (start, start + len(sound) / SAMPLE_RATE)

    def stop(self, moment: float) -> None:
        """Fall silent at `moment`, if something is being said then."""
        start, end = self.busy
        if not start < moment < end:
            return
        at = round(moment * SAMPLE_RATE)
        fade = self.pcm[max(at - _FADE, 0) : at]
        fade *= np.linspace(1, 0, len(fade), dtype=np.float32)
        self.pcm[at:] = 0
        self.pieces = [piece | {"end": min(piece["end"], moment)} for piece in self.pieces if piece["start"] < moment]
        self.busy = (start, moment)


class Cascade:
    """A `System`.

    Args:
        ear: recognises the user's words.
        answerer: thinks up the answer.
        tts: speaks it.
        clock: seconds that pass; for tests.

    Raises:
        UserError: when the synthesiser is not installed.
    """

    name = "cascade"

    def __init__(self, ear: Ear, answerer: Answerer, tts: TTS, clock: Callable[[], float] = time.perf_counter):
        self._ear, self._answerer, self._tts, self._clock = ear, answerer, tts, clock
        self._speaker: Speaker = AGENTS[_VOICE]
        speech_segments(np.zeros(SAMPLE_RATE, np.float32))  # loading the parts is not part of an answer
        tts.say("Hello.", self._speaker)

    def describe(self) -> dict[str, Any]:
        """See `System`."""
        return {
            "control": "VAD, recogniser, answers, synthesiser, one after the other",
            "asr": self._ear.name,
            "answers": self._answerer.name,
            "voice": self._speaker.id,
            "waits_s": ENDPOINT,
            "stops_after_s": BARGE_IN,
        }

    def answer(self, cases: Sequence[Case], folder: Callable[[Case], Path]) -> Iterator[Case]:
        """See `System`."""
        for case in cases:
            try:
                stage, own = self._converse(read_audio(case.source), case.role)
                write_json(folder(case) / TOKENS_JSON, own)
                give(folder(case), stage.pcm)
            except UserError as error:
                refuse(folder(case), error)
            yield case

    def _converse(self, user: np.ndarray, role: str) -> tuple[_Stage, dict[str, Any]]:
        stage = _Stage(np.zeros(len(user), np.float32))
        heard: list[str] = []
        spent: list[float] = []
        speech = speech_segments(user)
        since: float | None = None  # start of what is not answered yet
        for number, (start, end) in enumerate(speech):
            stage.stop(start + BARGE_IN)
            since = start if since is None else since
            following = speech[number + 1][0] if number + 1 < len(speech) else float("inf")
            if following < end + ENDPOINT:
                continue
            before = self._clock()
            first, last = max(since - _BEFORE, 0.0), end + ENDPOINT
            words = self._ear.hear(user[round(first * SAMPLE_RATE) : round(last * SAMPLE_RATE)])
            text = " ".join(word for word, _, _ in words)
            if not text:
                since = None
                continue
            reply = self._answerer.answer(role, text)
            if not words_of(reply):
                raise UserError(f"{self._answerer.name} gave an answer without words: {reply!r}.")
            said = self._tts.say(reply, self._speaker)
            took = self._clock() - before
            spent.append(round(took, 3))
            heard.append(text)
            if following < last + took:
                continue  # the user goes on before the answer is ready: it is dropped, and the whole is heard again
            since = None
            stage.speak(last + took, said.pcm, [(word.text, word.start, word.end) for word in said.words])
        words_said = " ".join(piece["text"] for piece in stage.pieces)
        meta = {"heard": heard, "compute_s": spent, **self.describe()}
        return stage, {"text": words_said, "pieces": stage.pieces, "meta": meta}
