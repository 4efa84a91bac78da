"""Packed codes as `encode_corpus` writes them, read back with numpy alone: one corpus, or several as if one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from personaplex.errors import UserError


@dataclass(frozen=True)
class Packed:
    """Encoded dialogues and voice samples.

    Attributes:
        codebooks, card: of the codec.
        silence, sine: its codes of a silent frame and of a 440 Hz sine, one a codebook.
        dialogues: of each its `start` and `frames` in `codes`, its `role`, `voice` and words (`agent`, `user`).
        codes: int16 `[N, 2 * codebooks]`, agent then user.
        voices: codes of the voice samples by name, int16 `[codebooks, T]`.
    """

    codebooks: int
    card: int
    silence: list[int]
    sine: list[int]
    dialogues: list[dict[str, Any]]
    codes: np.ndarray
    voices: dict[str, np.ndarray]


def read_packed(*folders: Path) -> Packed:
    """Read packed codes; of several folders, all dialogues in their order.

    Raises:
        UserError: when a folder holds none, or they are not all of one codec.
    """
    parts = [_read(folder) for folder in folders]
    dialogues: list[dict[str, Any]] = []
    voices: dict[str, np.ndarray] = {}
    first, offset = parts[0], 0
    for place, (folder, part) in enumerate(zip(folders, parts, strict=True)):
        kind = (part.codebooks, part.card, part.silence, part.sine)
        if kind != (first.codebooks, first.card, first.silence, first.sine):
            raise UserError(f"{folder} was encoded with another codec than {folders[0]}; encode both with one.")
        prefix = f"{place}/" if place else ""
        for item in part.dialogues:
            dialogues.append(item | {"start": item["start"] + offset, "voice": prefix + item["voice"]})
        voices |= {prefix + name: codes for name, codes in part.voices.items()}
        offset += len(part.codes)
    codes = first.codes if len(parts) == 1 else np.concatenate([part.codes for part in parts])
    return Packed(first.codebooks, first.card, first.silence, first.sine, dialogues, codes, voices)


def _read(folder: Path) -> Packed:
    path = folder / "index.json"
    if not path.exists():
        raise UserError(f"{folder} holds no packed codes; make them with: personaplex train encode")
    index = json.loads(path.read_text())
    codebooks = index["codebooks"]
    codes = np.fromfile(folder / "codes.i16", dtype=np.int16).reshape(-1, 2 * codebooks)
    sounds = np.fromfile(folder / "voices.i16", dtype=np.int16).reshape(-1, codebooks)
    voices = {name: sounds[start : start + count].T for name, (start, count) in index["voices"].items()}
    return Packed(codebooks, index["card"], index["silence"], index["sine"], index["dialogues"], codes, voices)
