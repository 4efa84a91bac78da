"""What a sample looks and sounds like: its timeline picture and its stereo sound beside the page."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from personaplex.audio import read_audio
from personaplex.bench.records import Event, Sample, Span, write_json
from personaplex.bench.report.picture import Voice, draw
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE

_BLOCK = 1 << 16  # samples that the Vorbis encoder is given at a time: it keeps them on its stack
_SILENT = 1e-3  # what never exceeds this is not searched for speech


@dataclass(frozen=True)
class Media:
    """What was made for a sample.

    Attributes:
        seconds: length of the clock.
        speech: when the user and when the agent speaks, in seconds.
        sound: whether there is a stereo sound.
    """

    seconds: float
    speech: tuple[Sequence[Span], Sequence[Span]]
    sound: bool


class Recording:
    """A sound file that is read once, when somebody wants to know.

    Args:
        path: None, or not a file, or not sound: then it is silent about everything, for the sample's scorer names that.
    """

    def __init__(self, path: Path | None):
        self.path = path

    @functools.cached_property
    def pcm(self) -> np.ndarray | None:
        """float32 `[n]` at 24 kHz, or None."""
        try:
            return None if self.path is None else read_audio(self.path)
        except UserError:
            return None

    @functools.cached_property
    def speech(self) -> Sequence[Span]:
        """Where there is speech, in seconds."""
        if self.pcm is None or np.abs(self.pcm).max() < _SILENT:
            return ()
        from personaplex.speech.vad import speech_segments

        return speech_segments(self.pcm)


def make(sample: Sample, source: Recording, output: Recording, stem: Path) -> Media:
    """Draw a sample's timeline into `stem`.svg and mix its stereo sound (user left, agent right) into `stem`.ogg.

    What was made before of the same sample and recordings is left as it is.

    Args:
        sample: what came of a case.
        source: the user's recording.
        output: the system's.
        stem: path of both files, without their endings.
    """
    note, key = _named(stem, ".json"), _key(sample, source.path, output.path)
    if (made := _made(note, key)) is not None:
        return made
    ours = Voice(output.pcm, sample.speech or output.speech, sample.words)
    theirs = Voice(source.pcm, source.speech, sample.user_words)
    seconds = _length(theirs, ours, sample.events)
    stem.parent.mkdir(parents=True, exist_ok=True)
    _named(stem, ".svg").write_text(draw(theirs, ours, sample.events, seconds), encoding="utf-8")
    sound = _mix(theirs, ours, _named(stem, ".ogg"))
    media = Media(seconds, (theirs.speech, ours.speech), sound)
    write_json(note, {"key": key} | asdict(media))
    return media


def _key(sample: Sample, *recordings: Path | None) -> str:
    """Changes when the sample, a recording or the way of drawing does."""
    states = []
    for path in recordings:
        try:
            state = path.stat() if path else None
        except OSError:
            state = None
        states.append(state and [str(path), state.st_mtime_ns, state.st_size])
    text = json.dumps([_drawing(), asdict(sample), states], sort_keys=True, default=float)
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _drawing() -> str:
    parts = [files(__package__).joinpath(name).read_bytes() for name in ("media.py", "picture.py", "palette.css")]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _made(note: Path, key: str) -> Media | None:
    """What an earlier report made, if it is still right."""
    try:
        made = json.loads(note.read_text("utf-8"))
        if made.pop("key") == key:
            return Media(made["seconds"], tuple(made["speech"]), made["sound"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # the first time, or a kill in the middle
    return None


def _length(user: Voice, agent: Voice, events: Sequence[Event]) -> float:
    """The sounds' length, or without any that of what is known, at least a second."""
    marks = [word[2] for word in (*user.words, *agent.words)] + [event.end or event.start for event in events]
    return max(user.seconds, agent.seconds) or max([1.0, *marks])


def _mix(user: Voice, agent: Voice, path: Path) -> bool:
    """Write both voices as a stereo OGG, user left, agent right; False where neither has a sound."""
    import soundfile

    voices = [np.zeros(0, np.float32) if voice.pcm is None else voice.pcm for voice in (user, agent)]
    length = max(map(len, voices))
    if not length:
        return False
    stereo = np.stack([np.pad(voice, (0, length - len(voice))) for voice in voices], axis=1)
    partial = _named(path, ".part")
    with soundfile.SoundFile(partial, "w", SAMPLE_RATE, 2, format="OGG", subtype="VORBIS") as file:
        for start in range(0, length, _BLOCK):
            file.write(stereo[start : start + _BLOCK].clip(-1.0, 1.0))
    os.replace(partial, path)
    return True


def _named(stem: Path, ending: str) -> Path:
    """`stem` with an ending more: a case's name may hold dots."""
    return stem.with_name(stem.name + ending)
