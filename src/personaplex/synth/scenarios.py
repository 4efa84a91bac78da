"""Which kind of conversation is played, and how often: six in ten at a service desk, else questions and small talk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from personaplex.synth import casual, service, teacher
from personaplex.synth.scripts import Script


def draw_script(rng: np.random.Generator, split: str) -> Script:
    """A script for `split` (`train` or `test`): of ten, six service, two questions, two casual; a few silent."""
    roll = rng.random()
    if roll < 0.6:
        script = service.draw(rng, split)
    elif roll < 0.8:
        script = teacher.draw(rng, split)
    else:
        script = casual.draw(rng, split)
    if rng.random() < 0.03:  # nobody speaks, and the agent waits; or it greets and waits
        return replace(script, scenario="silent", lines=script.lines[:1] if script.agent_first else ())
    return script
