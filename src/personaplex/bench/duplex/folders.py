"""Full-Duplex-Bench's folders as cases: v1 (five tasks) and v1.5 (four categories of overlapping speech).

Knows names and annotations of files (the data sets' README). Does not know how anything is scored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from personaplex.bench.duplex.answers import expected
from personaplex.bench.records import OUTPUT_JSON, OUTPUT_WAV, TOKENS_JSON, Case, Sample
from personaplex.errors import UserError

BENCHMARK = "duplex"
PAUSES = ("synthetic_pause_handling", "candor_pause_handling")
TURN, BACKCHANNEL, INTERRUPTION = "candor_turn_taking", "icc_backchannel", "synthetic_user_interruption"
OVERLAPS = ("user_interruption", "user_backchannel", "talking_to_other", "background_speech")  # v1.5
TASKS = (*PAUSES, TURN, BACKCHANNEL, INTERRUPTION, *OVERLAPS)
INPUT_WAV, CLEAN_INPUT_WAV = "input.wav", "clean_input.wav"
CLEAN_OUTPUT = "clean_output"  # .wav and .json, beside the others or in the clean case's own folder

_VERSIONS = ("", "v1_0", "v1_5", "v1.0", "v1.5")  # where the task folders may lie below the folder that is given
_ANNOTATION = {
    **dict.fromkeys(PAUSES, "pause.json"),
    TURN: "turn_taking.json",
    INTERRUPTION: "interrupt.json",
    **dict.fromkeys(OVERLAPS, "metadata.json"),
}
_TRANSCRIPTION = "transcription.json"
_MADE = {  # what systems, ears and the published scripts leave beside the data
    OUTPUT_WAV, OUTPUT_JSON, TOKENS_JSON, f"{CLEAN_OUTPUT}.wav", f"{CLEAN_OUTPUT}.json", "input.json", "error.json",
    "clean_input.json", "rating.json", "content_tag.json", "latency_intervals.json", "general_split.json",
}  # fmt: skip


class _Malformed(Exception):
    """What an annotation lacks."""


def read_cases(data: Path, sound: bool = True) -> tuple[list[Case], list[Sample]]:
    """Read a folder of Full-Duplex-Bench.

    A v1.5 sample is two cases: the recording with the overlapping speech, and `clean_case` of it.

    Args:
        data: holds the task folders, or folders `v1_0` and `v1_5` that do. Tasks may be absent.
        sound: whether the recordings are needed; not so where outputs are only scored.

    Returns:
        The cases, in a fixed order, and a sample with a `problem` for each thing that is wrong: a file missing or
        extra, a folder whose name is no number, a malformed annotation. What stands beside a case that can still be
        scored has an id of its own below the case's.

        `Case.truth` holds, in seconds, `pauses` `[[start, end]]`; `turn` `[start, end]`; the texts `context` and
        `interrupt` with `span` `[start, end]`; for v1.5 the texts `context` and `overlap` with `span`; and where there
        is a transcription `user_words` `[[text, start, end]]`.

    Raises:
        UserError: when there is no task folder at all.
    """
    roots = [folder for name in _VERSIONS if (folder := data / name).is_dir()]
    cases: list[Case] = []
    problems: list[Sample] = []
    found: set[str] = set()
    for root in roots:
        for folder in _visible(root):
            if folder.name in found:
                problems.append(_problem(folder.name, f"{folder} stands twice; only the first one is read."))
            elif folder.name in TASKS and folder.is_dir():
                found.add(folder.name)
                _read_task(folder, sound, cases, problems)
            elif folder.is_dir() and folder not in roots:
                problems.append(
                    _problem(folder.name, f"{folder.name} is no task of Full-Duplex-Bench; it is left out.")
                )
    if not found:
        raise UserError(
            f"{data} holds no task folder of Full-Duplex-Bench; name the folder that holds {TURN} or others."
        )
    return sorted(cases, key=lambda case: (TASKS.index(case.task), int(case.name.split("/")[0]), case.name)), problems


def clean_case(case: Case) -> Case:
    """The recording of a v1.5 case without the overlapping speech: answered too, but without a score of its own."""
    source = case.source.with_name(CLEAN_INPUT_WAV)
    return replace(case, name=f"{case.name}/clean", source=source, truth={"clean_of": case.id})


def is_clean(case: Case) -> bool:
    """Whether it is a `clean_case`."""
    return "clean_of" in case.truth


def outputs_in(folder: Path) -> Callable[[Case], Path]:
    """Where a case's output lies in a folder of the data's own layout: `{task}/{ID}` in it or in its `v1_0`, `v1_5`."""

    def find(case: Case) -> Path:
        places = [folder / name / case.task / case.name for name in _VERSIONS]
        return next((place for place in places if place.parent.is_dir()), places[0])

    return find


def read_distribution(path: Path) -> dict[str, list[float]]:
    """The ground truth of when people give backchannels: folder name → histogram (icc_gt_distribution.json, 55 keys).

    Raises:
        UserError: when it is missing or is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        table = {str(name): [float(share) for share in row] for name, row in content.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f'{path} is no ground truth: it must be JSON {{"0": [share, …], …}}, a list a folder.'
        ) from error
    for name, row in table.items():
        if not row or not all(math.isfinite(share) and share >= 0 for share in row) or not sum(row) > 0:
            raise UserError(f"{path}: the list of {name!r} is no distribution; it needs shares that sum to 1.")
    return table


def _read_task(folder: Path, sound: bool, cases: list[Case], problems: list[Sample]) -> None:
    task = folder.name
    for place in _visible(folder):
        if not place.is_dir():
            problems.append(
                _problem(f"{task}/{place.name}", f"{place.name} is an extra file in {task}; it is ignored.")
            )
        elif not (place.name.isascii() and place.name.isdigit()):
            text = f"{place.name} is no number, so the folder is no sample of {task}; it is left out."
            problems.append(_problem(f"{task}/{place.name}", text))
        else:
            _read_sample(place, task, sound, cases, problems)


def _read_sample(place: Path, task: str, sound: bool, cases: list[Case], problems: list[Sample]) -> None:
    case = Case(BENCHMARK, task, place.name, place / INPUT_WAV)
    known = _MADE | {INPUT_WAV, CLEAN_INPUT_WAV, "context.wav", "interrupt.wav", _TRANSCRIPTION, _ANNOTATION.get(task)}
    for file in _visible(place):
        if file.name not in known and not (file.is_dir() and file.name == "clean"):
            problems.append(
                _problem(f"{task}/{place.name}/{file.name}", f"{file.name} is an extra file; it is ignored.")
            )
    if sound and not case.source.is_file():
        problems.append(_problem(f"{task}/{place.name}", f"{INPUT_WAV} is missing, so the sample is left out."))
        return
    try:
        truth = _truth(place, task)
    except _Malformed as error:
        if task not in PAUSES:  # their score needs no annotation
            problems.append(_problem(f"{task}/{place.name}", f"{error}, so the sample is left out."))
            return
        problems.append(_problem(f"{task}/{place.name}/{_ANNOTATION[task]}", f"{error}; the sample is scored without."))
        truth = {}
    try:
        truth |= _transcription(place / _TRANSCRIPTION)
    except _Malformed as error:
        problems.append(_problem(f"{task}/{place.name}/{_TRANSCRIPTION}", f"{error}; the sample is scored without."))
    case = replace(case, truth=truth)
    cases.append(case)
    if task in OVERLAPS:
        clean = clean_case(case)
        if clean.source.is_file() or not sound:
            cases.append(clean)
        else:
            text = f"{CLEAN_INPUT_WAV} is missing, so the sample gets no behaviour label."
            problems.append(_problem(f"{task}/{place.name}/{CLEAN_INPUT_WAV}", text))


def _truth(place: Path, task: str) -> dict[str, Any]:
    if task not in _ANNOTATION:
        return {}
    name = _ANNOTATION[task]
    content = _json(place / name)
    try:
        if task in PAUSES:
            return {"pauses": [_span(item["timestamp"]) for item in _list(content)]}
        if task == TURN:
            return {"turn": _span(_list(content)[0]["timestamp"])}
        if task == INTERRUPTION:
            first = _list(content)[0]
            texts = {"context": _text(first["context"]), "interrupt": _text(first["interrupt"])}
            return texts | {"span": _span(first["timestamp"]), "answer": expected(first)}
        texts = {"context": _text(content["context_text"]), "overlap": _text(content["current_turn_text"])}
        return texts | {"span": _span(content["timestamps"])}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise _Malformed(f"{name} is malformed ({type(error).__name__}: {error})") from error


def _transcription(path: Path) -> dict[str, Any]:
    """The user's words with times, however the list is nested; a file that is absent tells nothing."""
    return {"user_words": list(_words(_json(path)))} if path.exists() else {}


def _words(content: Any) -> Iterator[list[Any]]:
    if isinstance(content, list):
        for item in content:
            yield from _words(item)
    elif isinstance(content, dict):
        if isinstance(content.get("text"), str) and "timestamp" in content:
            try:
                yield [content["text"].strip(), *_span(content["timestamp"])]
            except (TypeError, ValueError):
                return
        for item in content.values():
            if isinstance(item, (list, dict)):
                yield from _words(item)


def _span(value: Any) -> list[float]:
    if not isinstance(value, list) or len(value) != 2 or any(isinstance(time, (bool, str)) for time in value):
        raise ValueError("a timestamp is two numbers")
    start, end = float(value[0]), float(value[1])
    if not (math.isfinite(start) and math.isfinite(end) and start <= end):
        raise ValueError("a timestamp is a start and an end")
    return [start, end]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("it is no list")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is no string")
    return value


def _json(path: Path) -> Any:
    if not path.is_file():
        raise _Malformed(f"{path.name} is missing")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _Malformed(f"{path.name} is no JSON") from error


def _visible(folder: Path) -> list[Path]:
    """What lies in a folder, hidden files and read-mes left out, as the published scripts do."""
    return sorted(item for item in folder.iterdir() if not item.name.startswith(".") and item.suffix != ".md")


def _problem(path: str, text: str) -> Sample:
    return Sample(f"{BENCHMARK}/{path}", problem=text)
