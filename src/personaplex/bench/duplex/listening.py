"""What a system left in a case's folder: its sound, its speech activity, its words, and what is wrong with them.

Every fault becomes one sentence of the sample's problem. Knows nothing of scores.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from personaplex.audio import read_audio, sound_seconds
from personaplex.bench.duplex.rules import Chunk, chunks_of
from personaplex.bench.ears import Ear, transcript, words_in
from personaplex.bench.records import OUTPUT_WAV, Case, Event, Sample, Span, write_json
from personaplex.errors import UserError
from personaplex.frames import FRAME_SECONDS, SAMPLE_RATE
from personaplex.speech.vad import speech_segments


@dataclass(frozen=True)
class Sound:
    """A recording.

    Attributes:
        pcm: float32 mono `[n]` at 24 kHz.
        raw: the file's own samples, float32 mono `[m]` at `rate`.
        rate: of the file, in Hz.
        seconds: its length.
    """

    pcm: np.ndarray
    raw: np.ndarray
    rate: int
    seconds: float


@dataclass
class Draft:
    """A sample in the making; see `records.Sample` for its fields. `heard_by` is the ear's name."""

    case: Case
    folder: Path
    metrics: dict[str, float | None] = field(default_factory=dict)
    badness: float = 0.0
    words: list[tuple[str, float, float]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    speech: list[Span] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    heard_by: str | None = None

    def sample(self) -> Sample:
        """The finished sample."""
        theirs = [(str(text), start, end) for text, start, end in self.case.truth.get("user_words", ())]
        return Sample(
            self.case.id,
            self.metrics,
            min(max(self.badness, 0.0), 1.0),
            self.words,
            theirs,
            self.events,
            self.speech,
            self.notes,
            " ".join(self.problems) or None,
        )


def read_output(draft: Draft, needed: bool) -> Sound | None:
    """The system's sound, if it is there, with its speech activity put into `draft`.

    A wrong rate, channel count or length is a problem, and the sound is scored all the same, as the published scripts
    do, who look at neither.

    Args:
        draft: of the case.
        needed: whether a missing file is a problem.
    """
    path = draft.folder / OUTPUT_WAV
    if not needed and not path.exists():
        return None
    try:
        sound = read_sound(path, draft.problems)
    except UserError as error:
        draft.problems.append(str(error))
        return None
    expected = _length_of(draft.case.source)
    if expected is not None and abs(sound.seconds - expected) > FRAME_SECONDS:
        draft.problems.append(f"{OUTPUT_WAV} lasts {sound.seconds:.2f} s, but its input {expected:.2f} s.")
    draft.speech = speech_segments(sound.pcm)
    return sound


def read_sound(path: Path, problems: list[str]) -> Sound:
    """Read a system's sound and name what is unusual about it.

    Raises:
        UserError: when it cannot be read.
    """
    import soundfile

    pcm = read_audio(path)
    info = soundfile.info(path)
    raw = pcm
    if info.samplerate != SAMPLE_RATE:
        problems.append(f"{path.name} has {info.samplerate} samples a second, not {SAMPLE_RATE}.")
        raw = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
    if info.channels != 1:
        problems.append(f"{path.name} has {info.channels} channels, not one; their mean is scored.")
    return Sound(pcm, raw, info.samplerate, info.frames / info.samplerate)


def read_words(
    draft: Draft, ear: Ear, sound: Sound | None = None, start: float = 0.0, until: float = 0.0
) -> tuple[list[Chunk], str] | None:
    """The system's words with their text, from its transcript or the ear; None, and a problem, where neither tells.

    An empty transcript is a problem too, unless its sound is there and holds no speech.

    Args:
        draft: of the case, with the speech of `read_output`.
        ear: listens where there is no transcript.
        sound: of the system, if it was read.
        start: seconds that are not listened to.
        until: the moment that is scored: a sound that ends earlier tells nothing. A transcript from elsewhere does.
    """
    try:
        heard = transcript(draft.folder, ear, start)
        words = chunks_of(heard)
    except UserError as error:
        if str(error) not in draft.problems:
            draft.problems.append(str(error))
        return None
    draft.heard_by = str(heard.get("ear", ear.name))
    if sound is not None and sound.seconds < until and draft.heard_by == ear.name:
        draft.problems.append(f"{OUTPUT_WAV} ends before {until:.2f} s, the moment that is scored.")
        return None
    draft.words = words_in(heard)
    if not words:
        _explain_silence(draft, sound, start)
        return [], ""
    text = str(heard.get("text") or " ".join(word for word, _, _ in words)).strip()
    draft.notes["said"] = text
    return words, text


def _explain_silence(draft: Draft, sound: Sound | None, start: float) -> None:
    """An empty transcript is right where there is no speech after `start`, and otherwise doubtful."""
    if sound is not None and not any(end > start for _, end in draft.speech):
        draft.notes["said"] = "nothing"
        return
    why = "and there is no sound to tell why" if sound is None else "though there is speech in the sound"
    draft.problems.append(f"The transcript is empty, {why}; the sample counts as one without words.")


def answer_error(folder: Path) -> str | None:
    """Why a system could not answer a case, where it says so in `error.json`."""
    try:
        return str(json.loads((folder / "error.json").read_text(encoding="utf-8"))["error"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return f"The system did not answer, and {folder / 'error.json'} does not say why."


def side_transcript(stem: str, folders: list[Path], ear: Ear) -> dict[str, Any] | None:
    """The transcript `stem.json` in one of the folders, or what the ear hears in `stem.wav`, then kept in the first.

    Returns:
        None where there is neither, or the ear hears no sound by itself.

    Raises:
        UserError: when a file is damaged.
    """
    for folder in folders:
        if (folder / f"{stem}.json").is_file():
            kept = _kept(folder / f"{stem}.json")
            if kept.get("ear", ear.name) == ear.name:
                return kept
    for folder in folders:
        if (folder / f"{stem}.wav").is_file():
            words = ear.hear(read_audio(folder / f"{stem}.wav"))
            chunks = [{"text": text, "timestamp": [round(a, 3), round(b, 3)]} for text, a, b in words]
            made = {"text": " ".join(text for text, _, _ in words), "chunks": chunks, "ear": ear.name}
            write_json(folders[0] / f"{stem}.json", made)
            return made
    return None


def _kept(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged: it can not be read as JSON.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is no transcript.")
    return {"text": " ".join(text.strip() for text, _, _ in chunks_of(content))} | content


def _length_of(source: Path) -> float | None:
    """Seconds of the input, where it is there to be compared with."""
    try:
        return sound_seconds(source) if source.is_file() else None
    except UserError:
        return None
