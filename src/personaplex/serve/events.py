"""What happens in a conversation, as the engine's thread tells it; and what may look on or change what goes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from personaplex.engine import Output


@dataclass(frozen=True)
class Ready:
    """The persona is in place: the conversation begins with the sound pushed from now on."""


@dataclass(frozen=True)
class Spoken:
    """One frame of the agent's.

    Attributes:
        pcm: float32 `[1920]`.
        text: a piece of text, "" for most frames.
        heard: a piece of what it heard the user say, "" for most frames and where the model has no such stream.
        tick_ms: the engine's step that made it.
        queue: frames of the user's that still wait.
        late: frames of this conversation so far that were answered late (`clock.LATE_FRAME`).
        user: the frame of the user's that it answers, float32 `[1920]`.
    """

    pcm: np.ndarray
    text: str
    user: np.ndarray
    heard: str = ""
    tick_ms: float = 0.0
    queue: int = 0
    late: int = 0


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


ALTERNATIVES = 5  # text tokens that a tap is told of, for each frame


class Tap(Protocol):
    """Sees every frame of one conversation, in the engine's thread: it must return at once and never raise."""

    def begin(self, capacity: int) -> None:
        """The conversation begins, among so many computed rows."""

    def frame(self, user: np.ndarray, output: Output | None, queue: int, late: bool) -> None:
        """A frame of the user's, float32 `[1920]`, what it was answered with, what waits, and whether it came late."""

    def end(self) -> None:
        """The conversation is over."""


Mark = Callable[[np.ndarray], np.ndarray]
"""Marks one conversation's outgoing sound, frame by frame: float32 `[1920]` to the same."""

INTERNAL = "The conversation ended because of a fault in the server; its log says more."
Event = Ready | Spoken | Dropped | Failed
