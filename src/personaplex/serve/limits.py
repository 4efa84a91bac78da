"""How much a client may have of everything: the numbers in one place. Knows no client."""

from __future__ import annotations

from dataclasses import dataclass

BACKLOG_FRAMES = 25  # frames of input that may wait, 2 s; past it the oldest go until half are left
OUTBOX_EVENTS = 150  # events that a client may leave unread, about 10 s of a conversation
MESSAGE_BYTES = 256 * 1024  # the longest message that a client may send
LINE_BYTES = 8192  # the longest line of a request that uvicorn's WebSocket library takes
BODY_BYTES = 64 * 1024  # the longest body of a request that is no upload


@dataclass(frozen=True)
class Limits:
    """Times, in seconds.

    Attributes:
        idle: without any sound from the client, after which its conversation ends.
        handshake: for a client to say what it wants, once it is connected.
        longest: of a conversation; None for no limit.
        send: for one message to leave.
        ping: between two pings, and for the answer to each; a client that has vanished holds its place no longer.
        drain: that conversations may go on once the server has been told to end.
        warning: before a conversation is ended from here, for the client to be told.
    """

    idle: float = 60.0
    handshake: float = 10.0
    longest: float | None = None
    send: float = 10.0
    ping: float = 20.0
    drain: float = 30.0
    warning: float = 30.0
