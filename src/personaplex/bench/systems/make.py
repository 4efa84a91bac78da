"""Systems by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from personaplex.bench.ears import Ear
from personaplex.bench.records import System
from personaplex.bench.systems.answers import Answerer, RuleAnswerer
from personaplex.bench.systems.cascade import Cascade
from personaplex.bench.systems.controls import babble, echo, silent
from personaplex.bench.systems.engine import EngineSystem
from personaplex.checkpoints.model import load_model
from personaplex.speech.engines import Voices

CONTROLS = ("silent", "echo", "babble", "cascade")


@dataclass(frozen=True)
class Options:
    """How systems are made; what each does not need it ignores.

    Attributes:
        device: of a model.
        sampling: what of its sampling is not its own, by the names of `Sampling`; None is no wish.
        seed: of its conversations.
        batch_size: of them at once.
        role: of cases without one; None for the usual one.
        voice: the same.
        ear: makes the cascade's recogniser.
        answerer: thinks up the cascade's answers.
    """

    device: torch.device | str = "cpu"
    sampling: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    batch_size: int = 1
    role: str | None = None
    voice: str | None = None
    ear: Callable[[], Ear] | None = None
    answerer: Answerer = field(default_factory=RuleAnswerer)


def make_system(name: str, options: Options) -> System:
    """A control by its name, else a model by its name, directory or hub id.

    Raises:
        UserError: when there is no such model, or what the system needs is not installed.
    """
    simple = {"silent": silent, "echo": echo, "babble": babble}
    if name in simple:
        return simple[name]()
    if name == "cascade":
        assert options.ear is not None
        return Cascade(options.ear(), options.answerer, Voices())
    model = load_model(name, device=options.device)
    return EngineSystem(
        model, model.sampling.but(**options.sampling), options.seed, options.batch_size, options.role, options.voice
    )
