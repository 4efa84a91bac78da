"""A model of ours as a system: recordings through the engine on a simulated clock, as fast as it goes.

A case's tokens depend on its sound, role, voice, seed and the engine's padded capacity alone, so that a run can stop
anywhere and go on. Knows nothing of tasks and scores.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from personaplex.audio import pad_to_frames, read_audio
from personaplex.bench.records import TOKENS_JSON, Case, write_json
from personaplex.bench.systems.files import case_seed, give, refuse
from personaplex.checkpoints.model import Model
from personaplex.engine import Engine
from personaplex.errors import UserError
from personaplex.lm.sampling import Sampling
from personaplex.offline import reply, transcript
from personaplex.persona.persona import DEFAULT_ROLE, DEFAULT_VOICE, Persona
from personaplex.persona.voices import Voice


class EngineSystem:
    """A `System`.

    Args:
        model: the model.
        sampling: how its tokens are chosen; None for the published settings.
        seed: from which each case's own seed is made.
        batch_size: conversations at once.
        role: of cases that bring none; None for the released models' usual one.
        voice: of cases that bring none: a name or a path; None for the model's usual one.

    Raises:
        UserError: when the voice is none.
    """

    def __init__(
        self,
        model: Model,
        sampling: Sampling | None = None,
        seed: int = 0,
        batch_size: int = 1,
        role: str | None = None,
        voice: str | None = None,
    ):
        self.name = model.name.replace("/", "--")
        self._model, self._sampling, self._seed = model, sampling or model.sampling, seed
        self._engine = Engine(model, batch_size)
        self._role, self._named = role, voice
        self._voice = functools.cache(lambda name: model.voices.load(name, model))
        self._default = self._default_voice(voice)

    def describe(self) -> dict[str, Any]:
        """See `System`."""
        return {
            "model": self._model.name,
            "sha256": self._model.sha256,
            "sampling": asdict(self._sampling),
            "seed": self._seed,
            "capacity": self._engine.rows,
            "role of cases without one": DEFAULT_ROLE if self._role is None else self._role,
            "voice of cases without one": self._default.name if self._default else None,
            "device": str(self._engine.device),
        }

    def answer(self, cases: Sequence[Case], folder: Callable[[Case], Path]) -> Iterator[Case]:
        """See `System`."""
        taken: list[Case] = []
        personas: list[Persona | None] = []
        seeds: list[int] = []
        refused: list[Case] = []

        def sounds() -> Iterator[np.ndarray]:
            for case in cases:
                try:
                    pcm, persona = read_audio(case.source), self._persona(case)
                    self._engine.prefix(persona)  # a role that is too long is found here, where it harms no other case
                except UserError as error:
                    refuse(folder(case), error)
                    refused.append(case)
                    continue
                taken.append(case)
                personas.append(persona)
                seeds.append(case_seed(self._seed, case))
                yield pcm

        for index, made in reply(self._engine, sounds(), personas, self._sampling, seeds):
            case = taken[index]
            said = transcript(made, self._model, personas[index], self._sampling, self._engine)
            write_json(folder(case) / TOKENS_JSON, said)
            give(folder(case), made.pcm)
            yield case
        yield from refused

    def copy(self, pcm: np.ndarray) -> np.ndarray:
        """Float32 mono `[n]` at 24 kHz through the codec and back: the most that a clone of this model can be like."""
        codec = self._model.codec
        weight = next(codec.parameters())
        with torch.inference_mode():
            sound = torch.from_numpy(pad_to_frames(np.asarray(pcm, np.float32))).to(weight)
            return codec.decode(codec.encode(sound[None, None]))[0, 0].float().cpu().numpy()[: len(pcm)]

    def _default_voice(self, name: str | None) -> Voice | None:
        if name is None and not self._model.voices.names():
            return None  # a model without voices (Moshi) plays no persona unless a case asks for one
        return self._voice(DEFAULT_VOICE if name is None else name)

    def _persona(self, case: Case) -> Persona | None:
        voice = self._default if case.voice is None else self._voice(case.voice)
        role = case.role or self._role
        if voice is None and role is None:
            return None
        return Persona(DEFAULT_ROLE if role is None else role, voice)
