"""What a corpus holds, from its JSON files: `stats.json`, the sentences for a tokenizer, and the page to look at.

Reads what every corpus of the layout has; what only ours record is counted where it is there.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from personaplex.speech.tts import words_of
from personaplex.synth.files import read_json, write_text
from personaplex.synth.page import GAP_WIDTH, SNR_WIDTH, page

SPOT_CHECKS = 20
_GAPS = (-0.5, 3.0)  # s; what lies beyond is counted in the outermost bins
_NEW = "new"  # agents that have a voice of their own, together
_BESIDE = ("backchannel", "aside")  # turns that answer nothing


class _Counts:
    """Everything that is counted, one record at a time."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.redrawn = 0
        self.texts: dict[str, None] = {}  # ordered, each once
        self.words: dict[str, Counter[str]] = {"agent": Counter(), "user": Counter()}
        self.of: dict[str, Counter[str]] = {
            name: Counter()
            for name in ("scenarios", "turns", "voices", "user_engines", "writers", "refusals", "noises", "lines")
        }
        self.gaps: dict[str, Counter[float]] = {"agent": Counter(), "user": Counter()}
        self.snr: Counter[float] = Counter()

    def add(self, record: Mapping[str, Any]) -> None:
        self.seconds += record["duration"]
        self.redrawn += record.get("redrawn", 0)
        for name, key in (("scenarios", "scenario"), ("voices", "voice"), ("user_engines", "user_engine"),
                          ("writers", "writer"), ("refusals", "refused")):  # fmt: skip
            if record.get(key):
                self.of[name][_NEW if record[key].startswith("agent-") else record[key]] += 1
        if role := record["role"]:
            self.texts[role] = self.texts[role.lower()] = None
        for turn in record["turns"]:
            self.of["turns"][f"{turn['who']} {turn['kind']}"] += 1
            words = words_of(turn["text"])
            self.words[turn["who"]].update(words)
            if turn["who"] == "agent":
                self.texts[turn["text"]] = self.texts[" ".join(words)] = None
        for who, gap in _gaps(record["turns"]):
            self.gaps[who][_bin(min(max(gap, _GAPS[0]), _GAPS[1]), GAP_WIDTH)] += 1
        if channel := record.get("channel"):
            self.of["noises"][channel["noise"] or "none"] += 1
            self.of["lines"][channel["line"]] += 1
            if channel["snr_db"] is not None:
                self.snr[_bin(channel["snr_db"], SNR_WIDTH)] += 1

    def as_dict(self) -> dict[str, Any]:
        """For JSON; of what was never counted there is nothing."""
        ordered = {name: dict(counter.most_common()) for name, counter in self.of.items()}
        found: dict[str, Any] = {
            "agent_words": self.words["agent"].total(),
            "user_words": self.words["user"].total(),
            "agent_vocabulary": len(self.words["agent"]),
            "user_vocabulary": len(self.words["user"]),
            "redrawn": self.redrawn,
            **ordered,
            "voices": dict(sorted(self.of["voices"].items())),
            "gaps": {who: _histogram(counter) for who, counter in self.gaps.items()},
            "snr_db": _histogram(self.snr),
        }
        return {name: value for name, value in found.items() if value != {} or name == "refusals"}


def summarise(folder: Path, names: Sequence[str], plan: Mapping[str, Any]) -> dict[str, Any]:
    """Write `text.txt`, `stats.json` and `index.html` of a corpus.

    Args:
        folder: of the corpus.
        names: its sounds, as the manifest has them.
        plan: what it was begun with; it goes into the statistics.

    Returns:
        The statistics.
    """
    counts = _Counts()
    shown = _spread(len(names))
    checks = []
    for at, name in enumerate(names):
        record = read_json((folder / name).with_suffix(".json"))
        counts.add(record)
        if at in shown:
            checks.append({"path": name} | record)
    stats = {"hours": round(counts.seconds / 3600, 3), "dialogues": len(names)} | dict(plan) | counts.as_dict()
    write_text(folder / "text.txt", "".join(f"{text}\n" for text in counts.texts))
    write_text(folder / "stats.json", json.dumps(stats, indent=1) + "\n")
    write_text(folder / "index.html", page(folder.resolve().name, stats, checks))
    return stats


def _spread(count: int) -> set[int]:
    """Places of the dialogues to look at, from the first to the last."""
    return {round(at * (count - 1) / max(SPOT_CHECKS - 1, 1)) for at in range(SPOT_CHECKS)} if count else set()


def _gaps(turns: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, float]]:
    """Who takes the turn, and the seconds since the other's end; negative where they overlap."""
    spoken = [turn for turn in turns if turn["kind"] not in _BESIDE]
    for before, after in zip(spoken, spoken[1:], strict=False):
        if before["who"] != after["who"]:
            yield after["who"], after["start"] - before["end"]


def _bin(value: float, width: float) -> float:
    """The lower edge of the bin that holds `value`."""
    return round(math.floor(value / width + 1e-6) * width, 3)


def _histogram(counter: Counter[float]) -> dict[str, int]:
    """Lower edge of a bin → count."""
    return {f"{edge:g}": counter[edge] for edge in sorted(counter)}
