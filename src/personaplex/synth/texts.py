"""Scripts without sound: one a line in `scripts.jsonl`, for training on text alone.

The same seed gives the same file.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
from pathlib import Path

import numpy as np

from personaplex.speech.tts import words_of
from personaplex.synth.scenarios import draw_script
from personaplex.synth.scripts import Script

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


def _chunk(seed: int, split: str, count: int, start: int) -> str:
    drawn = (draw_script(np.random.default_rng([seed, index, split == "test", 1]), split)
             for index in range(start, min(start + _CHUNK, count)))  # fmt: skip
    return "".join(json.dumps(as_text(script)) + "\n" for script in drawn)


def write_scripts(folder: Path, seed: int, split: str, count: int, workers: int = 1) -> int:
    """Write `count` scripts to `folder/scripts.jsonl`, the same whatever the number of `workers`; returns the count."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".scripts.jsonl"
    job = functools.partial(_chunk, seed, split, count)
    starts = range(0, count, _CHUNK)
    with partial.open("w") as file:
        if workers == 1:
            file.writelines(map(job, starts))
        else:
            with multiprocessing.get_context("spawn").Pool(workers) as pool:
                file.writelines(pool.imap(job, starts))
    partial.replace(folder / "scripts.jsonl")
    return count
