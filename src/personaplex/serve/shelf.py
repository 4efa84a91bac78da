"""Small records kept as JSON files in one folder, all of them in memory too.

Knows ids, owners and files; does not know what a record means. Reading never waits for a disk. One process owns a
folder: what another writes there is seen after a restart.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from personaplex.errors import UserError
from personaplex.serve.door import Refusal

log = logging.getLogger(__name__)

Record = Mapping[str, Any]


class Shelf:
    """Records by id. Methods that write belong to the event loop's thread.

    Args:
        folder: made with the first record, for this user only. What cannot be read in it is left alone, with a warning.

    Raises:
        UserError: when the folder itself cannot be read.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._records: dict[str, Record] = {}
        try:
            paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
        except OSError as error:
            raise UserError(f"{folder} cannot be read ({error.strerror}); name another --data directory.") from error
        for path in paths:
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                if not isinstance(record, dict) or not isinstance(record.get("owner"), str):
                    raise ValueError("it is no record")
            except (OSError, ValueError) as error:
                log.warning("%s is left out: it cannot be read (%s)", path, error)
            else:
                self._records[path.stem] = record

    def of(self, owner: str) -> list[tuple[str, Record]]:
        """An owner's records and their ids, the oldest first."""
        mine = [(name, record) for name, record in self._records.items() if record["owner"] == owner]
        return sorted(mine, key=lambda pair: pair[1].get("created", 0))

    def find(self, owner: str, name: str) -> Record | None:
        """The owner's record of that id, or None, also where it is another's."""
        record = self._records.get(name)
        return record if record is not None and record["owner"] == owner else None

    async def put(self, name: str, record: Record) -> None:
        """Keep a record under an id of ours, instead of one that was there.

        Raises:
            Refusal: when the disk does not take it.
        """
        await asyncio.to_thread(write_file, self.folder / f"{name}.json", json.dumps(record, indent=1).encode())
        self._records[name] = record

    async def remove(self, name: str) -> None:
        """Forget a record. Raises `Refusal` when the disk does not let it go."""
        await asyncio.to_thread(remove_file, self.folder / f"{name}.json")
        self._records.pop(name, None)


def write_file(path: Path, content: bytes) -> None:
    """Write a file, all of it or nothing, readable by this user alone.

    Raises:
        Refusal: when the disk does not take it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(partial, path)
        finally:
            Path(partial).unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s cannot be written: %s", path, error.strerror)
        raise Refusal(f"The server could not store it ({error.strerror}).", 507, "storage_failed") from error


def remove_file(path: Path) -> None:
    """Delete a file if it is there. Raises `Refusal` when that is not possible."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s cannot be deleted: %s", path, error.strerror)
        raise Refusal(f"The server could not delete it ({error.strerror}).", 507, "storage_failed") from error
