"""Figures laid out as tables: this run's systems above, the published ones below. Knows no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from personaplex.bench.published import PUBLISHED, Table
from personaplex.bench.records import Figure, Result

Results = Mapping[str, Mapping[str, Result]]  # system → benchmark → result
_NAMES = {"tor": "TOR", "jsd": "JSD"}
_UNITS = {"_s": "s", "_hz": "/s"}
_TITLES = {
    "duplex": "How it listens, yields and speaks",
    "service": "How it keeps its role",
    "voice": "Whether it has the voice asked for",
    "talk": "How it holds a whole conversation",
}
_READING = {
    "duplex": (
        "TOR is the share of samples where the system takes the turn: wanted at a turn's end and at an interruption, "
        "unwanted in a pause and while the user tells a story. A silent system is perfect on pauses and backchannels, "
        "one that always talks on turns and interruptions: read them beside one another. TOR depends on the ASR."
    ),
    "talk": (
        "Silent is the share of the user's speaking time in which the system is silent; a turn is held if it is silent "
        "for four fifths of it or more and begins to answer within 2 s. A system that never stops begins no answer, "
        "though it speaks. The word error rate of its own speech is against its own text; beyond TTS is what is left "
        "after taking off that of the synthesiser in its place, with the same ear. TTS figures are those of that "
        "synthesiser: about the best that can be had."
    ),
}


@dataclass(frozen=True)
class Column:
    """One metric of one task."""

    task: str
    metric: str
    name: str
    unit: str
    better: str
    top: float  # the end of its scale, which begins at 0 or at `bottom`
    bottom: float = 0.0

    def written(self, value: float) -> str:
        """A figure as it is written: marks with two decimals, shares and short times with three."""
        return f"{value:.{2 if self.unit.startswith('of ') or self.top >= 10 else 3}f}"

    def part(self, value: float) -> float:
        """Where on the scale a value lies, 0 to 100."""
        return round(min(max((value - self.bottom) / (self.top - self.bottom), 0.0), 1.0) * 100, 2)


@dataclass(frozen=True)
class Row:
    """One system's figures, one for each column, None where it has none."""

    system: str
    note: str
    cells: list[Figure | None]


@dataclass(frozen=True)
class Sheet:
    """A table of the report.

    Attributes:
        benchmark: whose figures.
        title: of the table.
        columns: grouped by task.
        tasks: task as written → its number of columns, in order.
        ours: this run's systems.
        theirs: the published ones, on other data or with other ears.
        table: where the published ones come from; None without any.
        ears: what heard and judged this run → the systems it did so for.
        reading: how to read it; may be empty.
    """

    benchmark: str
    title: str
    columns: list[Column]
    tasks: list[tuple[str, int]]
    ours: list[Row]
    theirs: list[Row]
    table: Table | None
    ears: dict[str, list[str]]
    reading: str = ""


def sheets(results: Results) -> list[Sheet]:
    """The report's tables: for each benchmark what has a published counterpart, then the further figures."""
    found = []
    for benchmark in dict.fromkeys(name for by_name in results.values() for name in by_name):
        ours = {system: by_name[benchmark] for system, by_name in results.items() if benchmark in by_name}
        pairs = dict.fromkeys(
            (task, metric) for result in ours.values() for task, row in result.figures.items() for metric in row
        )
        table = PUBLISHED.get(benchmark)
        known = {
            (task, metric) for row in (table.rows if table else ()) for task, f in row.figures.items() for metric in f
        }
        title = _TITLES.get(benchmark, spoken(benchmark))
        beside = [pair for pair in pairs if pair in known]
        further = [pair for pair in pairs if pair not in known]
        if beside:
            found.append(_sheet(benchmark, title, beside, ours, table))
        if further:
            found.append(_sheet(benchmark, f"{title}: further figures" if beside else title, further, ours, None))
    return found


def _sheet(
    benchmark: str, title: str, pairs: list[tuple[str, str]], ours: Mapping[str, Result], table: Table | None
) -> Sheet:
    tasks = list(dict.fromkeys(task for task, _ in pairs))
    pairs = sorted(pairs, key=lambda pair: tasks.index(pair[0]))
    rows = [
        Row(system, "", [result.figures.get(task, {}).get(metric) for task, metric in pairs])
        for system, result in ours.items()
    ]
    theirs = []
    for published in table.rows if table else ():
        values = [published.figures.get(task, {}).get(metric) for task, metric in pairs]
        if any(value is not None for value in values):
            cells = [None if value is None else Figure(value) for value in values]
            theirs.append(Row(published.system, published.source, cells))
    columns = [
        _column(pair, [row.cells[at] for row in rows], [row.cells[at] for row in theirs])
        for at, pair in enumerate(pairs)
    ]
    ears: dict[str, list[str]] = {}
    for system, result in ours.items():
        ears.setdefault(_listing(result.ears), []).append(system)
    spans = [(spoken(task), sum(pair[0] == task for pair in pairs)) for task in tasks]
    return Sheet(
        benchmark,
        title,
        columns,
        spans,
        rows,
        theirs,
        table,
        ears,
        _READING.get(benchmark, "") if title == _TITLES.get(benchmark) else "",
    )


def _column(pair: tuple[str, str], ours: Iterable[Figure | None], theirs: Iterable[Figure | None]) -> Column:
    measured = [figure for figure in ours if figure is not None]
    unit, better = (measured[0].unit, measured[0].better) if measured else ("", "higher")
    ends = [
        end
        for figure in (*measured, *filter(None, theirs))
        for end in (figure.value, figure.low, figure.high)
        if end is not None
    ]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    if low >= 0 and (unit.startswith("of ") or (not unit and high <= 1)):
        high = float(unit[3:] or 1)  # the whole scale of a share, or of marks `of 5`
    name, spelt = metric(pair[1])
    return Column(*pair, name, unit or spelt, better, high if high > low else low + 1.0, low)


def metric(name: str) -> tuple[str, str]:
    """A metric's name as it is written, and its unit where the name ends with one."""
    unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")
    bare = name[: name.rindex("_")] if unit else name
    return _NAMES.get(bare) or spoken(bare), unit


def spoken(name: str) -> str:
    """A name of a task, metric or benchmark as a person writes it."""
    return name.replace("_", " ")


def _listing(items: Mapping[str, Any]) -> str:
    return ", ".join(f"{spoken(name)} {value}" for name, value in items.items()) or "not named"
