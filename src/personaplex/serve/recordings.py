"""Recordings of conversations: what both sides said, written while they say it.

A conversation hands its frames over and never waits; one thread compresses and writes them. Where that fails, the
recording ends and the conversation goes on. Ogg pages are whole by themselves, so that a file is playable up to its
last second even when the server is killed. Knows frames; does not know any protocol.
"""

from __future__ import annotations

import json
import logging
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import soundfile

from personaplex.frames import FRAME_SECONDS, SAMPLE_RATE
from personaplex.serve.archive import CUT, Archive
from personaplex.serve.protocols.segments import Floor

log = logging.getLogger(__name__)

_PENDING = 2048  # frames and events that may wait for the disk, 30 MB
_SWEEP_SECONDS = 3600.0
FULL_DISK = "it could not be written"
SLOW_DISK = "the disk is too slow"


@dataclass(frozen=True)
class _Item:
    """Something to write: sound `[1920, 2]`, lines, the end, or the first of all: what the index knows."""

    recording: Recording
    sound: np.ndarray | None = None
    lines: tuple[Mapping[str, Any], ...] = ()
    begin: dict[str, Any] | None = None
    end: str | None = None


class Recording:
    """One conversation's recording. Its methods return at once and belong to the event loop's thread.

    Attributes:
        id: random.
        problem: why it ended before the conversation did; None while all is well.
    """

    def __init__(self, recordings: Recordings, name: str):
        self.id = name
        self.problem: str | None = None
        self._recordings = recordings
        self._frames = 0
        self.sound: soundfile.SoundFile | None = None  # from here on the writing thread's
        self.words: TextIO | None = None
        self.written = 0
        self._floor = Floor()

    def frame(self, user: np.ndarray, agent: np.ndarray, text: str = "", heard: str = "") -> None:
        """Both sides of a frame, float32 `[1920]` each, the agent's words in it and those heard of the user."""
        now = round(self._frames * FRAME_SECONDS, 2)
        said = (("agent", text), ("user", heard))
        lines = tuple({"side": side, "start": now, "text": words} for side, words in said if words)
        self._frames += 1
        self._put(_Item(self, np.stack([user, agent], axis=1), lines))

    def event(self, name: str, **fields: object) -> None:
        """Something that happened."""
        line = {"event": name, "time": round(self._frames * FRAME_SECONDS, 2), **fields}
        self._put(_Item(self, lines=(line,)))

    def end(self, reason: str) -> None:
        """The conversation is over."""
        self.event("ended", reason=reason)
        self._put(_Item(self, end=reason))

    def turns(self, sound: np.ndarray, said: bool) -> list[dict[str, Any]]:
        """Who began, ended or gave way in a frame `[1920, 2]`, in which the agent said something in words or not."""
        turn = asdict(self._floor.hear(sound[:, 0], sound[:, 1], "said" if said else ""))
        now = round(self.written * FRAME_SECONDS, 2)
        return [{"event": name, "time": now} for name, happened in turn.items() if happened]

    def _put(self, item: _Item) -> None:
        if self.problem is None and not self._recordings.put(item):
            self.problem = SLOW_DISK


class Recordings:
    """Writes recordings into a directory.

    Args:
        directory: see `Archive`.
        retention_days: after which they are deleted; None for never.

    Attributes:
        archive: what there is already.

    Raises:
        UserError: when the directory cannot be used.
    """

    def __init__(self, directory: Path, retention_days: float | None = None):
        self.archive = Archive(directory)
        self._retention = retention_days
        self._items: queue.Queue[_Item | None] = queue.Queue(_PENDING)
        self._open: set[Recording] = set()
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        self._thread.start()

    def begin(self, **about: Any) -> Recording:
        """A new recording.

        Args:
            **about: what the index keeps of it: owner, session, protocol, model, voice, voice_name, role, sampling
                (numbers by name) and seed.
        """
        recording = Recording(self, f"rec_{secrets.token_hex(8)}")
        about |= {"id": recording.id, "started": time.time(), "sampling": json.dumps(about["sampling"])}
        if not self.put(_Item(recording, begin=about)):
            recording.problem = SLOW_DISK
        return recording

    def put(self, item: _Item) -> bool:
        """Write something later; returns False, and forgets it, when too much waits already."""
        try:
            self._items.put_nowait(item)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """Write what waits, end what is open and stop."""
        self._items.put(None)
        self._thread.join(10)

    # The writing thread.

    def _run(self) -> None:
        swept = -float("inf")
        while True:
            if self._retention is not None and time.monotonic() - swept > _SWEEP_SECONDS:
                swept = time.monotonic()
                self._sweep(self._retention)
            try:
                item = self._items.get(timeout=_SWEEP_SECONDS)
            except queue.Empty:
                continue
            if item is None:
                break
            self._write(item)
        for recording in list(self._open):
            self._finish(recording, CUT)

    def _sweep(self, days: float) -> None:
        try:
            self.archive.sweep(days)
        except (OSError, sqlite3.Error) as error:
            log.warning("old recordings cannot be deleted: %s", error)

    def _write(self, item: _Item) -> None:
        recording = item.recording
        try:
            if item.begin is not None:
                self._start(recording, item.begin)
            if recording not in self._open:
                return
            if recording.problem is not None:
                self._finish(recording, recording.problem)
                return
            assert recording.sound is not None and recording.words is not None
            lines = list(item.lines)
            if item.sound is not None:
                recording.sound.write(item.sound)
                lines += recording.turns(item.sound, any(line["side"] == "agent" for line in lines))
                recording.written += 1
            if lines:
                recording.words.writelines(json.dumps(line) + "\n" for line in lines)
                recording.words.flush()
            if item.end is not None:
                self._finish(recording, item.end)
        except Exception as error:  # the other recordings go on
            expected = isinstance(error, OSError | soundfile.LibsndfileError | sqlite3.Error)
            log.warning("a recording ends early: %s", error, extra={"session": recording.id}, exc_info=not expected)
            recording.problem = FULL_DISK
            self._finish(recording, FULL_DISK)

    def _start(self, recording: Recording, about: dict[str, Any]) -> None:
        self.archive.begin(about)
        self._open.add(recording)
        recording.words = self.archive.words(recording.id).open("x", encoding="utf-8")
        recording.sound = soundfile.SoundFile(
            self.archive.sound(recording.id), "x", SAMPLE_RATE, 2, format="OGG", subtype="OPUS"
        )

    def _finish(self, recording: Recording, reason: str) -> None:
        """Close the files and write down the length, each as far as the disk allows."""
        self._open.discard(recording)
        for file in (recording.sound, recording.words):
            try:
                if file is not None:
                    file.close()
            except (OSError, soundfile.LibsndfileError) as error:
                log.warning("a recording was not closed: %s", error, extra={"session": recording.id})
        try:
            if recording.written:
                self.archive.end(recording.id, round(recording.written * FRAME_SECONDS, 2), reason)
            else:
                self.archive.delete(recording.id)  # nothing was said
        except (OSError, sqlite3.Error) as error:  # the next start of the server mends it
            log.warning("the end of a recording was not written down: %s", error, extra={"session": recording.id})
