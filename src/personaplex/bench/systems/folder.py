"""Outputs that were made elsewhere, as a system that runs nothing.

The files are taken over into the run's folder, so that transcripts made here do not fall into somebody's own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from personaplex.bench.duplex import outputs_in
from personaplex.bench.records import OUTPUT_JSON, OUTPUT_WAV, TOKENS_JSON, Case
from personaplex.bench.systems.files import refuse
from personaplex.errors import UserError

_OVERLAPS = ("clean_output.wav", "clean_output.json", "input.json", "clean_input.json")  # of v1.5
_TAKEN = (OUTPUT_WAV, OUTPUT_JSON, TOKENS_JSON, *_OVERLAPS)


class Folder:
    """A `System`.

    Args:
        path: holds `{task}/{ID}/` (or `v1_0/{task}/{ID}/`) for the duplex benchmark, `{N}/` for the others; or what a
            run of ours left, `{benchmark}/{task}/{name}/`.

    Raises:
        UserError: when there is no such folder.
    """

    def __init__(self, path: Path):
        if not path.is_dir():
            raise UserError(f"There is no folder {path}; --outputs names the one with the system's outputs.")
        self.name = path.resolve().name or "outputs"
        self.path = path
        self._duplex = outputs_in(path)

    def describe(self) -> dict[str, Any]:
        """See `System`."""
        return {"outputs": "files made elsewhere"}

    def places(self, case: Case) -> list[Path]:
        """Where a case's files may lie, in the order in which they are looked for."""
        own = self.path / case.id
        return [own, self._duplex(case) if case.benchmark == "duplex" else self.path / case.name]

    def state(self, case: Case) -> Mapping[str, float]:
        """Which files there are, and of when: what is taken over is taken again when they change."""
        return {str(file): file.stat().st_mtime for place in self.places(case) for file in _files(place)}

    def answer(self, cases: Sequence[Case], folder: Callable[[Case], Path]) -> Iterator[Case]:
        """See `System`. A case without any file keeps an empty folder, which its scorer names."""
        for case in cases:
            target = folder(case)
            target.mkdir(parents=True, exist_ok=True)
            place = next((place for place in self.places(case) if _files(place)), None)
            try:
                for file in _files(place) if place else []:
                    shutil.copyfile(file, target / file.name)
            except OSError as error:
                refuse(target, UserError(f"{place} cannot be read: {error.strerror or error}."))
            yield case


def _files(place: Path) -> list[Path]:
    return [place / name for name in _TAKEN if (place / name).is_file()]
