"""What the server counts, in Prometheus' terms. Knows numbers; whoever sees something happen tells it.

Every server has a registry of its own, so that two in one process never share a number. Safe from any thread.
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from personaplex.frames import FRAME_SECONDS

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Where the time of a tick and the wait for a persona are told apart, in seconds; a frame's length is one of the marks.
TICKS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, FRAME_SECONDS, 0.1, 0.15, 0.25, 0.5, 1.0)
WAITS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


class Metrics:
    """The server's numbers, each labelled with the model's name.

    Args:
        model: that name.
    """

    def __init__(self, model: str):
        self.registry = registry = CollectorRegistry()
        self._model = model

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"personaplex_{name}", about, ["model", *labels], registry=registry)

        def gauge(name: str, about: str) -> Gauge:
            return Gauge(f"personaplex_{name}", about, ["model"], registry=registry)

        def histogram(name: str, about: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"personaplex_{name}", about, ["model"], registry=registry, buckets=buckets)

        self._sessions = gauge("sessions", "Conversations that hold a place.")
        self._waiting = gauge("waiting", "Clients in the queue.")
        self._begun = counter("sessions_begun", "Conversations that began.", "protocol")
        self._ended = counter("sessions_ended", "Conversations that ended, and why.", "protocol", "reason")
        self._refused = counter("refused", "Clients that were sent away.", "code")
        self._ready = histogram("ready_seconds", "From the request to a persona in place.", WAITS)
        self._tick = histogram("tick_seconds", "One step of the engine, all conversations.", TICKS)
        self._answer = histogram("answer_seconds", "From a frame of the user's to the agent's.", TICKS)
        self._start = gauge("startup_seconds", "From the beginning of loading to the first place that is free.")
        self._frames = counter("frames", "Frames answered.")
        self._late = counter("late_frames", "Frames answered later than two frames' length after they were due.")
        self._late_ticks = counter("late_ticks", "Ticks that ended later than one frame's length after they were due.")
        self._parts = counter("tick_part_seconds", "What ticks spent on each of their parts.", "part")
        self._dropped = counter("dropped_frames", "Frames of input thrown away.")
        self._faults = counter("faults", "Faults of ours that ended a conversation.")

        histograms, counters = (self._ready, self._tick, self._answer), (self._frames, self._dropped, self._faults)
        for always in (*histograms, *counters, self._late, self._late_ticks):
            always.labels(model)  # there from the beginning: a rate needs the zero before the first

    def started(self, seconds: float) -> None:
        """The server is ready, so long after it began to load its model."""
        self._start.labels(self._model).set(seconds)

    def ticked(self, seconds: float, late: bool) -> None:
        """The engine made a step that took so long and ended late or not."""
        self._tick.labels(self._model).observe(seconds)
        self._late_ticks.labels(self._model).inc(late)

    def spent(self, parts: Mapping[str, float]) -> None:
        """Where a step's time went, with all that is done around it: seconds by the part's name."""
        for part, seconds in parts.items():
            self._parts.labels(self._model, part).inc(max(0.0, seconds))

    def answered(self, seconds: float, late: bool) -> None:
        """A frame was answered so long after it was due."""
        self._frames.labels(self._model).inc()
        self._answer.labels(self._model).observe(seconds)
        if late:
            self._late.labels(self._model).inc()

    def dropped(self, frames: int) -> None:
        """Input was thrown away."""
        self._dropped.labels(self._model).inc(frames)

    def became_ready(self, protocol: str, seconds: float) -> None:
        """A conversation began."""
        self._begun.labels(self._model, protocol).inc()
        self._ready.labels(self._model).observe(seconds)

    def ended(self, protocol: str, reason: str) -> None:
        """A conversation that had begun is over."""
        self._ended.labels(self._model, protocol, reason).inc()

    def refused(self, code: str) -> None:
        """A client was sent away."""
        self._refused.labels(self._model, code).inc()

    def fault(self) -> None:
        """Something of ours went wrong."""
        self._faults.labels(self._model).inc()

    def page(self, sessions: int, waiting: int) -> bytes:
        """All of it as Prometheus reads it, with what is so at this moment."""
        self._sessions.labels(self._model).set(sessions)
        self._waiting.labels(self._model).set(waiting)
        return generate_latest(self.registry)
