"""People in the background who talk to one another: a track of speech that is nobody's turn.

Knows a few sentences and voices; how far away they are is `channel`'s affair.
"""

from __future__ import annotations

import functools

import numpy as np

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.speakers import random_user
from personaplex.speech.tts import TTS
from personaplex.synth.words import pick

BABBLE, TALKER = 0.07, 0.07  # chances, per dialogue: several voices throughout, one now and then
_CLIPS = 24
_TEXTS = (
    "Did you see the new house on the corner? They painted it green.",
    "I told him to bring the chairs, but he forgot them again.",
    "Table six needs two more glasses and the bill, please.",
    "We can take the bus at nine or walk over the bridge.",
    "The children were playing in the garden all morning.",
    "She said the train was late because of the snow.",
    "Put the boxes over there, next to the big window.",
    "And then he laughed and said that it was only a joke.",
    "The meeting is on the second floor, at the end of the hall.",
    "Have you tried the soup? It is very good today.",
    "My cousin works at the harbor and never sleeps before two.",
    "The news said that it will rain until the weekend.",
)


@functools.lru_cache
def _clip(tts: TTS, index: int) -> np.ndarray:
    rng = np.random.default_rng([77, index])
    return tts.say(_TEXTS[index % len(_TEXTS)], random_user(rng, "train")).pcm


def background(tts: TTS, samples: int, rng: np.random.Generator) -> np.ndarray | None:
    """What is heard from others during a dialogue, or None: mostly nothing.

    Args:
        tts: who can say it; hashable.
        samples: length of the track.
        rng: all chance comes from it.

    Returns:
        float32 `[samples]`, 24 kHz, clean, at no particular level.
    """
    roll = rng.random()
    if roll > BABBLE + TALKER:
        return None
    voices, rest = (int(rng.integers(3, 6)), 0.4) if roll < BABBLE else (1, 6.0)
    track = np.zeros(samples, np.float32)
    for _ in range(voices):
        at = int(rng.uniform(0, 4) * SAMPLE_RATE)
        own = [int(clip) for clip in rng.integers(_CLIPS, size=3)]
        while at < samples:
            clip = _clip(tts, pick(rng, own))  # type: ignore[arg-type]  # protocols do not say that they are hashable
            part = clip[: samples - at]
            track[at : at + len(part)] += part
            at += len(part) + int(rng.uniform(0.1, rest) * SAMPLE_RATE)
    return track
