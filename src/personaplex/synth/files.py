"""A corpus's files: how each is written whole or not at all, and what a corpus was begun with.

Knows names and formats, not what is said in them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE

AGENT, USER = "SPEAKER_MAIN", "SPEAKER_USER"  # moshi-finetune's names of the two
MANIFEST = "data.jsonl"
VOICE_SECONDS = (4.0, 5.0)  # how long a voice sample is
_PLAN = "plan.json"


def write_audio(path: Path, sound: np.ndarray) -> None:
    """Write float `[samples]` or `[samples, 2]`, 24 kHz, as 16-bit FLAC."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    soundfile.write(partial, sound, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def read_json(path: Path) -> Any:
    """The value of a JSON file of the corpus's own."""
    return json.loads(path.read_text(encoding="utf-8"))


def entry(name: str, seconds: float) -> str:
    """A line of the manifest: `name` is the sound's path inside the corpus."""
    return json.dumps({"path": name, "duration": seconds}) + "\n"


def begin(folder: Path, plan: Mapping[str, Any]) -> None:
    """Make the folders of a corpus and write down its plan, or see that the corpus there was begun with the same.

    Args:
        folder: of the corpus.
        plan: what its files depend on, as JSON values.

    Raises:
        UserError: when it was begun with another plan, in one sentence that names what differs.
    """
    for sub in ("audio", "voices"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    path = folder / _PLAN
    if not path.exists():  # also of a corpus that was begun before plans were written down
        write_text(path, json.dumps(plan, indent=1) + "\n")
        return
    begun = read_json(path)
    others = [name for name in {**plan, **begun} if plan.get(name) != begun.get(name)]
    if others:
        was, now = (
            " and ".join(f"with {name} {_spoken(side[name])}" if name in side else f"without {name}" for name in others)
            for side in (begun, plan)
        )
        raise UserError(f"{folder} was begun {was}; this is {now}: go on as it was begun, or take another folder.")


def _spoken(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
