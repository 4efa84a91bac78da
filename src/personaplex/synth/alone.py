"""Users alone: what callers say in a talk of any kind, one line after another, while nobody answers.

For dictation: words to hear cost a third of what they cost in a dialogue. Knows sentences only.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from personaplex.synth import brief, casual, service, strangers, teacher
from personaplex.synth.scripts import Script
from personaplex.synth.words import pick

_AMONG = (service.draw, service.draw, strangers.draw, strangers.draw_told, teacher.draw, casual.draw, brief.draw)
_LINES = 24  # more than are said in the longest conversation


def draw(rng: np.random.Generator, split: str) -> Script:
    """The users' lines of some scripts, and the role of the first of them."""
    first = pick(rng, _AMONG)(rng, split)
    lines = list(first.lines)
    while len(lines) < 2 * _LINES:
        lines += pick(rng, _AMONG)(rng, split).lines
    said = tuple(replace(line, barge=False) for line in lines if line.who == "user")
    return Script("alone", first.role, said)
