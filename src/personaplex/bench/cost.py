"""What a model costs: bytes on disk, and the time of one core that a conversation takes. Knows no benchmark."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from personaplex.audio import pad_to_frames
from personaplex.checkpoints.model import Model
from personaplex.engine import Engine
from personaplex.frames import SAMPLE_RATE
from personaplex.persona.persona import DEFAULT_ROLE, DEFAULT_VOICE, Persona


@dataclass(frozen=True)
class Cost:
    """Of one model on this machine.

    Attributes:
        bytes: of its directory.
        share: seconds of computing for each second of sound, of a whole conversation: persona, encoding, thinking and
            decoding. Time of the processor, so that other processes do not count.
        seconds: of the sound that it was measured with.
    """

    bytes: int
    share: float
    seconds: float


def size_on_disk(folder: Path) -> int:
    """The bytes of all files of a model directory."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure_cost(model: Model, pcm: np.ndarray) -> Cost:
    """Hold one conversation on one thread of the CPU.

    Args:
        model: on the CPU.
        pcm: the user's sound, float32 mono `[n]` at 24 kHz.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        engine = Engine(model)
        voice = model.voices.load(DEFAULT_VOICE, model) if model.voices.names() else None
        begin = time.process_time()
        talk = engine.open(Persona(DEFAULT_ROLE, voice) if voice else None, model.sampling, 0)
        talk.push(pad_to_frames(pcm))
        while engine.tick():
            pass
        spent = time.process_time() - begin
    finally:
        torch.set_num_threads(threads)
    seconds = len(pcm) / SAMPLE_RATE
    return Cost(size_on_disk(model.path), spent / seconds, seconds)
