"""A run: systems answer cases, benchmarks score the answers, a report is written; killed, it goes on where it was.

Everything lies in one folder: `{system}/{case id}/` holds an answer, `results.json` all figures and samples,
`report.html` the page. Knows no metric and no model.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from personaplex.audio import sound_seconds
from personaplex.bench.records import OUTPUT_WAV, Case, Result, Sample, System, write_json
from personaplex.bench.report import write_report
from personaplex.bench.systems.files import ERROR_JSON
from personaplex.errors import UserError

RESULTS_JSON = "results.json"
MADE_JSON = "made.json"  # from what an answer was made
Outputs = Callable[[Case], Path]


@dataclass(frozen=True)
class Suite:
    """One benchmark with its cases.

    Attributes:
        name: `duplex`, `service` or `voice`.
        cases: to be answered.
        score: a system and where its outputs lie, to its result.
        problems: what was wrong with the data itself; they become samples of every result.
    """

    name: str
    cases: Sequence[Case]
    score: Callable[[System, Outputs], Result]
    problems: Sequence[Sample] = field(default=())


Results = dict[str, dict[str, Result]]


def run(
    systems: Sequence[System], suites: Sequence[Suite], out: Path, meta: Mapping[str, Any], progress: bool | None = None
) -> tuple[Results, Path]:
    """Answer, score and report.

    An answer that is there already is kept if it was made from the same recording, role and voice by the same system.

    Args:
        systems: each measured by all suites, in this order.
        suites: the benchmarks.
        out: the run's folder.
        meta: what the report shall say, such as `seed` and `data`.
        progress: whether to draw bars; None where stderr is a terminal.

    Returns:
        System → benchmark → result, and the report's path.

    Raises:
        UserError: when two systems have one name, or a scorer lacks what it needs.
    """
    names = [system.name for system in systems]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"Two systems are called {name!r}; measure them into two folders.")
    for system in systems:
        given = getattr(system, "path", None)  # of outputs made elsewhere
        if given is not None and given.resolve() == (out / system.name).resolve():
            raise UserError(f"The outputs in {given} would be overwritten; choose another --out.")
    hidden = None if progress is None else not progress
    results: Results = {}
    for system in systems:
        outputs = functools.partial(output_folder, out, system)
        for suite in suites:
            answer(system, suite, outputs, hidden)
            result = suite.score(system, outputs)
            result.samples.extend(suite.problems)
            results.setdefault(system.name, {})[suite.name] = result
            write_json(out / RESULTS_JSON, _as_json(results, systems, meta))
    inputs = {case.id: case.source for suite in suites for case in suite.cases}
    told = {**meta, "systems": {system.name: system.describe() for system in systems}, "inputs": inputs}
    return results, write_report(out, results, told)


def output_folder(out: Path, system: System, case: Case) -> Path:
    """Where a system's answer to a case lies."""
    return out / system.name / case.id


def answer(system: System, suite: Suite, outputs: Outputs, hidden: bool | None = None) -> int:
    """Have a system answer those cases of a suite that it has not; returns how many these were."""
    due: list[Case] = []
    origins: dict[str, dict[str, Any]] = {}
    for case in suite.cases:
        origin = _origin(system, case)
        if not _is_made(outputs(case), origin):
            _clear(outputs(case))
            due.append(case)
            origins[case.id] = origin
    if not due:
        return 0
    seconds = {case.id: _seconds(case) for case in due}
    total = round(sum(seconds.values()), 1)
    with tqdm(total=total, desc=f"{system.name}: {suite.name}", unit="s", disable=hidden, leave=False) as bar:
        for case in system.answer(due, outputs):
            write_json(outputs(case) / MADE_JSON, origins[case.id])
            bar.update(seconds[case.id])
    return len(due)


def published_shape(results: Mapping[str, Mapping[str, Result]], meta: Mapping[str, Any]) -> dict[str, Any]:
    """What `--json` writes: of the first system each benchmark's scores under its name, `meta` and `problems`.

    Several systems stand under `systems` as well, each in the same shape without `meta`.
    """
    told = {name: _one(by_name) for name, by_name in results.items()}
    first: dict[str, Any] = next(iter(told.values()), {"problems": []})
    return first | {"meta": dict(meta)} | ({"systems": told} if len(told) > 1 else {})


def _one(by_name: Mapping[str, Result]) -> dict[str, Any]:
    samples = [sample for result in by_name.values() for sample in result.problems]
    problems = [{"id": sample.id, "problem": sample.problem} for sample in samples]
    return {name: result.scores for name, result in by_name.items()} | {
        "ears": {name: result.ears for name, result in by_name.items()},
        "problems": problems,
    }


def _as_json(results: Results, systems: Sequence[System], meta: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "meta": {**meta, "systems": {system.name: system.describe() for system in systems if system.name in results}},
        "results": {
            system: {name: result.to_json() for name, result in by_name.items()} for system, by_name in results.items()
        },
    }


def _origin(system: System, case: Case) -> dict[str, Any]:
    """From what an answer is made, as JSON has it."""
    voice = case.voice
    if voice is not None and Path(voice).is_file():
        voice = _digest(Path(voice))
    origin = {"system": system.describe(), "input": _digest(case.source), "role": case.role, "voice": voice}
    if state := getattr(system, "state", None):  # of outputs made elsewhere: they may have changed
        origin["files"] = state(case)
    made: dict[str, Any] = json.loads(json.dumps(origin))
    return made


def _is_made(folder: Path, origin: Mapping[str, Any]) -> bool:
    if not any((folder / name).is_file() for name in (OUTPUT_WAV, ERROR_JSON)) and "files" not in origin:
        return False
    with suppress(OSError, ValueError):
        return bool(json.loads((folder / MADE_JSON).read_text(encoding="utf-8")) == origin)
    return False


def _clear(folder: Path) -> None:
    """Remove the files of an answer that no longer counts; another case's folder may lie inside."""
    if folder.is_dir():
        for path in folder.iterdir():
            if path.is_file():
                path.unlink()


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _seconds(case: Case) -> float:
    """Of its recording, for the progress bar alone."""
    try:
        return sound_seconds(case.source)
    except UserError:
        return 0.0
