"""Sound on its way to the engine. Knows frames and when they are due; does not know whose they are."""

from __future__ import annotations

import math
import threading
import time
from collections import deque

import numpy as np

from personaplex.frames import FRAME_SAMPLES, FRAME_SECONDS
from personaplex.serve.clock import Place
from personaplex.serve.limits import BACKLOG_FRAMES

DRIFT = 1e-3  # by which a client's clock may run fast without its frames being due ever later than they came


class Inbox:
    """One conversation's sound on its way to the engine: whole frames, and never more of them than the limit.

    The event loop puts, the engine's thread takes. Each frame carries the time at which it was due: when it came, or,
    for one of several that came at once, when it would have come had they been sent as they were spoken.
    """

    def __init__(self, limit: int = BACKLOG_FRAMES):
        self._limit = limit
        self._lock = threading.Lock()
        self._frames: deque[tuple[np.ndarray, float]] = deque()
        self._rest = np.zeros(0, np.float32)
        self._due = 0.0  # of the newest frame
        self._newest = -math.inf  # when sound last came

    @property
    def waiting(self) -> int:
        """Whole frames that wait."""
        return len(self._frames)

    @property
    def place(self) -> Place:
        """What the clock must know."""
        with self._lock:
            return Place(self._frames[0][1] if self._frames else None, self._newest)

    def put(self, pcm: np.ndarray) -> int:
        """Add sound `[n]` of any length; returns how many old frames were thrown away for it."""
        sound = np.concatenate([self._rest, pcm])
        whole = len(sound) // FRAME_SAMPLES
        self._rest = sound[whole * FRAME_SAMPLES :]
        now = self._newest = time.perf_counter()
        with self._lock:
            for frame in sound[: whole * FRAME_SAMPLES].reshape(whole, FRAME_SAMPLES):
                self._due = max(now, self._due + (1 - DRIFT) * FRAME_SECONDS)
                self._frames.append((frame, self._due))
            if len(self._frames) <= self._limit:
                return 0
            dropped = len(self._frames) - self._limit // 2
            kept = list(self._frames)[dropped:]
            self._frames.clear()
            self._frames.extend((frame, now + n * FRAME_SECONDS) for n, (frame, _) in enumerate(kept))
            self._due = now + (len(kept) - 1) * FRAME_SECONDS
            return dropped

    def take(self) -> tuple[np.ndarray, float] | None:
        """The oldest frame `[1920]` and when it was due, or None."""
        with self._lock:
            return self._frames.popleft() if self._frames else None
