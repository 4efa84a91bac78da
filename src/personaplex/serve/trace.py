"""What happened in a conversation, frame by frame, in files: to look at, and to replay to the same tokens.

A trace is two files: `NAME.jsonl`, a line about the conversation and one for each frame, and `NAME.f32`, the user's
sound as the engine took it (float32, 24 kHz). They hold what people said: keep them accordingly. Knows files; a thread
of its own writes them, and where that fails a conversation goes on without its trace.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from personaplex.checkpoints import Model
from personaplex.engine import Engine, Output
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, FRAME_SECONDS
from personaplex.lm.sampling import Sampling
from personaplex.persona.persona import Persona
from personaplex.serve.protocols.segments import Speech

log = logging.getLogger(__name__)

VERSION = 1
_PENDING = 4096  # entries that may wait for the disk; a trace that is behind by more is given up


class Traces:
    """Writes traces into a directory.

    Args:
        directory: made if need be.
        model: whose conversations they are.

    Raises:
        UserError: when the directory cannot be made.
    """

    def __init__(self, directory: Path, model: Model):
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{directory} cannot be made ({error.strerror}); name another directory.") from error
        self._directory, self._model = directory, model
        self._entries: queue.Queue[tuple[TraceTap, dict[str, Any] | None, bytes] | None] = queue.Queue(_PENDING)
        self._thread = threading.Thread(target=self._run, name="trace", daemon=True)
        self._thread.start()

    def tap(self, name: str, role: str | None, voice: str | None, sampling: Sampling, seed: int) -> TraceTap:
        """A tap that writes the trace of that name; None as the role for no persona at all."""
        about = {
            "version": VERSION,
            "session": name,
            "model": self._model.name,
            "sha256": self._model.sha256,
            "role": role,
            "voice": voice,
            "sampling": asdict(sampling),
            "seed": seed,
            "started": time.time(),
        }
        return TraceTap(self, self._directory / name, about, self._model.tokenizer.piece)

    def put(self, tap: TraceTap, line: dict[str, Any] | None, sound: bytes = b"") -> None:
        """Write something of a trace later; None closes its files."""
        try:
            self._entries.put_nowait((tap, line, sound))
        except queue.Full:
            tap.given_up = True

    def close(self) -> None:
        """Write what waits and stop."""
        self._entries.put(None)
        self._thread.join(10)

    def _run(self) -> None:
        while (entry := self._entries.get()) is not None:
            tap, line, sound = entry
            if tap.given_up:
                continue
            try:
                tap.write(line, sound)
            except OSError as error:
                tap.given_up = True
                log.warning("a trace cannot be written: %s", error.strerror, extra={"session": tap.path.name})


class TraceTap:
    """One conversation's trace (an `events.Tap`)."""

    def __init__(self, traces: Traces, path: Path, about: Mapping[str, Any], piece: Callable[[int], str]):
        self.path, self.given_up = path, False
        self._traces, self._about, self._piece = traces, dict(about), piece
        self._speech = Speech()
        self._lines: Any = None
        self._sound: Any = None

    def begin(self, capacity: int) -> None:
        """The conversation begins."""
        self._traces.put(self, {**self._about, "rows": capacity})

    def frame(self, user: np.ndarray, output: Output | None, queue: int, late: bool) -> None:
        """A frame."""
        line: dict[str, Any] = {"queue": queue, "late": late}
        if output is not None:
            self._speech.hear(output.pcm, output.text)
            line |= {
                "index": output.index,
                "text": output.text,
                "heard": output.heard,
                "alternatives": [
                    [token, round(chance, 5), self._piece(token)] for token, chance in output.alternatives
                ],
                "tokens": output.tokens.tolist(),
                "speaking": self._speech.speaking,
                "tick_ms": round(output.trace.tick_ms, 3),
                "encode_ms": round(output.trace.encode_ms, 3),
                "think_ms": round(output.trace.think_ms, 3),
                "decode_ms": round(output.trace.decode_ms, 3),
                "conversations": output.trace.rows,
            }
        self._traces.put(self, line, np.ascontiguousarray(user, "<f4").tobytes())

    def end(self) -> None:
        """The conversation is over."""
        self._traces.put(self, None)

    def write(self, line: dict[str, Any] | None, sound: bytes) -> None:
        """Write an entry (the thread's part). Raises OSError."""
        if line is None:
            for file in filter(None, (self._lines, self._sound)):
                file.close()
            return
        if self._lines is None:
            self._lines = self.path.with_suffix(".jsonl").open("x", encoding="utf-8")
            self._sound = self.path.with_suffix(".f32").open("xb")
        self._lines.write(json.dumps(line) + "\n")
        self._sound.write(sound)


@dataclass(frozen=True)
class Trace:
    """A trace that was read.

    Attributes:
        about: the first line.
        frames: the others; one that was cut off at the end is left out.
        sound: the user's, float32 `[T, 1920]`.
    """

    about: Mapping[str, Any]
    frames: list[Mapping[str, Any]]
    sound: np.ndarray


def read_trace(path: Path) -> Trace:
    """Read `NAME.jsonl` and the sound beside it.

    Raises:
        UserError: when they are not a trace.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        sound = np.fromfile(path.with_suffix(".f32"), "<f4")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read; name the .jsonl of a trace, with its .f32 beside it.") from error
    parsed = []
    for line in lines:
        try:
            parsed.append(json.loads(line))
        except ValueError:
            break  # the last line of a server that was killed
    about = parsed[0] if parsed else None
    if not isinstance(about, dict) or about.get("version") != VERSION:
        raise UserError(f"{path} is not a trace of this version.")
    length = min(len(parsed) - 1, len(sound) // FRAME_SAMPLES)
    return Trace(about, parsed[1 : 1 + length], sound[: length * FRAME_SAMPLES].reshape(length, FRAME_SAMPLES))


@dataclass(frozen=True)
class Replay:
    """What came of a replay.

    Attributes:
        frames: how many were compared.
        differs: the first that has other tokens than the trace, or None.
        text: what the agent said this time.
    """

    frames: int
    differs: int | None
    text: str

    @property
    def seconds(self) -> float:
        """Of conversation."""
        return self.frames * FRAME_SECONDS


def replay(trace: Trace, model: Model) -> Replay:
    """Hold a traced conversation again, with the same sound and seed, and compare the tokens.

    Raises:
        UserError: when the model is not the one of the trace, or lacks its voice.
    """
    about = trace.about
    if about["sha256"] != model.sha256:
        raise UserError(
            f"The trace is of another model ({about['model']}), or other weights of it; name that with --model."
        )
    persona = None
    if about["role"] is not None:
        voice = None if about["voice"] is None else model.voices.named(about["voice"], model)
        persona = Persona(about["role"], voice)
    engine = Engine(model, about["rows"])
    conversation = engine.open(persona, Sampling(**about["sampling"]), about["seed"])
    compared, words = 0, []
    for frame, line in zip(trace.sound, trace.frames, strict=True):
        conversation.push(frame)
        engine.tick()
        for output in conversation.pull():
            words.append(output.text)
            if "tokens" in line:
                if output.tokens.tolist() != line["tokens"]:
                    return Replay(compared + 1, output.index, "".join(words))
                compared += 1
    return Replay(compared, None, "".join(words))
