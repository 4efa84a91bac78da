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
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from personaplex.engine import Conversation, Engine, EngineFull
from personaplex.errors import UserError
from personaplex.frames import FRAME_SECONDS
from personaplex.lm.sampling import Sampling
from personaplex.persona.persona import Persona
from personaplex.serve.events import ALTERNATIVES, INTERNAL, Dropped, Event, Failed, Mark, Ready, Spoken, Tap
from personaplex.serve.inbox import Inbox
from personaplex.serve.limits import BACKLOG_FRAMES, OUTBOX_EVENTS
from personaplex.serve.metrics import Metrics

log = logging.getLogger(__name__)

T = TypeVar("T")

STREAMING_SECONDS = 2 * FRAME_SECONDS  # a client whose last frame is younger than this is about to bring another
MARGIN_SECONDS = 0.02  # by which a tick that waits for more conversations begins before it must


_FAULT = Failed(INTERNAL, internal=True)


class Session:
    """One conversation, as the event loop sees it. Every method returns at once and belongs to that loop's thread.

    Attributes:
        events: what happens, in order.
        live: between `Ready` and the end.
        name: what logs and traces call it.
    """

    def __init__(self, mailbox: Mailbox, backlog: int, name: str = ""):
        self.name = name
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.live = False
        self.inbox = Inbox(backlog)
        self._mailbox = mailbox
        self._loop = asyncio.get_running_loop()
        self._over = False
        self._dropped = 0

    def push(self, pcm: np.ndarray) -> None:
        """Say something: float32 `[n]`, any n. Sound from before the conversation began is not part of it."""
        if not self.live:
            return
        if dropped := self.inbox.put(pcm):
            self._dropped += dropped
            self._mailbox.metrics.dropped(dropped)
            self._deliver(Dropped(dropped, self._dropped))
        self._mailbox.wake()

    def close(self) -> None:
        """End the conversation and free its place; at any moment, any number of times."""
        if not self._over:
            self._over, self.live = True, False
            self._mailbox.release(self)

    def post(self, event: Event) -> None:
        """Hand an event over from the engine's thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to read it
            self._loop.call_soon_threadsafe(self._deliver, event)

    def _deliver(self, event: Event) -> None:
        if self._over:
            return
        if self.events.qsize() >= OUTBOX_EVENTS:
            event = Failed("The conversation ended because the client does not read what is sent to it.")
        self.events.put_nowait(event)
        if isinstance(event, Ready):
            self.live = True
        elif isinstance(event, Failed):
            self.close()


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
        gather: let a frame wait for those of the other conversations as long as it is not late by that, so that one
            tick answers them all; without it every frame is answered at once.
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
        self._gather = gather
        self._tick_seconds = 0.0  # of late, an average that forgets
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
        patience: float | None = None
        while not self._stopping:
            self._letter.wait(patience)
            self._letter.clear()
            self._obey()
            while not self._stopping and (patience := self._patience()) == 0:
                self._step()
                self._obey()
        for session in list(self._talks):
            self._end(session, Failed("The server is shutting down."))
        while not self._commands.empty():
            if isinstance(command := self._commands.get_nowait(), _Job):
                command.done.cancel()

    def _patience(self) -> float | None:
        """Seconds until the next tick must begin: 0 for now, None when nobody has a whole frame."""
        inboxes = [session.inbox for session in self._talks]
        ready = [inbox for inbox in inboxes if inbox.waiting]
        if not ready:
            return None
        now = time.perf_counter()
        expected = [inbox for inbox in inboxes if not inbox.waiting and now - inbox.newest < STREAMING_SECONDS]
        if not self._gather or not expected or any(inbox.waiting > 1 for inbox in ready):
            return 0
        latest = min(inbox.oldest for inbox in ready) + FRAME_SECONDS - 1.5 * self._tick_seconds - MARGIN_SECONDS
        return max(0.0, latest - now)

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

    def _step(self) -> None:
        """One tick for the conversations with a whole frame."""
        fed = []
        for session, talk in list(self._talks.items()):
            if (taken := session.inbox.take()) is not None:
                with self._guarded(session):
                    talk.conversation.push(taken[0])
                    fed.append((session, talk, *taken))
        begin = time.perf_counter()
        try:
            self._engine.tick()
        except Exception:  # whose fault it was cannot be told
            self._fault(f"a tick failed for {len(fed)} conversations", *(session for session, *_ in fed))
            for session, *_ in fed:
                self._end(session, _FAULT)
            return
        end = time.perf_counter()
        self._tick_seconds += 0.1 * (end - begin - self._tick_seconds)
        self.metrics.ticked(end - begin)
        for session, talk, frame, due in fed:
            with self._guarded(session):
                self._answer(session, talk, frame, end - due, 1000 * (end - begin))

    def _answer(self, session: Session, talk: _Talk, frame: np.ndarray, after: float, tick_ms: float) -> None:
        """Hand over what the engine made of a frame, `after` seconds after that was due."""
        late = after > FRAME_SECONDS
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
