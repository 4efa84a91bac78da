"""Who speaks: eighteen agents by name, any number of users, and the voices kept away from training.

Knows only descriptions (`Speaker`); no sound is made here. The held-out engine voices are whole ones, a male and a
female, so that nothing measured on them was heard in training under another name.
"""

from __future__ import annotations

import numpy as np

from personaplex.speech.tts import Speaker

HELD_OUT = {"kal16": "M", "en-us+f4": "F"}  # engine voices that only the test split may use


def _agent(name: str, voice: str, pitch: float, warp: float, stretch: float) -> Speaker:
    return Speaker(name, "flite", voice, name[3], pitch, warp, stretch, "agent")


# NAT* are near the recorded voices; VAR* are bent further. Each differs from the others in at least two of the three.
AGENTS: dict[str, Speaker] = {
    speaker.id: speaker
    for speaker in (
        _agent("NATF0", "slt", 1.00, 1.00, 1.00),
        _agent("NATF1", "slt", 1.16, 1.05, 0.95),
        _agent("NATF2", "slt", 0.90, 0.95, 1.02),
        _agent("NATF3", "slt", 1.26, 1.00, 1.06),
        _agent("NATM0", "rms", 1.00, 1.00, 0.92),
        _agent("NATM1", "awb", 0.95, 1.00, 1.08),
        _agent("NATM2", "rms", 1.10, 1.10, 0.88),
        _agent("NATM3", "awb", 0.76, 0.93, 1.04),
        _agent("VARF0", "slt", 1.34, 1.06, 0.94),
        _agent("VARF1", "slt", 0.82, 1.04, 1.06),
        _agent("VARF2", "slt", 1.10, 0.91, 1.08),
        _agent("VARF3", "slt", 0.97, 1.07, 0.96),
        _agent("VARF4", "slt", 1.42, 1.07, 1.02),
        _agent("VARM0", "rms", 0.91, 0.91, 0.95),
        _agent("VARM1", "awb", 1.12, 1.08, 1.10),
        _agent("VARM2", "rms", 1.17, 1.17, 0.98),
        _agent("VARM3", "awb", 0.66, 1.04, 1.02),
        _agent("VARM4", "slt", 0.62, 0.84, 1.02),
    )
}

_ESPEAK = {"F": ("f1", "f2", "f3", "f5", "linda", "belinda", "aunty"), "M": ("m1", "m2", "m3", "m4", "m6", "m7", "m8")}
_ACCENTS = ("en-us", "en-us", "en-us", "en-gb-x-rp", "en-gb-scotland")


def random_user(rng: np.random.Generator, split: str) -> Speaker:
    """Draw a user: for `train` a voice that is not held out, bent; for `test` one of those, lightly bent."""
    if split == "test":
        voice = "kal16" if rng.random() < 0.5 else "en-us+f4"
        engine = "flite" if voice == "kal16" else "espeak"
        sex = HELD_OUT[voice]
        pitch, warp, stretch = rng.uniform(0.94, 1.06), rng.uniform(0.97, 1.03), rng.uniform(0.92, 1.08)
    elif rng.random() < 0.65:
        engine = "flite"
        voice = str(rng.choice(["slt", "rms", "awb"]))
        sex = "F" if voice == "slt" else "M"
        pitch, warp, stretch = rng.uniform(0.78, 1.35), rng.uniform(0.87, 1.2), rng.uniform(0.8, 1.2)
        if voice == "awb" and rng.random() < 0.25:  # a child or a high woman's voice
            sex, pitch, warp = "F", rng.uniform(1.5, 1.9), rng.uniform(1.12, 1.25)
    else:
        engine, sex = "espeak", str(rng.choice(["F", "M"]))
        voice = f"{rng.choice(_ACCENTS)}+{rng.choice(_ESPEAK[sex])}"
        pitch, warp, stretch = rng.uniform(0.8, 1.25), rng.uniform(0.9, 1.12), rng.uniform(0.85, 1.25)
    tag = int(rng.integers(16**6))
    pitch, warp, stretch = (round(float(value), 3) for value in (pitch, warp, stretch))
    return Speaker(f"user-{voice}-{tag:06x}", engine, voice, sex, pitch, warp, stretch, split)
