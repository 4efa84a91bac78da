"""What every system does alike: seeds from case names, and what it leaves in a case's folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from personaplex.audio import write_wav
from personaplex.bench.records import OUTPUT_WAV, Case, write_json

ERROR_JSON = "error.json"  # {"error": one sentence}, where there is no answer


def case_seed(seed: int, case: Case) -> int:
    """A seed of the case's own, 0 to 2**63 - 1: the same in any order, batch and machine."""
    digest = hashlib.sha256(f"{seed} {case.id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def give(folder: Path, pcm: np.ndarray) -> None:
    """Write an answer, float `[n]` at 24 kHz."""
    write_wav(folder / OUTPUT_WAV, pcm)


def refuse(folder: Path, error: Exception) -> None:
    """Write that a case cannot be answered, and why."""
    write_json(folder / ERROR_JSON, {"error": " ".join(str(error).split())})
