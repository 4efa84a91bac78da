"""The engine in a thread of its own, and the letters between it and the event loop.

Knows conversations as commands in (open, push, close) and events out. Does not know what carries them to a client, and
never holds a tensor where the event loop could wait for it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from personaplex.engine import Conversation, Engine, EngineFull
from personaplex.errors import UserError
from personaplex.lm.sampling import Sampling
from personaplex.persona.persona import Persona
from personaplex.serve.clock import LATE_FRAME, LATE_TICK, Clock
from personaplex.serve.events import ALTERNATIVES, INTERNAL, Failed, Mark, Ready, Spoken, Tap
from personaplex.serve.limits import BACKLOG_FRAMES
from personaplex.serve.metrics import Metrics
from personaplex.serve.session import Session

log = logging.getLogger(__name__)

T = TypeVar("T")

_FAULT = Failed(INTERNAL, internal=True)
PARTS = ("encode", "think", "decode")  # of a tick, as `engine.Totals` tells them apart


@dataclass(frozen=True)
class _Open:
    session: Session
    persona: Callable[[], Persona | None]
    sampling: Sampling
    seed: int
    tap: Tap | None
    mark: Mark | None


@dataclass
class _Talk:
    """A conversation in the engine's thread."""

    conversation: Conversation
    tap: Tap | None
    mark: Mark | None
    late: int = 0


@dataclass(frozen=True)
class _Close:
    session: Session


@dataclass(frozen=True)
class _Job:
    work: Callable[[], Any]
    done: concurrent.futures.Future[Any]


class Mailbox:
    """Runs an engine in a thread of its own. Start it once, stop it once.

    Args:
        engine: nobody else may touch it from now on.
        backlog: frames of input that a conversation may be behind before the oldest are thrown away.
        metrics: where to count.
        gather: let one tick answer all conversations, by their shared `Clock`; without it a frame is answered at once.
    """

    def __init__(
        self,
        engine: Engine,
        backlog: int = BACKLOG_FRAMES,
        metrics: Metrics | None = None,
        gather: bool = True,
    ):
        self._engine = engine
        self._backlog = backlog
        self.metrics = metrics or Metrics("")
        self._clock: Clock[Session] = Clock(gather)
        self._commands: queue.SimpleQueue[_Open | _Close | _Job] = queue.SimpleQueue()
        self._letter = threading.Event()
        self._stopping = False
        self._talks: dict[Session, _Talk] = {}
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def sessions(self) -> int:
        """Conversations that hold a place in the engine now."""
        return len(self._talks)

    @property
    def alive(self) -> bool:
        """Whether the engine's thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the engine's thread."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """End every conversation and the thread."""
        self._stopping = True
        self.wake()
        self._thread.join(timeout)

    def open(
        self,
        persona: Callable[[], Persona | None],
        sampling: Sampling,
        seed: int,
        *,
        name: str = "",
        tap: Tap | None = None,
        mark: Mark | None = None,
    ) -> Session:
        """Ask for a conversation; its events begin with `Ready` or `Failed`.

        Args:
            persona: makes the persona; called in the engine's thread, since it may read a voice from a file.
            sampling: how tokens are chosen.
            seed: of this conversation's own chance.
            name: what logs and traces call it.
            tap: sees every frame.
            mark: changes the sound that goes out.
        """
        session = Session(self, self._backlog, name)
        self._send(_Open(session, persona, sampling, seed, tap, mark))
        return session

    async def ask(self, work: Callable[[], T]) -> T:
        """What a piece of work gives that needs the model, done between two ticks: it delays whoever talks.

        Raises:
            UserError: when the engine has stopped; and whatever the work raises.
        """
        if not self.alive:
            raise UserError("The engine has stopped.")
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._send(_Job(work, done))
        return await asyncio.wrap_future(done)

    def release(self, session: Session) -> None:
        """Free a session's place, or the one that it is still waiting for."""
        self._send(_Close(session))

    def wake(self) -> None:
        """Let the engine look for work."""
        self._letter.set()

    def _send(self, command: _Open | _Close | _Job) -> None:
        self._commands.put(command)
        self.wake()

    # Everything below runs in the engine's thread.

    def _run(self) -> None:
        due: float | None = None
        while not self._stopping:
            self._letter.wait(None if due is None else max(0.0, due - time.perf_counter()))
            self._letter.clear()
            self._obey()
            while not self._stopping and (due := self._due()) is not None and due <= time.perf_counter():
                self._step(due)
                self._obey()
        for session in list(self._talks):
            self._end(session, Failed("The server is shutting down."))
        while not self._commands.empty():
            if isinstance(command := self._commands.get_nowait(), _Job):
                command.done.cancel()

    def _due(self) -> float | None:
        """When the next tick is due; None when nobody has a whole frame."""
        return self._clock.due({session: session.inbox.place for session in self._talks}, time.perf_counter())

    def _obey(self) -> None:
        while not self._stopping:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                return
            if isinstance(command, _Open):
                self._open(command)
            elif isinstance(command, _Job):
                self._work(command)
                self.wake()  # one at a time, and the conversations in between
                return
            else:
                self._end(command.session)

    def _work(self, job: _Job) -> None:
        if job.done.set_running_or_notify_cancel():
            try:
                job.done.set_result(job.work())
            except Exception as error:  # it is raised where it was asked for
                job.done.set_exception(error)

    def _open(self, command: _Open) -> None:
        session = command.session
        try:
            conversation = self._engine.open(
                command.persona(), command.sampling, command.seed, alternatives=ALTERNATIVES if command.tap else 0
            )
            self._talks[session] = _Talk(conversation, command.tap, command.mark)
            if command.tap:
                command.tap.begin(self._engine.rows)
        except UserError as error:
            session.post(Failed(str(error), full=isinstance(error, EngineFull)))
        except Exception:
            self._fault("a conversation could not be opened", session)
            session.post(_FAULT)
        else:
            session.post(Ready())

    def _step(self, due: float) -> None:
        """The tick that is due, for the conversations with a whole frame."""
        begin = time.perf_counter()
        fed = []
        for session, talk in list(self._talks.items()):
            if (taken := session.inbox.take()) is not None:
                with self._guarded(session):
                    talk.conversation.push(taken[0])
                    fed.append((session, talk, *taken))
        left = [session for session in self._talks if session.inbox.waiting]
        before = replace(self._engine.totals)
        try:
            self._engine.tick()
        except Exception:  # whose fault it was cannot be told
            self._fault(f"a tick failed for {len(fed)} conversations", *(session for session, *_ in fed))
            for session, *_ in fed:
                self._end(session, _FAULT)
            return
        end = time.perf_counter()
        self.metrics.ticked(end - begin, end - due > LATE_TICK)
        for session, talk, frame, was_due in fed:
            with self._guarded(session):
                self._answer(session, talk, frame, end - was_due, 1000 * (end - begin))
        took = time.perf_counter() - begin
        parts = {part: getattr(self._engine.totals, part) - getattr(before, part) for part in PARTS}
        self.metrics.spent(parts | {"rest": took - sum(parts.values())})
        self._clock.ticked(begin, took, {session: was_due for session, _, _, was_due in fed}, left)

    def _answer(self, session: Session, talk: _Talk, frame: np.ndarray, after: float, tick_ms: float) -> None:
        """Hand over what the engine made of a frame, `after` seconds after that was due."""
        late = after > LATE_FRAME
        talk.late += late
        self.metrics.answered(max(after, 0.0), late)
        outputs = talk.conversation.pull()
        if talk.tap:
            talk.tap.frame(frame, outputs[-1] if outputs else None, session.inbox.waiting, late)
        for output in outputs:
            pcm = talk.mark(output.pcm) if talk.mark else output.pcm
            session.post(Spoken(pcm, output.text, frame, output.heard, tick_ms, session.inbox.waiting, talk.late))

    @contextlib.contextmanager
    def _guarded(self, session: Session) -> Iterator[None]:
        """What goes wrong in here ends this one conversation."""
        try:
            yield
        except UserError as error:
            self._end(session, Failed(str(error)))
        except Exception:
            self._fault("a conversation failed", session)
            self._end(session, _FAULT)

    def _fault(self, sentence: str, *sessions: Session) -> None:
        """Write down what went wrong, with its traceback."""
        self.metrics.fault()
        log.exception(sentence, extra={"session": " ".join(session.name for session in sessions)})

    def _end(self, session: Session, event: Failed | None = None) -> None:
        talk = self._talks.pop(session, None)
        if talk is not None:
            try:
                talk.conversation.close()
                if talk.tap:
                    talk.tap.end()
            except Exception:
                self._fault("a conversation could not be closed", session)
        if event is not None:
            session.post(event)
