"""What benchmarks, systems and reports tell one another: cases to answer, what came of each, figures with intervals.

Plain data that goes to JSON and back. Knows no metric, no model and no page.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

OUTPUT_WAV = "output.wav"  # what a system says: mono, 24 kHz, exactly as long as its input
OUTPUT_JSON = "output.json"  # what an ear hears in it: {"text", "chunks": [{"text", "timestamp": [start, end]}]}
TOKENS_JSON = "own.json"  # the system's own text stream, where it has one: {"text", "pieces", "heard"?, "meta"}
Span = tuple[float, float]


@dataclass(frozen=True)
class Case:
    """One recording to be answered.

    Attributes:
        benchmark: `duplex`, `service` or `voice`.
        task: the part of the benchmark, such as `candor_turn_taking` or `Q3`.
        name: its folder's name within the task.
        source: the user's sound.
        role: the role text; "" for none.
        voice: a packaged voice's name or the path of a sample; None for the system's own.
        truth: what its scorer must know, JSON values only.
    """

    benchmark: str
    task: str
    name: str
    source: Path
    role: str = ""
    voice: str | None = None
    truth: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """`benchmark/task/name`, unique in a run; also the path of its output folder in the run's folder."""
        return f"{self.benchmark}/{self.task}/{self.name}"


class System(Protocol):
    """Something that answers speech with speech."""

    @property
    def name(self) -> str:
        """Its short name, such as `nano` or `cascade`."""

    def describe(self) -> dict[str, Any]:
        """What a reader needs to get the same answers again: model, hash, sampling, seed."""

    def answer(self, cases: Sequence[Case], folder: Callable[[Case], Path]) -> Iterator[Case]:
        """Answer the cases in any order, writing `OUTPUT_WAV` (and `TOKENS_JSON`) into each one's folder.

        Yields:
            Each case once its files are complete. A case that cannot be answered (its recording is damaged) is yielded
            too, with an `error.json` `{"error": one sentence}` in its folder instead.
        """


@dataclass(frozen=True)
class Event:
    """A mark on a sample's timeline: `kind` such as `pause`, `turn end`, `interruption`, `backchannel`, `take-over`."""

    kind: str
    start: float
    end: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Sample:
    """What came of one case.

    Attributes:
        id: the case's.
        metrics: name → number, or None where it is not defined for this sample. Booleans are 0.0 and 1.0.
        badness: 0 for a flawless sample up to 1; the report puts the worst first.
        words: what the ear heard of the system's sound, `(text, start, end)` in seconds.
        user_words: the user's words where they are known.
        events: marks for the timeline.
        speech: the system's speech activity, in seconds.
        notes: short facts for a reader, such as `expected`, `said`, `judge`.
        problem: one sentence if something about its files was wrong; the sample then counts only as a problem unless
            `metrics` is not empty.
    """

    id: str
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    badness: float = 0.0
    words: Sequence[tuple[str, float, float]] = ()
    user_words: Sequence[tuple[str, float, float]] = ()
    events: Sequence[Event] = ()
    speech: Sequence[Span] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True)
class Figure:
    """A number of a report's table.

    Attributes:
        value: None where nothing could be measured.
        low, high: its bootstrap interval of 95 %.
        count: samples that it rests on.
        unit: "" for a share, `s`, `/s`, …
        better: `higher` or `lower`.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    count: int = 0
    unit: str = ""
    better: str = "higher"


@dataclass
class Result:
    """What one benchmark gave for one system.

    Attributes:
        benchmark: `duplex`, `service` or `voice`.
        scores: the published shape of its JSON, as `--json` writes it under the benchmark's name.
        figures: task → metric → figure, for the table.
        samples: one for each case, problems included.
        ears: names of everything that heard or judged: ASR, VAD, judge, speaker encoder.
    """

    benchmark: str
    scores: dict[str, Any]
    figures: dict[str, dict[str, Figure]]
    samples: list[Sample]
    ears: dict[str, str]

    @property
    def problems(self) -> list[Sample]:
        """The samples about which something was wrong."""
        return [sample for sample in self.samples if sample.problem]

    def to_json(self) -> dict[str, Any]:
        """For a file; what is not a number becomes null."""
        return finite(asdict(self))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Result:
        """The inverse of `to_json`."""
        samples = []
        for item in data["samples"]:
            events = [Event(**event) for event in item["events"]]
            words = [tuple(word) for word in item["words"]]
            theirs = [tuple(word) for word in item["user_words"]]
            speech = [tuple(span) for span in item["speech"]]
            samples.append(Sample(**item | {"events": events, "words": words, "user_words": theirs, "speech": speech}))
        figures = {
            task: {name: Figure(**figure) for name, figure in row.items()} for task, row in data["figures"].items()
        }
        return cls(data["benchmark"], dict(data["scores"]), figures, samples, dict(data["ears"]))


def write_json(path: Path, data: Any) -> None:
    """Write JSON whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(finite(data), indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def finite(value: Any) -> Any:
    """`value` with NaN and infinities as None, which JSON can hold."""
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
