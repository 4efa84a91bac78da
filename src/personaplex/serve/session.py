"""One conversation as the event loop sees it: sound in, events out. Does not know what carries them to a client."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

import numpy as np

from personaplex.serve.events import Dropped, Event, Failed, Ready
from personaplex.serve.inbox import Inbox
from personaplex.serve.limits import OUTBOX_EVENTS
from personaplex.serve.metrics import Metrics


class Host(Protocol):
    """Who runs the conversation: the mailbox."""

    metrics: Metrics

    def wake(self) -> None:
        """There is something to do."""

    def release(self, session: Session) -> None:
        """A conversation is over."""


class Session:
    """One conversation. Every method returns at once and belongs to the event loop's thread, but `post`.

    Args:
        host: who runs it.
        backlog: frames of input that it may be behind before the oldest are thrown away.
        name: what logs and traces call it.

    Attributes:
        events: what happens, in order.
        live: between `Ready` and the end.
        name: what logs and traces call it.
        inbox: the sound that waits for the engine.
    """

    def __init__(self, host: Host, backlog: int, name: str = ""):
        self.name = name
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.live = False
        self.inbox = Inbox(backlog)
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._over = False
        self._dropped = 0

    def push(self, pcm: np.ndarray) -> None:
        """Say something: float32 `[n]`, any n. Sound from before the conversation began is not part of it."""
        if not self.live:
            return
        if dropped := self.inbox.put(pcm):
            self._dropped += dropped
            self._host.metrics.dropped(dropped)
            self._deliver(Dropped(dropped, self._dropped))
        self._host.wake()

    def close(self) -> None:
        """End the conversation and free its place; at any moment, any number of times."""
        if not self._over:
            self._over, self.live = True, False
            self._host.release(self)

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
