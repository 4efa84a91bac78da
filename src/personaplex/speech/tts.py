"""What every text-to-speech engine of the house gives: sound at 24 kHz with the time of every word.

Knows the shape of an utterance and of a speaker, and which engine speaks for whom. Does not know how an engine is
called (`flite`, `espeak` do), nor who takes part in a conversation (`speakers` does).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import soxr

from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE

EDGE_SECONDS = 0.004  # fade at both ends of every stretch of speech, so that digital silence begins without a click
_WORD = re.compile(r"[A-Za-z']+")


class SpeechError(UserError):
    """A speech engine is absent or refused a text; the message is one sentence that says what to do."""


class MissingEngine(SpeechError):
    """A speech engine, or one of its voices, is not installed: no other text would help."""


@dataclass(frozen=True)
class Speaker:
    """A voice that can be had again: an engine's voice and how it is bent.

    Attributes:
        id: the name under which the speaker appears in corpora.
        engine: `flite`, `espeak`, `festival`, `pico` or `kokoro`.
        voice: the engine's own name of the voice, such as `slt` or `en-us+f2`.
        sex: `F` or `M`.
        pitch: factor on the fundamental frequency as heard. flite's `rms` and Kokoro ignore it: their pitch
            follows `warp` alone.
        warp: factor on the formant frequencies; above 1 sounds like a smaller person.
        stretch: factor on the duration; above 1 speaks slower.
        split: `agent`, `train` or `test`: the only place where the speaker may appear.
        melody: factor on how far the pitch moves about its mean; 0 is monotone. Pico and festival's HTS voice have one.
        low: factor on the formants below about 1 kHz, apart from `warp` (see `colour`).
        high: the same above about 3 kHz.
        breath: share of breath in the voice, 0 to 1; 1 is a whisper.
        gap: espeak-ng's extra silence between words, in units of 10 ms.
        unsteady: how much tempo differs from breath to breath, as a share.
        timbre: dB that the throat adds at each of `colour.BANDS`; empty for none.
    """

    id: str
    engine: str
    voice: str
    sex: str
    pitch: float = 1.0
    warp: float = 1.0
    stretch: float = 1.0
    split: str = "train"
    melody: float = 1.0
    low: float = 1.0
    high: float = 1.0
    breath: float = 0.0
    gap: int = 0
    unsteady: float = 0.06
    timbre: tuple[float, ...] = ()


@dataclass(frozen=True)
class Word:
    """A word and when it is heard, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Utterance:
    """Speech, trimmed to its first and last sound.

    Attributes:
        pcm: float32 `[samples]`, mono, 24 kHz, digital silence in its pauses.
        words: one for each of `words_of(text)`, in order.
        phones: `(CMU phone, start, end)` in seconds; empty where the engine's phones are not CMU's.
    """

    pcm: np.ndarray
    words: tuple[Word, ...]
    phones: tuple[tuple[str, float, float], ...] = ()

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.pcm) / SAMPLE_RATE


class TTS(Protocol):
    """Text to speech."""

    def say(self, text: str, speaker: Speaker) -> Utterance:
        """Speak `text`; SpeechError if the engine cannot."""
        ...


def words_of(text: str) -> list[str]:
    """The words of `text` in lower case, apostrophes kept, all other punctuation dropped."""
    return [word.lower() for word in _WORD.findall(text) if word.strip("'")]


def display_words(text: str) -> list[str]:
    """The words of `text` as written, each with its punctuation; as many as `words_of(text)`."""
    return [piece for piece in text.split() if words_of(piece)]


def regroup(engine: str, expected: list[str], spoken: list[Word], text: str) -> list[Word]:
    """Join what flite and festival split (`dishwasher` + `'s`). They rename homographs, so their number decides.

    SpeechError if the engine read another number of words than `expected`.
    """
    groups: list[list[Word]] = []
    for word in spoken:
        if word.text.startswith("'") and groups:
            groups[-1].append(word)
        else:
            groups.append([word])
    if len(groups) != len(expected):
        said = " ".join(word.text for word in spoken)
        raise SpeechError(f"{engine} reads {text!r} as {said!r}; spell its figures and signs out.")
    return [Word(name, group[0].start, group[-1].end) for name, group in zip(expected, groups, strict=True)]


def finish(pcm: np.ndarray, rate: float, words: list[Word], phones: list[tuple[str, float, float]]) -> Utterance:
    """Resample an engine's sound to 24 kHz, silence its pauses, trim its ends.

    Args:
        pcm: float32 `[samples]` at `rate` Hz.
        rate: as it is to be heard, which for a warped voice is not the engine's own.
        words: with times in seconds at `rate`.
        phones: the same, with `pau` for a pause.
    """
    out = soxr.resample(pcm, rate, SAMPLE_RATE) if rate != SAMPLE_RATE else pcm
    spans = _voiced_spans(phones or [(word.text, word.start, word.end) for word in words])
    start, end = spans[0][0], min(spans[-1][1], len(out) / SAMPLE_RATE)
    mask = np.zeros(len(out), np.float32)
    edge = int(EDGE_SECONDS * SAMPLE_RATE)
    ramp = np.linspace(0, 1, edge, dtype=np.float32)
    for left, right in spans:
        a, b = int(left * SAMPLE_RATE), min(int(right * SAMPLE_RATE), len(out))
        if b - a <= 2 * edge:
            continue
        mask[a:b] = 1
        mask[a : a + edge] = ramp
        mask[b - edge : b] = ramp[::-1]
    clean = (out * mask)[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    return Utterance(
        np.ascontiguousarray(clean, np.float32),
        tuple(replace(w, start=max(w.start - start, 0.0), end=min(w.end, end) - start) for w in words),
        tuple((p, max(a - start, 0.0), min(b, end) - start) for p, a, b in phones if p != "pau"),
    )


def _voiced_spans(marks: list[tuple[str, float, float]]) -> list[tuple[float, float]]:
    """Join adjacent marks into stretches of speech; pauses shorter than 30 ms belong to the speech around them."""
    spans: list[tuple[float, float]] = []
    for name, start, end in marks:
        if name == "pau":
            continue
        if spans and start - spans[-1][1] < 0.03:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans
