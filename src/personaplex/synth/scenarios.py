"""Which kind of conversation is played, and how often: six in ten at a service desk, unless another mix is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from personaplex.synth import alone, brief, casual, service, strangers, teacher
from personaplex.synth.scripts import Script

_DRAW: dict[str, Callable[[np.random.Generator, str], Script]] = {
    "service": service.draw,
    "qa": teacher.draw,
    "casual": casual.draw,
    "story": partial(casual.draw, stories=1.0),  # small talk that begins with half a minute of the user's
    "brief": brief.draw,
    "open": strangers.draw,
    "told": strangers.draw_told,  # as `open`, begun with half a minute of the user's
    "interrupted": teacher.draw_interrupted,
    "alone": alone.draw,  # users whom nobody answers: for dictation, and for nothing else
}
KINDS = tuple(_DRAW)
USUAL: Mapping[str, float] = {"service": 0.6, "qa": 0.2, "casual": 0.2}


def draw_script(rng: np.random.Generator, split: str, mix: Mapping[str, float] = USUAL) -> Script:
    """A script for `split` (`train` or `test`); of three in a hundred only the beginning, after which nobody speaks.

    Args:
        rng: all chance comes from it.
        split: `train` or `test`.
        mix: share of each of `KINDS`; they need not add up to 1.
    """
    roll = rng.random() * sum(mix.values())
    kinds = [kind for kind, share in mix.items() if share > 0]
    for kind in kinds:
        roll -= mix[kind]
        if roll < 0:
            break
    script = _DRAW[kind](rng, split)
    if rng.random() < 0.03:  # nobody speaks, and the agent waits; or it greets and waits
        return replace(script, scenario="silent", lines=script.lines[:1] if script.agent_first else ())
    return script
