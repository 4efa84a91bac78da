"""A model that is being served: what it offers, and how a protocol opens a conversation with it.

The one place where names from the network become personas; no name ever becomes a path.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from personaplex.checkpoints import Model
from personaplex.engine import Engine
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES
from personaplex.lm.sampling import Sampling
from personaplex.persona.persona import DEFAULT_ROLE, DEFAULT_VOICE, Persona
from personaplex.persona.voices import Voice
from personaplex.serve.mailbox import BACKLOG_FRAMES, Failed, Mailbox, Session


class Service:
    """A model, its engine behind a mailbox, and its voices by name.

    Attributes:
        name: the model's.
        voices: names of its voices; none for a model without personas.
        default_voice: for a client that names none; None where there are no voices.
        default_role: for a client that gives none.
        capacity: conversations that can be held at once.
        mailbox: to its engine.
    """

    def __init__(self, model: Model, capacity: int = 1, backlog: int = BACKLOG_FRAMES):
        self.name = model.name
        self.voices = tuple(model.voices.names())
        self.default_voice = next((name for name in (DEFAULT_VOICE, *self.voices) if name in self.voices), None)
        self.default_role = DEFAULT_ROLE if self.voices else ""
        self.capacity = capacity
        self.mailbox = Mailbox(Engine(model, capacity), backlog)
        self._model = model
        self._loaded: dict[str, Voice] = {}

    def open(self, role: str, voice: str | None, sampling: Sampling, seed: int) -> Session:
        """Ask for a conversation with a persona; `voice` is one of `voices`, or None for none.

        A model without voices gets no prompt at all when the role is empty too.
        """
        if voice is not None and voice not in self.voices:
            raise ValueError(f"not a voice of this model: {voice!r}")

        def persona() -> Persona | None:  # in the engine's thread: it may read a file
            if voice is None:
                return Persona(role) if role.strip() else None
            if voice not in self._loaded:
                self._loaded[voice] = self._model.voices.named(voice, self._model)
            return Persona(role, self._loaded[voice])

        return self.mailbox.open(persona, sampling, seed)

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

    async def _warm_up(self) -> None:
        session = self.open(self.default_role, self.default_voice, Sampling(), seed=0)
        for _ in range(2):  # the first event is Ready, the second the answer to a frame of silence
            event = await session.events.get()
            if isinstance(event, Failed):
                raise UserError(f"{self.name} does not work: {event.message}")
            session.push(np.zeros(FRAME_SAMPLES, np.float32))
        session.close()
