"""A model that is being served: what it offers, and how a protocol opens a conversation with it.

The one place where names from the network become personas; no name ever becomes a path.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from personaplex.checkpoints import Model
from personaplex.engine import Engine
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.lm.sampling import Sampling
from personaplex.persona.persona import DEFAULT_ROLE, DEFAULT_VOICE, MIN_ROOM, Persona
from personaplex.persona.prompt import SILENT_FRAMES
from personaplex.serve.door import Door
from personaplex.serve.events import Failed, Mark
from personaplex.serve.guard import Guard
from personaplex.serve.library import Library
from personaplex.serve.limits import BACKLOG_FRAMES, Limits
from personaplex.serve.mailbox import Mailbox
from personaplex.serve.metrics import Metrics
from personaplex.serve.personas import as_query
from personaplex.serve.recordings import Recording, Recordings
from personaplex.serve.session import Session
from personaplex.serve.trace import Traces


@dataclass(frozen=True)
class Wish:
    """What a client asks for, understood and checked.

    Attributes:
        voice: name of a voice of the model's, or id of one of the owner's; None where there is none.
        role: the role text, may be empty.
        sampling: how tokens are chosen.
        seed: of the conversation's chance.
        owner: who asks, and whose voices it may therefore be.
        record: whether it asks to be recorded; it is where recordings are on.
    """

    voice: str | None
    role: str
    sampling: Sampling
    seed: int
    owner: str = ""
    record: bool = False


class Service:
    """A model, its engine behind a mailbox, its voices by name, and who may talk with it.

    Args:
        model: what is served.
        capacity: conversations that can be held at once.
        backlog: frames of input that a conversation may be behind before the oldest are thrown away.
        queue: clients that may wait for a place.
        limits: how long a client may take for what.
        guard: who is let in; by default anybody on this machine.
        traces: a directory for traces of every conversation; None for none.
        mark: makes a mark for one conversation's outgoing sound; None for none.
        data: a directory for what clients store, voices and personas; None for a server that stores nothing.
        record: a directory for recordings of conversations whose clients ask for one; None for none.
        retention_days: after which recordings are deleted; None for never.
        gather: see `Mailbox`.

    Attributes:
        name: the model's.
        voices: names of its voices; none for a model without personas.
        default_voice: for a client that names none; None where there are no voices.
        default_role: for a client that gives none.
        hears: whether the model tells what it heard the user say.
        mailbox: to its engine.
        door: who is in.
        metrics: what is counted.
        library: voices and personas by name.
        recordings: None where nothing is recorded.
    """

    def __init__(
        self,
        model: Model,
        capacity: int = 1,
        backlog: int = BACKLOG_FRAMES,
        *,
        queue: int = 0,
        limits: Limits | None = None,
        guard: Guard | None = None,
        traces: Path | None = None,
        mark: Callable[[], Mark] | None = None,
        data: Path | None = None,
        record: Path | None = None,
        retention_days: float | None = None,
        gather: bool = True,
    ):
        self.name = model.name
        self.voices = tuple(model.voices.names())
        self.default_voice = next((name for name in (DEFAULT_VOICE, *self.voices) if name in self.voices), None)
        self.default_role = DEFAULT_ROLE if self.voices else ""
        self.capacity = capacity
        self.hears = model.lm.layout.heard
        self.limits = limits or Limits()
        self.guard = guard or Guard()
        self.door = Door(capacity, queue)
        self.metrics = Metrics(self.name)
        self.mailbox = Mailbox(Engine(model, capacity), backlog, self.metrics, gather)
        self.library = Library(model, self.mailbox, data)
        self.recordings = None if record is None else Recordings(record, retention_days)
        self._traces = None if traces is None else Traces(traces, model)
        self._mark = mark
        self._model = model

    @property
    def sampling(self) -> Sampling:
        """How tokens are chosen for who does not say."""
        return self._model.sampling

    @property
    def max_role_tokens(self) -> int:
        """How long a role may be beside a voice sample of the length that the model was trained with."""
        context = self._model.lm.config.context
        spoken = round((self._model.voice_seconds or 0) * SAMPLE_RATE / FRAME_SAMPLES)
        return max(0, context - min(MIN_ROOM, context // 4) - spoken - 2 * SILENT_FRAMES)

    def describe(self) -> dict[str, object]:
        """What a client may know of the model."""
        sampling = self.sampling
        return {
            "id": self.name,
            "object": "model",
            "voices": list(self.voices),
            "default_voice": self.default_voice,
            "default_role": self.default_role,
            "sampling": {
                "audio_temperature": sampling.temp_audio,
                "audio_topk": sampling.topk_audio,
                "text_temperature": sampling.temp_text,
                "word_temperature": sampling.temp_word,
                "text_topk": sampling.topk_text,
            },
            "sample_rate": SAMPLE_RATE,
            "frame_samples": FRAME_SAMPLES,
            "hears": self.hears,
            "synthetic": True,
            "max_role_tokens": self.max_role_tokens,
        }

    def open(self, wish: Wish) -> Session:
        """Ask for a conversation with a persona; who asks has a ticket of `door`.

        A model without voices gets no prompt at all when the role is empty too.
        """
        role, voice = wish.role, wish.voice
        if voice is not None and not self.library.has(wish.owner, voice):
            raise UserError(f"The voice {voice[:80]!r} is no longer there; choose another.")
        nobody = voice is None and not role.strip()

        def persona() -> Persona | None:  # in the engine's thread: it may read a file
            return None if nobody else Persona(role, None if voice is None else self.library.load(voice))

        name = f"sess_{secrets.token_hex(8)}"
        tap = None
        if self._traces is not None:
            tap = self._traces.tap(name, None if nobody else role, voice, wish.sampling, wish.seed)
        mark = self._mark() if self._mark else None
        return self.mailbox.open(persona, wish.sampling, wish.seed, name=name, tap=tap, mark=mark)

    def record(self, session: Session, wish: Wish, protocol: str) -> Recording | None:
        """The recording of a conversation that begins now; None where there is none to be."""
        if self.recordings is None or not wish.record:
            return None
        return self.recordings.begin(
            owner=wish.owner,
            session=session.name,
            protocol=protocol,
            model=self.name,
            voice=wish.voice,
            voice_name=wish.voice and self.library.name(wish.owner, wish.voice),
            role=wish.role,
            sampling=dataclasses.asdict(wish.sampling),
            seed=wish.seed,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The engine's thread, running and warm: the first client does not wait for what only the first frame costs.

        Raises:
            UserError: when not even the default persona can be opened.
        """
        self.mailbox.start()
        try:
            await self._warm_up()
            yield
        finally:
            await asyncio.to_thread(self.mailbox.stop)
            if self._traces:
                await asyncio.to_thread(self._traces.close)
            if self.recordings:
                await asyncio.to_thread(self.recordings.close)

    async def _warm_up(self) -> None:
        session = self.mailbox.open(
            lambda: Persona(self.default_role, self.library.load(self.default_voice)) if self.default_voice else None,
            self.sampling,
            seed=0,
        )
        for _ in range(2):  # the first event is Ready, the second the answer to a frame of silence
            event = await session.events.get()
            if isinstance(event, Failed):
                raise UserError(f"{self.name} does not work: {event.message}")
            session.push(np.zeros(FRAME_SAMPLES, np.float32))
        session.close()


def read_wish(asked: Mapping[str, str], service: Service, owner: str = "") -> Wish:
    """Understand what a client asks for by the names of `/api/chat`'s query.

    An absent or empty value takes its default, except that an empty role is no role; other names are ignored. `persona`
    names one of the owner's, which gives the defaults.

    Raises:
        UserError: when a value makes no sense, or there is no such voice or persona.
    """
    if name := asked.get("persona"):
        persona = service.library.personas and service.library.personas.find(owner, name)
        if not persona:
            raise UserError(f"There is no persona {name[:80]!r}; /v1/personas lists those that there are.")
        asked = as_query(persona) | {key: value for key, value in asked.items() if value or key == "text_prompt"}
    voice = (asked.get("voice_prompt") or "").removesuffix(".pt") or service.default_voice
    if voice is not None and not service.library.has(owner, voice):
        raise UserError(f"There is no voice {voice[:80]!r}; /v1/voices lists those that there are.")
    plain = service.sampling
    sampling = plain.but(
        temp_audio=_temperature(asked, "audio_temperature", plain.temp_audio),
        topk_audio=whole(asked, "audio_topk", plain.topk_audio, 0, 1 << 20),
        temp_text=_temperature(asked, "text_temperature", plain.temp_text),
        temp_word=_temperature(asked, "word_temperature", plain.temp_word, zero=True),
        topk_text=whole(asked, "text_topk", plain.topk_text, 0, 1 << 20),
    )
    seed = whole(asked, "seed", -1, -1, (1 << 63) - 1)
    return Wish(
        voice=voice,
        role=asked.get("text_prompt", service.default_role),
        sampling=sampling,
        seed=secrets.randbits(31) if seed == -1 else seed,
        owner=owner,
        record=bool(whole(asked, "record", 0, 0, 1)),
    )


def with_persona(wish: Wish, role: str | None, voice: str | None, record: bool | None) -> Wish:
    """The wish with what is given of role, voice (one of the service's) and whether to record."""
    return dataclasses.replace(
        wish,
        role=wish.role if role is None else role,
        voice=voice or wish.voice,
        record=wish.record if record is None else record,
    )


def whole(asked: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number of a client's, within bounds; UserError when it is none."""
    text = asked.get(name) or str(default)
    try:
        value = int(text[:40])
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise UserError(f"{name} must be a whole number from {low} to {high}; it was {text[:80]!r}.")
    return value


def _temperature(asked: Mapping[str, str], name: str, default: float, zero: bool = False) -> float:
    text = asked.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (0 < value <= 10 or (zero and value == 0)):  # also refuses NaN
        least = "0 or more" if zero else "above 0"
        raise UserError(f"{name} must be a number {least} and at most 10; it was {text[:80]!r}.")
    return value
