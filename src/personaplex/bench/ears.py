"""What hears a system's sound, and the transcript that it leaves beside it.

Knows recognisers by name and the file `OUTPUT_JSON`. Does not know what a transcript is scored for.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from personaplex.audio import read_audio
from personaplex.bench.records import OUTPUT_JSON, OUTPUT_WAV, TOKENS_JSON, write_json
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.speech.asr import ASR, Pocketsphinx
from personaplex.speech.neural_asr import Parakeet, Whisper
from personaplex.speech.vad import speech_segments

Heard = tuple[str, float, float]  # a word, its start and its end in seconds
_MARGIN = 0.2  # s of quiet that a recogniser gets on both sides of a stretch of speech
_EDGES = ' .,!?;:"()[]*…“”-'  # of a written word, that are not spoken


class Ear(Protocol):
    """Something that hears words."""

    @property
    def name(self) -> str:
        """As it stands beside every figure."""

    def hear(self, pcm: np.ndarray) -> list[Heard]:
        """The words in float32 mono `[n]` at 24 kHz: lower case, start and end in seconds, in order.

        Raises:
            UserError: when it cannot.
        """


class Recogniser:
    """An `Ear` that is an ASR engine.

    Args:
        name: see `Ear`.
        asr: the engine.
        in_stretches: whether it listens to one stretch of speech at a time, as silero-vad finds them. pocketsphinx does
            far better so: its estimate of the channel suffers from long quiet.
    """

    def __init__(self, name: str, asr: ASR, in_stretches: bool = False) -> None:
        self.name = name
        self._asr, self._in_stretches = asr, in_stretches

    def hear(self, pcm: np.ndarray) -> list[Heard]:
        """See `Ear`."""
        heard: list[Heard] = []
        for start, end in _stretches(pcm) if self._in_stretches else [(0.0, len(pcm) / SAMPLE_RATE)]:
            part = pcm[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
            words = ((word.text.lower().strip(_EDGES), word.start, word.end) for word in self._asr.words(part))
            heard += [(text, a + start, min(b + start, end)) for text, a, b in words if text]
        return heard


def _stretches(pcm: np.ndarray) -> list[tuple[float, float]]:
    """Stretches of speech with a little quiet around them, none overlapping, in seconds."""
    seconds = len(pcm) / SAMPLE_RATE
    out: list[tuple[float, float]] = []
    for start, end in speech_segments(pcm, min_silence=2 * _MARGIN):
        out.append((max(start - _MARGIN, out[-1][1] if out else 0.0), min(end + _MARGIN, seconds)))
    return out


class OwnText:
    """The `Ear` that believes what the system says it says: the text stream of its `TOKENS_JSON`. Hears no sound."""

    name = "own text stream"

    def hear(self, pcm: np.ndarray) -> list[Heard]:
        """Always refuses: a text stream belongs to a folder, which `transcript` reads.

        Raises:
            UserError: always.
        """
        raise UserError("The system's own text stream is no recogniser; choose another ear for sound without one.")


def make_ear(name: str, sentences: Sequence[str] | None = None) -> Ear:
    """An ear by its name.

    Args:
        name: `pocketsphinx` (in the box), `parakeet`, `whisper-NAME` (such as `whisper-small.en`), or `own`.
        sentences: restricts `pocketsphinx` to their words and word pairs, and its name says so; others ignore them.

    Raises:
        UserError: when there is none of that name, or what it needs is not installed.
    """
    if name == "own":
        return OwnText()
    if name == "pocketsphinx":
        if sentences is None:
            return Recogniser("pocketsphinx, general model", Pocketsphinx(), True)
        kinds = len(set(sentences))
        name = f"pocketsphinx, bigram model of the domain ({kinds} sentences)"
        return Recogniser(name, Pocketsphinx(sentences), True)
    if name == "parakeet":
        return Recogniser("parakeet-tdt-0.6b-v2", Parakeet())
    if name.startswith("whisper-") and name != "whisper-":
        return Recogniser(name, Whisper(name.removeprefix("whisper-")))
    raise UserError(f"There is no ear {name!r}; the ears are pocketsphinx, parakeet, whisper-NAME and own.")


def transcript(folder: Path, ear: Ear, start: float = 0.0) -> dict[str, Any]:
    """What is said in a case's output folder: its `OUTPUT_JSON`, or else what the ear hears, which is then kept there.

    A transcript from elsewhere (without `ear`) is always taken as it is. One that another ear of ours left, or that
    begins elsewhere, is made anew, so that no figure stands under the wrong name.

    Args:
        folder: of one case.
        ear: who hears where there is no transcript.
        start: seconds of sound that are not listened to; times still count from the recording's beginning.

    Returns:
        `{"text", "chunks": [{"text", "timestamp": [start, end]}], "ear"}`.

    Raises:
        UserError: when a file that is needed is missing or damaged.
    """
    path = folder / OUTPUT_JSON
    kept = _read(path) if path.exists() else None
    if kept is not None and "ear" not in kept:
        return kept | {"ear": f"{OUTPUT_JSON} as found"}
    if kept is not None and kept["ear"] == ear.name and kept.get("start", 0.0) == start:
        return kept
    words = own_words(folder, start) if isinstance(ear, OwnText) else _listen(folder, ear, start)
    made = {
        "text": " ".join(text for text, _, _ in words),
        "chunks": [{"text": text, "timestamp": [round(a, 3), round(b, 3)]} for text, a, b in words],
        "ear": ear.name,
        "start": start,
    }
    with contextlib.suppress(OSError):  # a folder that may only be read is heard again each time
        write_json(path, made)
    return made


def words_in(heard: dict[str, Any]) -> list[Heard]:
    """The words of a transcript with their times. A missing end is the start; a word without a start is left out."""
    out = []
    for chunk in heard["chunks"]:
        begin, end = chunk["timestamp"]
        if begin is not None:
            out.append((str(chunk["text"]).strip(), float(begin), float(begin if end is None else end)))
    return out


def own_words(folder: Path, start: float = 0.0) -> list[Heard]:
    """The words of a system's own text stream that begin at `start` seconds or later.

    Raises:
        UserError: when it has none, or it is damaged.
    """
    path = folder / TOKENS_JSON
    if not path.exists():
        raise UserError(f"{path} is missing: this system has no text stream of its own, so choose another ear.")
    content = _json(path)
    try:
        pieces = [(str(p["text"]).lower().strip(_EDGES), float(p["start"]), float(p["end"])) for p in content["pieces"]]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged: its pieces need a text, a start and an end.") from error
    return [piece for piece in pieces if piece[0] and piece[1] >= start]


def _listen(folder: Path, ear: Ear, start: float) -> list[Heard]:
    pcm = read_audio(folder / OUTPUT_WAV)[max(0, round(start * SAMPLE_RATE)) :]
    return [(text, a + start, b + start) for text, a, b in (ear.hear(pcm) if len(pcm) else [])]


def _read(path: Path) -> dict[str, Any]:
    """A transcript from a file, with every chunk seen to have a text and two times."""
    content = _json(path)
    bad = UserError(f'{path} is no transcript: it needs "text" and "chunks", each with "text" and two times.')
    if not isinstance(content, dict) or not isinstance(content.get("chunks"), list):
        raise bad
    for chunk in content["chunks"]:
        if not isinstance(chunk, dict) or "text" not in chunk:
            raise bad
        times = chunk.get("timestamp")
        if not isinstance(times, list) or len(times) != 2 or not all(map(_is_time, times)):
            raise bad
    return {"text": " ".join(str(chunk["text"]).strip() for chunk in content["chunks"])} | content


def _is_time(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value is None or number


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged: it can not be read as JSON.") from error
