"""Somebody else's corpus in moshi-finetune's layout → ours: 24 kHz, pieces of bearable length, a voice sample each.

That layout has a manifest of `{"path", "duration"}` and, beside each stereo sound (left the agent), a JSON with
`alignments` of `[word, [start, end], speaker]`. It knows no role, no voice sample and no turns: the role stays empty
unless the JSON has one, the sample is cut from the agent's own longest speech, turns are what silences divide.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from tqdm import tqdm

from personaplex.audio import pad_to_frames
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.speech.tts import words_of
from personaplex.synth.files import (
    AGENT,
    MANIFEST,
    USER,
    VOICE_SECONDS,
    begin,
    entry,
    read_json,
    write_audio,
    write_text,
)
from personaplex.synth.summary import summarise
from personaplex.synth.workers import workers

LONGEST = 60.0  # s; a longer dialogue is cut where both are silent longest, in the second half of that
LEAST_VOICE = 1.0  # s of the agent's speech in a row, without which there is no voice to learn
_SILENCE = 0.8  # s without a word that end a turn
_NAMED = 5  # sounds that could not be read, by name in the statistics


@dataclass(frozen=True)
class _Mark:
    """A word on the clock of its sound, in seconds."""

    text: str
    start: float
    end: float
    who: str


@dataclass(frozen=True)
class Imported:
    """What came of a sound: its pieces with their seconds, or why there are none."""

    pieces: tuple[tuple[str, float], ...]
    problem: str = ""


def import_corpus(source: Path, folder: Path, jobs: int = 1, progress: bool = True) -> dict[str, Any]:
    """Write `source`, of another's making, as a corpus of ours; called again it goes on where it was.

    Args:
        source: a folder with `data.jsonl`, or such a file of another name.
        folder: of the corpus to write.
        jobs: processes.
        progress: show it.

    Returns:
        The statistics; `skipped` says what could not be used, and why.

    Raises:
        UserError: when there is no manifest, none of its sounds can be used, or the folder holds another corpus.
    """
    manifest = source / MANIFEST if source.is_dir() else source
    paths = _listed(manifest)
    plan = {"imported": str(manifest.resolve())}
    begin(folder, plan)
    problems: list[str] = []
    pieces: list[tuple[str, float]] = []
    with workers(jobs) as pool:
        made = pool.in_order(functools.partial(_import_numbered, manifest.parent, folder), enumerate(paths, start=1))
        for path, one in zip(paths, tqdm(made, total=len(paths), desc="sounds", disable=not progress), strict=True):
            pieces += one.pieces
            problems += [f"{path}: {one.problem}"] if one.problem else []
    if not pieces:
        raise UserError(f"None of the {len(paths)} sounds of {manifest} can be used; the first, {problems[0]}.")
    write_text(folder / MANIFEST, "".join(entry(*piece) for piece in pieces))
    skipped = {"skipped": len(problems), "for_example": problems[:_NAMED]} if problems else {}
    return summarise(folder, [name for name, _ in pieces], plan | skipped)


def _listed(manifest: Path) -> list[str]:
    """The paths of a manifest."""
    try:
        lines = [line for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]
        paths = [str(json.loads(line)["path"]) for line in lines]
    except OSError as error:
        raise UserError(
            f"{manifest} cannot be read; a corpus to import has a {MANIFEST} with a path and a duration a line."
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f'{manifest} is no manifest: each line must be {{"path": …, "duration": …}}.') from error
    if not paths:
        raise UserError(f"{manifest} names no sounds.")
    return paths


def _import_numbered(root: Path, folder: Path, item: tuple[int, str]) -> Imported:
    number, path = item
    first = folder / f"audio/{number:06d}_0.json"
    if first.exists():  # it is written last
        names = [f"audio/{number:06d}_{at}" for at in range(read_json(first)["pieces"])]
        return Imported(tuple((f"{n}.flac", float(read_json(folder / f"{n}.json")["duration"])) for n in names))
    try:
        return _import(root / path, folder, number)
    except (OSError, soundfile.LibsndfileError) as error:
        return Imported((), f"it cannot be read ({getattr(error, 'strerror', None) or error})")
    except (ValueError, LookupError, TypeError):
        return Imported((), "the JSON beside it has no alignments of [word, [start, end], speaker]")


def _import(path: Path, folder: Path, number: int) -> Imported:
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if sound.shape[1] != 2:
        return Imported((), f"it has {sound.shape[1]} channels, not the agent's and the user's")
    if rate != SAMPLE_RATE:
        sound = soxr.resample(sound, rate, SAMPLE_RATE)
    meta = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    words = _marks(meta["alignments"], len(sound) / SAMPLE_RATE)
    start, end = _longest_speech([word for word in words if word.who == AGENT])
    if end - start < LEAST_VOICE:
        return Imported((), f"its agent never speaks for {LEAST_VOICE:g} s in a row")
    # No underscore but the last: what stands before it is the voice's name, and here every sound has one of its own.
    voice = f"voices/{number:06d}_0.flac"
    write_audio(folder / voice, sound[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE), 0])
    shared = {"role": str(meta.get("role", "")), "voice_prompt": voice, "scenario": "imported", "source": path.name}
    pieces: list[tuple[str, dict[str, Any]]] = []
    for at, (left, right) in enumerate(_cuts(words, len(sound) / SAMPLE_RATE)):
        part = sound[int(left * SAMPLE_RATE) : int(right * SAMPLE_RATE)]
        padded = np.stack([pad_to_frames(channel) for channel in part.T], axis=1)
        name = f"audio/{number:06d}_{at}"
        write_audio(folder / f"{name}.flac", padded)
        own = [word for word in words if left <= word.start < right]
        record = shared | {
            "alignments": [
                [w.text, [round(w.start - left, 3), round(min(w.end, right) - left, 3)], w.who] for w in own
            ],
            "turns": _turns(own, left),
            "duration": len(padded) / SAMPLE_RATE,
        }
        pieces.append((name, record))
    for name, record in reversed(pieces):
        write_text(folder / f"{name}.json", json.dumps(record | {"pieces": len(pieces)}))
    return Imported(tuple((f"{name}.flac", record["duration"]) for name, record in pieces))


def _marks(alignments: Sequence[Any], seconds: float) -> list[_Mark]:
    """The words in order, inside the sound; whoever is not the agent is the user."""
    found = []
    for text, (start, end), who in alignments:
        start, end = max(float(start), 0.0), min(float(end), seconds)
        if words_of(str(text)) and start < end:
            found.append(_Mark(str(text).strip(), start, end, AGENT if who == AGENT else USER))
    return sorted(found, key=lambda word: word.start)


def _longest_speech(words: Sequence[_Mark]) -> tuple[float, float]:
    """Start and end of the longest speech without a pause, at most as long as a voice sample is."""
    best = (0.0, 0.0)
    for turn in _stretches(words):
        start, end = turn[0].start, max(word.end for word in turn)
        if end - start > best[1] - best[0]:
            best = (start, end)
    return best[0], min(best[1], best[0] + VOICE_SECONDS[1])


def _stretches(words: Sequence[_Mark]) -> Iterator[list[_Mark]]:
    """One speaker's words, divided where a silence is long."""
    stretch: list[_Mark] = []
    for word in words:
        if stretch and word.start - max(before.end for before in stretch[-2:]) > _SILENCE:
            yield stretch
            stretch = []
        stretch.append(word)
    if stretch:
        yield stretch


def _turns(words: Sequence[_Mark], origin: float) -> list[dict[str, Any]]:
    """Turns as corpora have them, in order of their start; their times count from `origin`."""
    turns = [
        {
            "who": name,
            "start": round(stretch[0].start - origin, 3),
            "end": round(max(word.end for word in stretch) - origin, 3),
            "text": " ".join(word.text for word in stretch),
            "kind": "speech",
        }
        for name, who in (("agent", AGENT), ("user", USER))
        for stretch in _stretches([word for word in words if word.who == who])
    ]
    return sorted(turns, key=lambda turn: float(turn["start"]))


def _cuts(words: Sequence[_Mark], seconds: float) -> Iterator[tuple[float, float]]:
    """Pieces of at most `LONGEST`, cut in the middle of the longest silence of both."""
    start = 0.0
    while seconds - start > LONGEST:
        edges = [start + LONGEST / 2]
        silences = []
        for word in (word for word in words if start < word.end and word.start < start + LONGEST):
            if word.start > max(edges):
                silences.append((word.start - max(edges), (word.start + max(edges)) / 2))
            edges.append(word.end)
        last = start + LONGEST
        if max(edges) < last:
            silences.append((last - max(edges), (last + max(edges)) / 2))
        cut = max(silences)[1] if silences else last
        yield start, cut
        start = cut
    yield start, seconds
