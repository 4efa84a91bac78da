"""When a tick begins: the clock that all conversations share.

One tick answers a frame of every conversation that has one and costs about the same however many those are, so each
conversation should have one place in each 80 ms and not a tick to itself. A tick begins

- as soon as every conversation that streams has a frame waiting; for one alone that is at once;
- else when a frame has waited for 80 ms: whoever is missing holds the others up no longer than that.

Two corrections keep waits short, both from time the engine has to spare. A conversation in which frames have been left
over for a second, because its network stalled or its clock runs fast, makes the ticks hurry until none is left; frames
that merely come in bursts are worked off one a tick. And where all would wait less if the tick came behind another
conversation's frame, since a wider gap follows that one, one extra tick moves it there.

Pure: knows times in seconds, from whatever clock its caller reads, and names; no threads, no engine, no sound.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

from personaplex.frames import FRAME_SECONDS

LATE_TICK = FRAME_SECONDS  # s from when a tick is due to its end
LATE_FRAME = 2 * FRAME_SECONDS  # s from when a frame is due to its answer: a frame's wait, then a tick that is not late
STREAMING = 4 * FRAME_SECONDS  # s since its last sound in which a conversation is expected to bring another frame
BEHIND = 1.0  # s in which frames were left over after every tick, after which a conversation is behind
HURRY = 1.1  # ticks from begin to begin while one is behind, in ticks' own lengths; never more than a frame
REGROUP = 1.0  # s between two moves of the tick to behind another conversation's frame
GAIN = FRAME_SECONDS / 4  # s by which the longest wait must become shorter for that

K = TypeVar("K", bound=Hashable)


class Place(NamedTuple):
    """What the clock knows of a conversation.

    Attributes:
        due: when the frame that is next was due; None where none waits.
        newest: when sound last came.
    """

    due: float | None
    newest: float


class Clock(Generic[K]):
    """Decides when the next tick begins.

    Args:
        gather: False for ticks that wait for nobody.
    """

    def __init__(self, gather: bool = True):
        self._gather = gather
        self._cost = 0.0  # of a tick in seconds, an average that forgets
        self._began = -math.inf
        self._whole = False  # the tick that is due waits for nobody
        self._behind: dict[K, float] = {}  # since when frames were left over
        self._enough: frozenset[K] = frozenset()  # whose frames suffice for the next tick
        self._regrouped = -math.inf

    def due(self, places: Mapping[K, Place], now: float) -> float | None:
        """When the next tick is due as things stand, so at once where that is not after `now`; None for nothing to do.

        Args:
            places: of every conversation.
            now: the time.
        """
        waiting = {key: place.due for key, place in places.items() if place.due is not None}
        if not waiting:
            return None
        if not self._gather:
            return min(now, *waiting.values())
        # One place a tick: what was left over from the last one has waited for its place since that.
        latest = max(self._began, min(waiting.values())) + FRAME_SECONDS
        gone = [place.newest + STREAMING for place in places.values() if place.due is None]
        self._whole = all(time <= now for time in gone)
        if self._whole or (self._enough and self._enough <= waiting.keys()):
            return min(now, latest, max(*waiting.values(), *(time for time in gone if time <= now), -math.inf))
        if any(key in waiting and now - since >= BEHIND for key, since in self._behind.items()):
            latest = min(latest, self._began + HURRY * self._cost)
        return min(latest, max(gone))

    def ticked(self, began: float, took: float, answered: Mapping[K, float], left: Collection[K]) -> None:
        """A tick was made.

        Args:
            began: when it began.
            took: how long it took.
            answered: when the frames that it answered were due.
            left: who has more frames waiting.
        """
        self._cost += (0.1 if self._cost else 1.0) * (took - self._cost)
        self._began = began
        self._behind = {key: self._behind.get(key, began) for key in left}
        self._enough = frozenset()
        if self._whole and not left and began - self._regrouped >= REGROUP:
            self._regroup(answered)

    def _regroup(self, answered: Mapping[K, float]) -> None:
        """Find the widest gap between conversations' frames; a tick belongs before it, so that the fewest wait long."""
        order = sorted(answered, key=answered.__getitem__)  # in which their next frames come, one frame later
        behind_last = FRAME_SECONDS - (answered[order[-1]] - answered[order[0]]) if order else 0.0
        gap, count = max(
            (
                (answered[later] - answered[sooner], count)
                for count, (sooner, later) in enumerate(pairwise(order), 1)
                if answered[later] + FRAME_SECONDS > self._began + self._cost  # the extra tick can be without it
            ),
            default=(0.0, 0),
        )
        if gap > behind_last + GAIN:
            self._enough, self._regrouped = frozenset(order[:count]), self._began
