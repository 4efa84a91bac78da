"""Who may come in, who waits for how many others, and who is sent away.

Knows places and the order of arrival. Does not know what is done inside. Everything here belongs to the event loop's
thread and returns at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from personaplex.errors import UserError

RETRY_SECONDS = 15  # what a client that is sent away is told to wait


class Refusal(UserError):
    """A client is not let in.

    Args:
        message: why, in one sentence for the client.
        status: HTTP status.
        code: the same for programs.
        retry_after: seconds after which it makes sense to try again; None for never.
    """

    def __init__(self, message: str, status: int, code: str, retry_after: int | None = None):
        super().__init__(message)
        self.status, self.code, self.retry_after = status, code, retry_after

    def to_dict(self) -> dict[str, object]:
        """What an HTTP answer says, in the shape that OpenAI's clients read."""
        kinds = {401: "authentication_error", 429: "rate_limit_error", 503: "server_error"}
        kind = kinds.get(self.status, "invalid_request_error")
        return {"error": {"message": str(self), "type": kind, "code": self.code}}


@dataclass(frozen=True)
class Visitor:
    """Whose conversation it is.

    Attributes:
        owner: who owns what it stores here, such as voices; the same for all that come with one key. "" where the
            server has no keys: then everybody is one owner.
        sessions: conversations that this owner may have at once; None for any number.
    """

    owner: str = ""
    sessions: int | None = None


class Ticket:
    """A place, or a place in the queue.

    Attributes:
        visitor: whose.
        position: how many are before it, itself included; 0 inside.
    """

    def __init__(self, visitor: Visitor, position: int):
        self.visitor, self.position = visitor, position
        self._changed = asyncio.Event()

    def move(self, position: int) -> None:
        """Tell the holder where it stands now."""
        if position != self.position:
            self.position = position
            self._changed.set()

    async def positions(self) -> AsyncIterator[int]:
        """Each position as it is reached, until there is a place."""
        while self.position:
            self._changed.clear()
            yield self.position
            if self.position:  # it may have moved on meanwhile
                await self._changed.wait()


class Door:
    """Counts who is inside.

    Args:
        places: how many fit.
        queue: how many may wait outside.

    Attributes:
        closes_at: the event loop's time at which the last must have left; None while the door is open.
    """

    def __init__(self, places: int, queue: int = 0):
        self.places, self.queue = places, queue
        self.closes_at: float | None = None
        self._inside: set[Ticket] = set()
        self._waiting: deque[Ticket] = deque()

    @property
    def inside(self) -> int:
        """How many are in."""
        return len(self._inside)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def close(self, at: float) -> None:
        """Let nobody in any more; those who wait are sent away, those inside have until then."""
        self.closes_at = at

    def check(self, visitor: Visitor) -> None:
        """Raises `Refusal` when there is no place for this visitor, not even in the queue."""
        if self.closes_at is not None:
            raise Refusal("The server is shutting down; try again in a moment.", 503, "draining", RETRY_SECONDS)
        if visitor.sessions is not None:
            held = sum(ticket.visitor.owner == visitor.owner for ticket in (*self._inside, *self._waiting))
            if held >= visitor.sessions:
                some = f"{visitor.sessions} conversation{'s' * (visitor.sessions != 1)}"
                raise Refusal(
                    f"This key may have {some} at a time; end one first.", 429, "too_many_sessions", RETRY_SECONDS
                )
        if self.inside >= self.places and self.waiting >= self.queue:
            raise Refusal(
                f"All {self.places} places are taken; try again when a conversation has ended.",
                503,
                "server_full",
                RETRY_SECONDS,
            )

    @contextmanager
    def enter(self, visitor: Visitor) -> Iterator[Ticket]:
        """Take a place, or one in the queue, until the block ends.

        Raises:
            Refusal: as `check`.
        """
        self.check(visitor)
        room = self.inside < self.places
        ticket = Ticket(visitor, 0 if room else self.waiting + 1)
        if room:
            self._inside.add(ticket)
        else:
            self._waiting.append(ticket)
        try:
            yield ticket
        finally:
            self._leave(ticket)

    def _leave(self, ticket: Ticket) -> None:
        self._inside.discard(ticket)
        if ticket in self._waiting:
            self._waiting.remove(ticket)
        while self._waiting and self.inside < self.places:
            following = self._waiting.popleft()
            self._inside.add(following)
            following.move(0)
        for position, waiting in enumerate(self._waiting, start=1):
            waiting.move(position)
