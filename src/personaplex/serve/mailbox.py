"""The engine in a thread of its own, and the letters between it and the event loop.

Knows conversations as commands in (open, push, close) and events out. Does not know what carries them to a client, and
never holds a tensor where the event loop could wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from personaplex.engine import Conversation, Engine, EngineFull
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES
from personaplex.lm.sampling import Sampling
from personaplex.persona.persona import Persona

log = logging.getLogger(__name__)

BACKLOG_FRAMES = 25  # frames of input that may wait, 2 s; past it the oldest go until half are left
OUTBOX_EVENTS = 150  # events that a client may leave unread, about 10 s of a conversation


@dataclass(frozen=True)
class Ready:
    """The persona is in place: the conversation begins with the sound pushed from now on."""


@dataclass(frozen=True)
class Spoken:
    """One frame of the agent's.

    Attributes:
        pcm: float32 `[1920]`.
        text: a piece of text, "" for most frames.
    """

    pcm: np.ndarray
    text: str


@dataclass(frozen=True)
class Dropped:
    """Input was thrown away, oldest first, because the engine could not keep up.

    Attributes:
        frames: frames thrown away now.
        total: frames thrown away since the conversation began.
    """

    frames: int
    total: int


@dataclass(frozen=True)
class Failed:
    """The conversation is over; nothing follows.

    Attributes:
        message: why, in one sentence for the client.
        full: no place was free; trying again later may help.
        internal: a fault of ours, not the client's.
    """

    message: str
    full: bool = False
    internal: bool = False


INTERNAL = "The conversation ended because of a fault in the server; its log says more."
_FAULT = Failed(INTERNAL, internal=True)

Event = Ready | Spoken | Dropped | Failed


class Inbox:
    """One conversation's sound on its way to the engine: whole frames, and never more of them than the limit.

    The event loop puts, the engine's thread takes.
    """

    def __init__(self, limit: int = BACKLOG_FRAMES):
        self._limit = limit
        self._lock = threading.Lock()
        self._frames: deque[np.ndarray] = deque()
        self._rest = np.zeros(0, np.float32)

    def put(self, pcm: np.ndarray) -> int:
        """Add sound `[n]` of any length; returns how many old frames were thrown away for it."""
        sound = np.concatenate([self._rest, pcm])
        whole = len(sound) // FRAME_SAMPLES
        self._rest = sound[whole * FRAME_SAMPLES :]
        with self._lock:
            self._frames.extend(sound[: whole * FRAME_SAMPLES].reshape(whole, FRAME_SAMPLES))
            if len(self._frames) <= self._limit:
                return 0
            dropped = len(self._frames) - self._limit // 2
            for _ in range(dropped):
                self._frames.popleft()
            return dropped

    def take(self) -> np.ndarray | None:
        """The oldest frame `[1920]`, or None."""
        with self._lock:
            return self._frames.popleft() if self._frames else None


class Session:
    """One conversation, as the event loop sees it. Every method returns at once and belongs to that loop's thread.

    Attributes:
        events: what happens, in order.
        live: between `Ready` and the end.
    """

    def __init__(self, mailbox: Mailbox, backlog: int):
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


@dataclass(frozen=True)
class _Close:
    session: Session


class Mailbox:
    """Runs an engine in a thread of its own. Start it once, stop it once.

    Args:
        engine: nobody else may touch it from now on.
        backlog: frames of input that a conversation may be behind before the oldest are thrown away.
    """

    def __init__(self, engine: Engine, backlog: int = BACKLOG_FRAMES):
        self._engine = engine
        self._backlog = backlog
        self._commands: queue.SimpleQueue[_Open | _Close] = queue.SimpleQueue()
        self._letter = threading.Event()
        self._stopping = False
        self._talks: dict[Session, Conversation] = {}
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

    def open(self, persona: Callable[[], Persona | None], sampling: Sampling, seed: int) -> Session:
        """Ask for a conversation; its events begin with `Ready` or `Failed`.

        Args:
            persona: makes the persona; called in the engine's thread, since it may read a voice from a file.
            sampling: how tokens are chosen.
            seed: of this conversation's own chance.
        """
        session = Session(self, self._backlog)
        self._send(_Open(session, persona, sampling, seed))
        return session

    def release(self, session: Session) -> None:
        """Free a session's place, or the one that it is still waiting for."""
        self._send(_Close(session))

    def wake(self) -> None:
        """Let the engine look for work."""
        self._letter.set()

    def _send(self, command: _Open | _Close) -> None:
        self._commands.put(command)
        self.wake()

    # Everything below runs in the engine's thread.

    def _run(self) -> None:
        while not self._stopping:
            self._letter.wait()
            self._letter.clear()
            self._obey()
            while not self._stopping and self._step():
                self._obey()
        for session in list(self._talks):
            self._end(session, Failed("The server is shutting down."))

    def _obey(self) -> None:
        while not self._stopping:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                return
            if isinstance(command, _Open):
                self._open(command)
            else:
                self._end(command.session)

    def _open(self, command: _Open) -> None:
        session = command.session
        try:
            self._talks[session] = self._engine.open(command.persona(), command.sampling, command.seed)
        except UserError as error:
            session.post(Failed(str(error), full=isinstance(error, EngineFull)))
        except Exception:
            log.exception("a conversation could not be opened")
            session.post(_FAULT)
        else:
            session.post(Ready())

    def _step(self) -> bool:
        """One tick for the conversations with a whole frame; False when there are none."""
        fed = []
        for session, talk in list(self._talks.items()):
            frame = session.inbox.take()
            if frame is not None:
                with self._guarded(session):
                    talk.push(frame)
                    fed.append((session, talk))
        if not fed:
            return False
        try:
            self._engine.tick()
        except Exception:  # whose fault it was cannot be told
            log.exception("a tick failed for %d conversations", len(fed))
            for session, _ in fed:
                self._end(session, _FAULT)
            return True
        for session, talk in fed:
            with self._guarded(session):
                for output in talk.pull():
                    session.post(Spoken(output.pcm, output.text))
        return True

    @contextlib.contextmanager
    def _guarded(self, session: Session) -> Iterator[None]:
        """What goes wrong in here ends this one conversation."""
        try:
            yield
        except UserError as error:
            self._end(session, Failed(str(error)))
        except Exception:
            log.exception("a conversation failed")
            self._end(session, _FAULT)

    def _end(self, session: Session, event: Failed | None = None) -> None:
        talk = self._talks.pop(session, None)
        if talk is not None:
            try:
                talk.close()
            except Exception:
                log.exception("a conversation could not be closed")
        if event is not None:
            session.post(event)
