"""The clock that conversations share, on simulated time: nobody waits long, and no tick is made without need."""

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personaplex.frames import FRAME_SECONDS as FRAME
from personaplex.serve.clock import GAIN, LATE_FRAME, LATE_TICK, REGROUP, Clock, Place


@dataclass
class Run:
    """What came of a simulation: when each tick was due, began and ended, and each frame's times by conversation."""

    ticks: list[tuple[float, float, float]] = field(default_factory=list)
    came: dict[int, list[float]] = field(default_factory=dict)
    began: dict[int, list[float]] = field(default_factory=dict)
    ended: dict[int, list[float]] = field(default_factory=dict)

    def wait(self, *keys, since=0.0, until=math.inf):
        """The longest from a frame's arrival to the begin of its tick, in seconds."""
        frames = (pair for key in keys or self.came for pair in zip(self.came[key], self.began[key], strict=True))
        return max(began - came for came, began in frames if since <= came < until)

    def delay(self, *keys, since=0.0, until=math.inf):
        """The longest from a frame's arrival to its answer, in seconds."""
        frames = (pair for key in keys or self.came for pair in zip(self.came[key], self.ended[key], strict=True))
        return max(ended - came for came, ended in frames if since <= came < until)


def simulate(arrivals, cost, gather=True):
    """Drive a clock as the mailbox does; `arrivals` are the times of each conversation's frames, `cost` of a tick."""
    clock, run = Clock(gather), Run()
    coming = [(float(time), key) for key, times in enumerate(arrivals) for time in times]
    heapq.heapify(coming)
    waiting = {key: [] for key in range(len(arrivals))}
    newest = dict.fromkeys(waiting, -math.inf)
    for book in (run.came, run.began, run.ended):
        book.update({key: [] for key in waiting})

    def receive(until):
        while coming and coming[0][0] <= until:
            time, key = heapq.heappop(coming)
            waiting[key].append(time)
            run.came[key].append(time)
            newest[key] = time

    now = 0.0
    while coming or any(waiting.values()):
        receive(now)
        due = clock.due({k: Place(frames[0] if frames else None, newest[k]) for k, frames in waiting.items()}, now)
        if due is None or due > now:
            now = min([time for time in (due, coming[0][0] if coming else None) if time is not None])
            continue
        answered = {key: frames.pop(0) for key, frames in waiting.items() if frames}
        left = [key for key, frames in waiting.items() if frames]
        end = now + cost
        clock.ticked(now, cost, answered, left)
        run.ticks.append((due, now, end))
        for key in answered:
            run.began[key].append(now)
            run.ended[key].append(end)
        now = end
    return run


def stream(phase, seconds, period=FRAME):
    """When the frames of a client come that sends in real time."""
    return phase + period * np.arange(round(seconds / FRAME))


PHASES = st.lists(st.floats(0, FRAME, exclude_max=True), min_size=2, max_size=8)
SOME = settings(deadline=None, max_examples=40)


@SOME
@given(PHASES, st.floats(0.001, 0.07), st.sampled_from([0, 0.001, 0.01]), st.integers(0, 99))
def test_every_frame_has_its_place_within_80_ms_and_ticks_are_no_more_than_that_takes(phases, cost, jitter, seed):
    rng = np.random.default_rng(seed)
    arrivals = [stream(phase, 10) + rng.uniform(0, jitter, 125) for phase in phases]
    run = simulate(arrivals, cost)
    assert all(len(ended) == 125 for ended in run.ended.values())  # nobody starves
    assert run.wait() <= FRAME + cost + jitter
    assert len(run.ticks) <= 1.25 * 10 / FRAME


@SOME
@given(PHASES, st.floats(0.001, 0.06))
def test_the_tick_settles_before_the_widest_gap(phases, cost):
    run = simulate([stream(phase, 10) for phase in phases], cost)
    order = sorted(phases)
    widest = max(later - sooner for sooner, later in zip(order, [*order[1:], order[0] + FRAME], strict=True))
    assert run.wait(since=6, until=9) <= FRAME - widest + max(GAIN, cost) + 1e-6
    assert run.delay(since=6) <= LATE_FRAME
    settled = [(due, end) for due, began, end in run.ticks if 6 <= began < 9]
    assert len(settled) <= 3 / FRAME + 1 + 3 / REGROUP
    assert all(end - due <= LATE_TICK for due, end in settled)


@given(st.floats(0.001, 0.079), st.lists(st.floats(0, 0.3), min_size=1, max_size=30))
def test_one_alone_never_waits_for_the_clock(cost, pauses):
    run = simulate([np.cumsum(pauses)], cost)
    free = 0.0
    for came, began, ended in zip(run.came[0], run.began[0], run.ended[0], strict=True):
        assert began == max(came, free)
        free = ended


def test_without_gathering_nobody_waits_for_anybody():
    assert simulate([stream(0, 2), stream(0.03, 2), stream(0.05, 2)], 0.005, gather=False).wait() <= 0.005


@pytest.mark.parametrize("cost", [0.01, 0.058])
def test_a_client_that_falls_silent_holds_the_others_up_for_one_frame_at_most(cost):
    run = simulate([stream(0, 10), stream(0.03, 10), stream(0.06, 4)], cost)  # the third is gone after 4 s
    assert run.wait(0, 1) <= FRAME + cost
    assert run.wait(0, 1, since=6, until=9) <= 0.03 + max(cost, GAIN) + 1e-6  # as if it had never been there


@SOME
@given(st.floats(0.02, 0.2), st.floats(0.005, 0.06), st.integers(1, 4), PHASES)
def test_bursts_of_some_clients_do_not_cost_a_tick_each(burst, cost, bursty, phases):
    bursts = [phase + np.ceil(stream(0.01, 10) / burst) * burst for phase in phases[:bursty]]
    run = simulate([*bursts, *(stream(phase, 10) for phase in phases[bursty:])], cost)
    assert len(run.ticks) <= 1.6 * 10 / FRAME
    assert run.delay() <= 0.2 + 2 * FRAME + cost


@pytest.mark.parametrize("cost", [0.01, 0.058])
def test_who_is_behind_catches_up_and_the_others_are_not_late_by_that(cost):
    stalled = stream(0.02, 20)
    stalled[(stalled > 4.5) & (stalled < 5)] = 5.0  # half a second of the second's comes at once
    run = simulate([stream(0, 20), stalled, stream(0.05, 20)], cost)
    assert run.delay(1, since=5.1) > 4 * FRAME  # it was far behind
    assert run.delay(1, since=12) <= 2 * FRAME
    assert run.delay(0, 2) <= LATE_FRAME


@pytest.mark.parametrize("drift", [-3e-4, 3e-4])
def test_clocks_that_drift_never_pile_frames_up(drift):
    run = simulate([stream(0, 600), stream(0.02, 600, FRAME * (1 - drift)), stream(0.05, 600)], 0.03)
    assert run.delay() <= LATE_FRAME + 0.03
    assert len(run.ticks) <= 1.05 * 600 / FRAME


def test_an_engine_that_is_too_slow_is_late_by_the_clock():
    run = simulate([stream(0, 20), stream(0.03, 20)], 0.09)
    assert sum(end - due > LATE_TICK for due, _, end in run.ticks) > 0.95 * len(run.ticks)
