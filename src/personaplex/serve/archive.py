"""The index of recordings (SQLite) and the files it points to.

A recording is `ID.ogg` (stereo, user left, agent right), `ID.jsonl` (words and events, a line each) and a row. Ids are
made here; what comes from the network is only ever compared with them. Every function may wait for the disk.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import soundfile

from personaplex.errors import UserError

log = logging.getLogger(__name__)

_SCHEMA = """
create table if not exists recordings (
    id text primary key, owner text not null, session text not null, protocol text not null, started real not null,
    model text not null, voice text, voice_name text, role text not null, sampling text not null, seed integer not null,
    seconds real, ended text
);
create index if not exists by_owner on recordings (owner, started);
"""
_COLUMNS = (
    "id", "owner", "session", "protocol", "started", "model", "voice", "voice_name", "role", "sampling", "seed",
)  # fmt: skip
CUT = "the server stopped"  # how a recording ended whose end nobody wrote down


class Archive:
    """Recordings in one directory; one server writes there at a time.

    Args:
        directory: made if need be, readable by this user alone.

    Raises:
        UserError: when it cannot be used.
    """

    def __init__(self, directory: Path):
        self._directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._index() as index:
                index.execute("pragma journal_mode = wal")
                index.executescript(_SCHEMA)
            self._mend()
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"Recordings cannot be kept in {directory} ({error}); name another directory.") from error

    def sound(self, recording: str) -> Path:
        """The sound of a recording whose id was found or made here."""
        return self._directory / f"{recording}.ogg"

    def words(self, recording: str) -> Path:
        """The words and events of such a recording."""
        return self._directory / f"{recording}.jsonl"

    def begin(self, about: dict[str, Any]) -> None:
        """Write down that a recording begins. Raises OSError and sqlite3.Error."""
        marks = ", ".join("?" * len(_COLUMNS))
        with self._index() as index:
            index.execute(
                f"insert into recordings ({', '.join(_COLUMNS)}) values ({marks})", [about[name] for name in _COLUMNS]
            )

    def end(self, recording: str, seconds: float, reason: str) -> None:
        """Write down how long it became. Raises OSError and sqlite3.Error."""
        with self._index() as index:
            index.execute("update recordings set seconds = ?, ended = ? where id = ?", (seconds, reason, recording))

    def of(self, owner: str) -> list[dict[str, Any]]:
        """An owner's recordings that have ended, the newest first."""
        with self._index() as index:
            rows = index.execute(
                "select * from recordings where owner = ? and ended is not null order by started desc", (owner,)
            )
            return [_shown(row) for row in rows]

    def find(self, owner: str, recording: str) -> dict[str, Any] | None:
        """An owner's recording that has ended, or None."""
        with self._index() as index:
            row = index.execute(
                "select * from recordings where owner = ? and id = ? and ended is not null", (owner, recording)
            ).fetchone()
            return None if row is None else _shown(row)

    def read_words(self, recording: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The transcript and the events of a recording that was found."""
        transcript: list[dict[str, Any]] = []
        events: list[dict[str, Any]] = []
        with contextlib.suppress(OSError), self.words(recording).open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    entry = json.loads(line)
                except ValueError:
                    break  # the last line of a server that was killed
                (transcript if "side" in entry else events).append(entry)
        return transcript, events

    def delete(self, recording: str) -> None:
        """Delete a recording that was found."""
        for path in (self.sound(recording), self.words(recording)):
            path.unlink(missing_ok=True)
        with self._index() as index:
            index.execute("delete from recordings where id = ?", (recording,))

    def sweep(self, days: float, now: float | None = None) -> int:
        """Delete what began more than so many days ago and has ended; returns how many recordings that were."""
        before = (time.time() if now is None else now) - 86_400 * days
        with self._index() as index:
            rows = index.execute("select id from recordings where started < ? and ended is not null", (before,))
            old = [row["id"] for row in rows]
        for recording in old:
            self.delete(recording)
        return len(old)

    def _mend(self) -> None:
        """Give an end to recordings of a server that was killed: their files are whole up to their last second."""
        with self._index() as index:
            open_ones = [row["id"] for row in index.execute("select id from recordings where ended is null")]
        for recording in open_ones:
            try:
                seconds = soundfile.info(self.sound(recording)).duration
            except (OSError, soundfile.LibsndfileError):
                self.delete(recording)  # nothing of it was heard
            else:
                self.end(recording, round(seconds, 2), CUT)

    @contextlib.contextmanager
    def _index(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._directory / "index.sqlite", timeout=5)
        connection.row_factory = sqlite3.Row
        try:
            with connection:
                yield connection
        finally:
            connection.close()


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    shown = {name: row[name] for name in row.keys() if name != "owner"}  # noqa: SIM118 (not a mapping)
    return shown | {"sampling": json.loads(shown["sampling"])}
