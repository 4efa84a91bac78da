"""Controls: systems that are as bad as can be, each in its own way, so that every metric is seen to tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from personaplex.audio import read_audio
from personaplex.bench.mini.archive import ARCHIVE, packed_sound
from personaplex.bench.records import Case
from personaplex.bench.systems.files import give, refuse
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE

BABBLE = "babble.ogg"  # in the mini set's archive: sentences of a synthetic voice, end to end
ECHO_SECONDS = 1.0


class Control:
    """A `System` that makes its sound from the user's.

    Args:
        name: its name.
        about: what it does.
        sound: the user's sound, float32 mono `[n]` at 24 kHz, to its own, `[n]`.
    """

    def __init__(self, name: str, about: str, sound: Callable[[np.ndarray], np.ndarray]):
        self.name = name
        self._about, self._sound = about, sound

    def describe(self) -> dict[str, Any]:
        """See `System`."""
        return {"control": self._about}

    def answer(self, cases: Sequence[Case], folder: Callable[[Case], Path]) -> Iterator[Case]:
        """See `System`."""
        for case in cases:
            try:
                give(folder(case), self._sound(read_audio(case.source)))
            except UserError as error:
                refuse(folder(case), error)
            yield case


def silent() -> Control:
    """Never speaks: perfect while the user pauses, and useless."""
    return Control("silent", "never speaks", np.zeros_like)


def echo() -> Control:
    """Repeats the user: fluent, related to the question, and never an answer."""
    late = round(ECHO_SECONDS * SAMPLE_RATE)
    about = f"repeats the user {ECHO_SECONDS:g} s later"
    return Control("echo", about, lambda pcm: np.concatenate([np.zeros(late, pcm.dtype), pcm])[: len(pcm)])


def babble() -> Control:
    """Always talks, whatever the user does.

    Raises:
        UserError: when the package lacks its sound.
    """
    talk = packed_sound(BABBLE, ARCHIVE)
    about = f"talks without a pause, {len(talk) / SAMPLE_RATE:.1f} s again and again"
    return Control("babble", about, lambda pcm: np.resize(talk, len(pcm)))
