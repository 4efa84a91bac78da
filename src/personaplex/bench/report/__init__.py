"""The report of a run: one page to look at and listen to, and the same figures as JSON. Computes no metric."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from personaplex.bench.published import PUBLISHED
from personaplex.bench.records import OUTPUT_WAV, Result, Sample, finite, write_json
from personaplex.bench.report.media import Media, Recording, make
from personaplex.bench.report.page import page
from personaplex.bench.report.picture import width

SAMPLES = "samples"  # the folder beside the page


def write_report(folder: Path, results: Mapping[str, Mapping[str, Result]], meta: Mapping[str, Any]) -> Path:
    """Write `report.html`, `report.json` and, for each sample, a picture and a sound in `samples/{system}/{case id}`.

    The page needs no network and no server. Pictures and sounds that are still right are left as they are, so a second
    report is quick.

    Args:
        folder: the run's; a system's sound for a case is `folder/{system}/{case id}/output.wav` and may be missing.
        results: system → benchmark → what it gave. The first system's worst samples are shown first.
        meta: what the reader must know. `inputs`: case id → the user's sound; `systems`: system → its description;
            `seed`; `data`: what was measured on, one text or one for each benchmark; `title`; any other plain value is
            shown at the top.

    Returns:
        The page's path.
    """
    folder = Path(folder)
    from tqdm import tqdm

    inputs = meta.get("inputs", {})
    entries = []
    for id, by_system in tqdm(_by_case(results).items(), desc="report", unit="case", disable=None, leave=False):
        source = Recording(Path(inputs[id]) if inputs.get(id) else None)
        for system, sample in by_system.items():
            stem = Path(SAMPLES) / system / id
            media = make(sample, source, Recording(folder / system / id / OUTPUT_WAV), folder / stem)
            entries.append(_entry(system, sample, media, stem))
    write_json(folder / "report.json", _figures(results, meta))
    path = folder / "report.html"
    partial = folder / ".report.html.part"
    partial.write_text(page(results, meta, entries), encoding="utf-8", errors="replace")
    partial.replace(path)
    return path


def _by_case(results: Mapping[str, Mapping[str, Result]]) -> dict[str, dict[str, Sample]]:
    """Case id → system → sample: one recording's answers together, so that it is read once."""
    cases: dict[str, dict[str, Sample]] = {}
    for system, by_name in results.items():
        for result in by_name.values():
            for sample in result.samples:
                cases.setdefault(sample.id, {})[system] = sample
    return cases


def _entry(system: str, sample: Sample, media: Media, stem: Path) -> dict[str, Any]:
    """A sample as the page's script takes it."""
    benchmark, task, name = (*sample.id.split("/", 2), "", "")[:3]
    address = quote(os.fsencode(stem))
    return finite(
        {
            "system": system,
            "id": sample.id,
            "benchmark": benchmark,
            "task": task,
            "name": name,
            "badness": sample.badness,
            "metrics": dict(sample.metrics),
            "problem": sample.problem,
            "words": sample.words,
            "user_words": sample.user_words,
            "events": [asdict(event) for event in sample.events],
            "notes": {key: str(value) for key, value in sample.notes.items()},
            "seconds": media.seconds,
            "width": width(media.seconds),
            "picture": f"{address}.svg",
            "sound": f"{address}.ogg" if media.sound else None,
            "alt": _described(sample, media),
        }
    )


def _described(sample: Sample, media: Media) -> str:
    """The picture in words."""
    parts = [f"Timeline of {media.seconds:.1f} s."]
    for who, spans in zip(("user", "agent"), media.speech, strict=True):
        times = ", ".join(f"{start:.1f} to {end:.1f} s" for start, end in spans)
        parts.append(f"The {who} speaks {times}." if times else f"The {who} does not speak.")
    parts += [f"{event.kind} at {event.start:.1f} s." for event in sample.events]
    return " ".join(parts)


def _figures(results: Mapping[str, Mapping[str, Result]], meta: Mapping[str, Any]) -> dict[str, Any]:
    """What `report.json` holds: every figure and sample, and the published rows that stand beside them."""
    return {
        "meta": json.loads(json.dumps({key: value for key, value in meta.items() if key != "inputs"}, default=str)),
        "systems": {
            system: {name: result.to_json() for name, result in by_name.items()} for system, by_name in results.items()
        },
        "published": {
            name: asdict(table)
            for name, table in PUBLISHED.items()
            if any(name in by_name for by_name in results.values())
        },
    }
