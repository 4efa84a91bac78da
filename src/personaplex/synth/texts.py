"""Scripts without sound: one a line in `scripts.jsonl`, for training on text alone.

The same seed gives the same file.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from personaplex.speech.tts import words_of
from personaplex.synth.scenarios import USUAL, draw_script
from personaplex.synth.scripts import Script
from personaplex.synth.workers import workers
from personaplex.synth.writer import Model, Writer, Written

_CHUNK = 500  # scripts, per job


def as_text(script: Script) -> dict[str, object]:
    """For JSON: role and turns, spoken words in lower case without punctuation, as alignments have them."""
    turns = [
        {
            "who": line.who,
            "text": " ".join(words_of(line.text)),
            "kind": line.kind,
            "intent": line.intent,
            "fact": line.fact,
        }
        for line in script.lines
    ]
    return {"scenario": script.scenario, "role": script.role, "agent_first": script.agent_first, "turns": turns}


def _chunk(
    seed: int, split: str, count: int, model: Model | None, mix: Mapping[str, float], start: int
) -> tuple[str, Counter[str], Counter[str]]:
    """Lines, who wrote them, and why what a model wrote was refused."""
    writer = None if model is None else Writer(model)
    text: list[str] = []
    by: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for index in range(start, min(start + _CHUNK, count)):
        script = draw_script(np.random.default_rng([seed, index, split == "test", 1]), split, mix)
        written = Written(script, "grammar") if writer is None else writer.write(script)
        text.append(json.dumps(as_text(written.script)) + "\n")
        by[written.by] += 1
        refusals.update([written.refused] if written.refused else [])
    return "".join(text), by, refusals


def write_scripts(
    folder: Path,
    seed: int,
    split: str,
    count: int,
    jobs: int = 1,
    model: Model | None = None,
    mix: Mapping[str, float] = USUAL,
) -> dict[str, object]:
    """Write `count` scripts to `folder/scripts.jsonl`, the same whatever the number of `jobs`.

    Args:
        folder: made if absent.
        seed: all chance comes from it and from a script's index.
        split: `train` or `test`.
        count: of scripts.
        jobs: processes.
        model: which language model finds the words; None for the grammar alone.
        mix: share of each kind of conversation (`scenarios.KINDS`).

    Returns:
        How many, who wrote them, and why a model's were not taken.

    Raises:
        UserError: when the model is gone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".scripts.jsonl"
    job = functools.partial(_chunk, seed, split, count, model, mix)
    starts = range(0, count, _CHUNK)
    writers: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    with partial.open("w") as file, workers(jobs) as pool:
        for text, by, why in pool.in_order(job, starts):
            file.write(text)
            writers.update(by)
            refusals.update(why)
    partial.replace(folder / "scripts.jsonl")
    return {"scripts": count, "writers": dict(writers), "refusals": dict(refusals)}
