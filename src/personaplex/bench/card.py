"""The table that a model card carries: what is wanted, what was measured, and whether that is enough.

Reads finished results; measures nothing. The floors stand here and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personaplex.bench.cost import Cost
from personaplex.bench.duplex.folders import BACKCHANNEL, INTERRUPTION, PAUSES, TURN
from personaplex.bench.records import Figure, Result
from personaplex.bench.run import RESULTS_JSON
from personaplex.bench.talk.folders import DIALOGUE, LONG, RECORDING
from personaplex.bench.voice import CHOICE
from personaplex.errors import UserError

PERCENT, SECONDS, PLAIN, POINTS, MEGABYTES = "%", "s", "", "points", "MB"
_FACTORS = {PERCENT: 100.0, POINTS: 100.0, MEGABYTES: 1e-6}


@dataclass(frozen=True)
class Want:
    """A line of the table.

    Attributes:
        what: as the card calls it.
        benchmark, task, metric: whose figure it is.
        floor: the least that will do, or the most where `most`; None for a figure that is only reported.
        most: whether less is better.
        unit: in which it is written.
    """

    what: str
    benchmark: str
    task: str
    metric: str
    floor: float | None
    most: bool = False
    unit: str = PLAIN


@dataclass(frozen=True)
class Row:
    """A line with what was measured; `met` is None where nothing was, or nothing is asked."""

    want: Want
    figure: Figure
    met: bool | None
    note: str = ""


def _most(what: str, benchmark: str, task: str, metric: str, floor: float, unit: str = PLAIN) -> Want:
    return Want(what, benchmark, task, metric, floor, True, unit)


_PAUSE_NAMES = {"synthetic_pause_handling": "pauses, synthetic: TOR", "candor_pause_handling": "pauses, hesitant: TOR"}
WANTS: tuple[Want, ...] = (
    Want("turn-taking: TOR", "duplex", TURN, "tor", 0.95),
    _most("turn-taking: mean latency", "duplex", TURN, "latency_s", 0.5, SECONDS),
    *(_most(_PAUSE_NAMES[task], "duplex", task, "tor", 0.20) for task in PAUSES),
    Want("interruption: TOR", "duplex", INTERRUPTION, "tor", 0.95),
    Want("interruption: answers the interrupting question", "duplex", INTERRUPTION, "answered", 0.80, unit=PERCENT),
    _most("interruption: stops speaking within", "duplex", INTERRUPTION, "stops_within_s", 0.5, SECONDS),
    _most("backchannel: TOR", "duplex", BACKCHANNEL, "tor", 0.25),
    Want("backchannel: frequency, a second", "duplex", BACKCHANNEL, "frequency_hz", 0.04),
    _most("backchannel: JSD", "duplex", BACKCHANNEL, "jsd", 0.65),
    Want("service: facts right (Q0 to Q2)", "service", "all", "facts", 0.80, unit=PERCENT),
    Want("service: refused properly (Q3, Q5, Q6)", "service", "all", "refused", 0.80, unit=PERCENT),
    Want("service: wrong details corrected", "service", "all", "corrected", 0.60, unit=PERCENT),
    _most("what it heard: word error rate", "talk", DIALOGUE, "heard_wer", 0.15, PERCENT),
    Want("what it heard of recordings: word error rate", "talk", RECORDING, "heard_wer", None, True, PERCENT),
    _most("its own speech: word error rate beyond the TTS's", "talk", DIALOGUE, "beyond_tts", 0.10, POINTS),
    Want("voice: similarity over that of the codec's copy", "voice", "all", "relative", 0.9),
    Want(f"voice: the right one chosen among {CHOICE}", "voice", "all", "identified", 0.60, unit=PERCENT),
    Want("long talk: turns silent while spoken to", "talk", LONG, "silent_turns", 0.90, unit=PERCENT),
    Want("long talk: last questions right, in role", "talk", LONG, "facts_at_the_end", 0.90, unit=PERCENT),
)
SIZE = _most("size on disk", "cost", "all", "bytes", 40e6, MEGABYTES)
COST = _most("CPU cost of a conversation on one core, of real time", "cost", "all", "share", 0.25)


def read_results(folders: Sequence[Path], system: str, sha256: str = "") -> dict[str, Result]:
    """What finished runs found of one system: benchmark → result, of a later folder where two have it.

    Args:
        folders: of the runs.
        system: its name there.
        sha256: of its weights now; "" where that is not known.

    Raises:
        UserError: when a folder holds no results, they are damaged, none is of the system, or its weights were others.
    """
    found: dict[str, Result] = {}
    for folder in folders:
        path = folder / RESULTS_JSON
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            measured = content["meta"].get("systems", {}).get(system, {}).get("sha256")
            part = {name: Result.from_json(result) for name, result in content["results"].get(system, {}).items()}
        except FileNotFoundError as error:
            raise UserError(f"{folder} holds no {RESULTS_JSON}: run personaplex bench with --out {folder}.") from error
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise UserError(f"{path} is damaged; run personaplex bench again.") from error
        if part and sha256 and measured != sha256:
            raise UserError(f"{path} was measured with other weights of {system}; run personaplex bench again.")
        found |= part
    if not found:
        raise UserError(f"{', '.join(map(str, folders))} holds no results of {system}.")
    return found


def rows(results: Mapping[str, Result], cost: Cost | None = None) -> list[Row]:
    """The table.

    Args:
        results: benchmark → what it gave; what is missing is a row without a figure.
        cost: of the model, where it was measured.
    """
    table = [_row(want, results) for want in WANTS]
    spent = [(SIZE, float(cost.bytes)), (COST, cost.share)] if cost else []
    return table + [Row(want, Figure(value), _meets(want, value)) for want, value in spent]


def _row(want: Want, results: Mapping[str, Result]) -> Row:
    result = results.get(want.benchmark)
    if result is None:
        return Row(want, Figure(None), None, f"bench {want.benchmark} was not run")
    figure = result.figures.get(want.task, {}).get(want.metric)
    if figure is None or figure.value is None:
        return Row(want, Figure(None), None, _why_not(want, result))
    note = ""
    if want.metric == "identified" and result.scores.get("choice") != CHOICE:
        note = f"among {result.scores.get('choice')}"
    return Row(want, figure, _meets(want, figure.value), note)


def _why_not(want: Want, result: Result) -> str:
    if want.metric == "heard_wer" and result.ears.get("stream of heard words") == "none":
        return "no stream of heard words"
    if want.metric == "stops_within_s":
        return "was never speaking when interrupted"
    return "not measured"


def _meets(want: Want, value: float) -> bool | None:
    if want.floor is None:
        return None
    return value <= want.floor if want.most else value >= want.floor


def markdown(table: Sequence[Row]) -> str:
    """The table as Markdown, with a line that counts what is met."""
    lines = ["| what | measured | 95 % interval | samples | wanted | met |", "|---|---|---|---|---|---|"]
    for row in table:
        want, figure = row.want, row.figure
        interval = "" if figure.low is None else f"{_bare(figure.low, want)} to {_bare(figure.high, want)}"
        value = "–" if figure.value is None else _written(figure.value, want)
        floor = "reported" if want.floor is None else f"{'≤' if want.most else '≥'} {_written(want.floor, want)}"
        met = {True: "yes", False: "no", None: ""}[row.met]
        cells = (
            want.what,
            f"{value} ({row.note})" if row.note else value,
            interval,
            str(figure.count or ""),
            floor,
            met,
        )
        lines.append("| " + " | ".join(cells) + " |")
    asked = [row for row in table if row.want.floor is not None]
    enough = sum(row.met is True for row in asked)
    return (
        "\n".join(lines)
        + f"\n\n{enough} of {len(asked)} are met; {sum(row.met is None for row in asked)} have no figure.\n"
    )


def as_json(table: Sequence[Row], meta: Mapping[str, Any]) -> dict[str, Any]:
    """The table for a file: figures in plain units (shares, seconds, bytes)."""
    told = [
        {
            "what": row.want.what,
            "source": f"{row.want.benchmark}/{row.want.task}/{row.want.metric}",
            "value": row.figure.value,
            "low": row.figure.low,
            "high": row.figure.high,
            "count": row.figure.count,
            "floor": row.want.floor,
            "better": "lower" if row.want.most else "higher",
            "met": row.met,
            "note": row.note,
        }
        for row in table
    ]
    return {"meta": dict(meta), "rows": told}


def _bare(value: float | None, want: Want) -> str:
    scaled = (value or 0.0) * _FACTORS.get(want.unit, 1.0)
    return f"{scaled:.{1 if want.unit in _FACTORS else 2}f}"


def _written(value: float, want: Want) -> str:
    return f"{_bare(value, want)} {want.unit}".strip()
