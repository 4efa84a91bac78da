"""Who speaks: eighteen agents by name, any number of further ones and of users, and voices kept away from training.

Knows only descriptions (`Speaker`); no sound is made here. The held-out engine voices are whole ones, a male and a
female, so that nothing measured on them was heard in training under another name.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from personaplex.speech.colour import BANDS
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

# Variants of espeak-ng's American voice of which pocketsphinx, knowing word pairs, gets at least 55 % right.
# Other accents and variants fall short of that (60 to 95 % wrong). f4 is the test's; no other sounds the same.
_ESPEAK = {
    "F": ("f1", "f2", "f3", "f5"),
    "M": (
        "m1", "m2", "m3", "m5", "m6", "michel", "mike", "adam", "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Zac",
        "announcer", "antonio", "benjamin", "caleb", "croak", "edward", "grandpa", "john", "klatt", "klatt2",
        "klatt3", "klatt4", "klatt6",
    ),
}  # fmt: skip
_FLITE_SEX = {"slt": "F", "rms": "M", "awb": "M"}
# Of the engines that are not everywhere: the sex of their voices, and how often a voice is drawn where it is installed.
_OTHERS = {
    "festival ked": ("M", 0.15),  # faster than the HTS voice, and nobody else's
    "festival slt-hts": ("F", 0.05),
    "pico en-US": ("F", 0.08),
    "pico en-GB": ("F", 0.06),
    # Natural, but slow: corpora have them where they are asked for.
    **{f"kokoro {name}": ("F", 0.016) for name in ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro")},
    "kokoro jm_kumo": ("M", 0.016),
}
_BUZZING = 0.3  # share of the agents met nowhere else that espeak-ng speaks: less clear, but far from all the others
_TIMBRE_DB = 3.5  # standard deviation of what a throat adds or takes at each of `colour.BANDS`


def random_agent(rng: np.random.Generator, others: Sequence[str] = ()) -> Speaker:
    """Draw an agent that nobody has met: a voice that may be in training, bent less than a user's, to be understood.

    Args:
        rng: all chance comes from it.
        others: voices of engines that are not everywhere (`engines.others()`).
    """
    if rng.random() < _BUZZING:
        engine, sex = "espeak", str(rng.choice(["F", "M"]))
        voice = f"en-us+{rng.choice(_ESPEAK[sex])}"
    else:
        clear = [name for name in others if name.startswith(("pico", "festival slt"))]
        drawn = str(rng.choice([*(f"flite {name}" for name in _FLITE_SEX), *clear]))
        engine, _, voice = drawn.partition(" ")
        sex = _FLITE_SEX.get(voice) or _OTHERS[drawn][0]
    pitch, warp, stretch = (round(float(rng.uniform(*span)), 3) for span in ((0.72, 1.35), (0.88, 1.15), (0.9, 1.1)))
    timbre = tuple(round(float(gain), 1) for gain in rng.normal(0, 0.7 * _TIMBRE_DB, len(BANDS)))
    tag = int(rng.integers(16**6))
    return Speaker(f"agent-{voice}-{tag:06x}", engine, voice, sex, pitch, warp, stretch, "agent", timbre=timbre)


def random_user(rng: np.random.Generator, split: str, others: Sequence[str] = (), only: bool = False) -> Speaker:
    """Draw a user.

    Args:
        rng: all chance comes from it.
        split: for `train` a voice that is not held out, bent; for `test` one of those, lightly bent.
        others: voices of engines that are not everywhere, for `train` (`engines.others()`).
        only: for `train`, nobody else.
    """
    if split == "test":
        voice = "kal16" if rng.random() < 0.5 else "en-us+f4"
        engine, sex = ("flite" if voice == "kal16" else "espeak"), HELD_OUT[voice]
        bent = {"pitch": rng.uniform(0.94, 1.06), "warp": rng.uniform(0.97, 1.03), "stretch": rng.uniform(0.92, 1.08)}
    else:
        engine, voice, sex, bent = _train_user(rng, others, only)
    tag = int(rng.integers(16**6))
    gap = int(rng.choice([0, 0, 0, 2, 5])) if engine == "espeak" and split == "train" else 0
    rounded = {name: round(float(value), 3) for name, value in bent.items()}
    timbre: tuple[float, ...] = ()
    if split == "train" and rng.random() < 0.6:
        timbre = tuple(round(float(gain), 1) for gain in rng.normal(0, _TIMBRE_DB, len(BANDS)))
    return Speaker(f"user-{voice}-{tag:06x}", engine, voice, sex, split=split, gap=gap, timbre=timbre, **rounded)


def _train_user(rng: np.random.Generator, others: Sequence[str], only: bool) -> tuple[str, str, str, dict[str, float]]:
    shares = np.array([_OTHERS[name][1] for name in others])
    drawn = str(
        rng.choice(others, p=shares / shares.sum())
        if only
        else rng.choice([*others, ""], p=[*shares, 1 - shares.sum()])
    )
    engine, _, voice = drawn.partition(" ")
    if drawn:
        sex = _OTHERS[drawn][0]
    if engine == "festival":  # lower, its ked writes past its memory's end
        bent = {"pitch": rng.uniform(0.78, 1.5), "warp": rng.uniform(0.88, 1.2), "stretch": rng.uniform(0.78, 1.15)}
    elif engine == "pico":  # low and large enough, a woman is taken for a man
        bent = {"pitch": rng.uniform(0.55, 1.4), "warp": rng.uniform(0.8, 1.15), "stretch": rng.uniform(0.75, 1.2)}
    elif engine == "kokoro":
        second = str(rng.choice([name for name in others if name.startswith("kokoro")]))
        voice = f"{voice}+{second.partition(' ')[2]}*{rng.uniform(0, 0.5):.2f}"
        warp = rng.uniform(0.75, 1.15)  # its pitch goes with it
        bent = {"pitch": warp, "warp": warp, "stretch": rng.uniform(0.8, 1.2)}
    elif rng.random() < 0.5:
        engine, voice = "flite", str(rng.choice(list(_FLITE_SEX)))
        sex = _FLITE_SEX[voice]
        bent = {"pitch": rng.uniform(0.68, 1.5), "warp": rng.uniform(0.82, 1.22), "stretch": rng.uniform(0.75, 1.25)}
        if voice == "awb" and rng.random() < 0.25:  # a child or a high woman's voice
            sex, bent["pitch"], bent["warp"] = "F", rng.uniform(1.5, 1.9), rng.uniform(1.12, 1.25)
    else:
        engine, sex = "espeak", str(rng.choice(["F", "M"]))
        voice = f"en-us+{rng.choice(_ESPEAK[sex])}"
        bent = {"pitch": rng.uniform(0.68, 1.45), "warp": rng.uniform(0.84, 1.18), "stretch": rng.uniform(0.78, 1.25)}
    bent["unsteady"] = rng.uniform(0.03, 0.14)
    if rng.random() < 0.7:
        bent["melody"] = float(np.exp(rng.uniform(np.log(0.2), np.log(2.0))))
    if rng.random() < 0.5:
        bent["low"], bent["high"] = rng.uniform(0.83, 1.2), rng.uniform(0.83, 1.2)
    if rng.random() < 0.18:
        bent["breath"] = rng.uniform(0.05, 0.5)
    elif rng.random() < 0.02:
        bent["breath"] = rng.uniform(0.85, 1.0)  # a whisper
    return engine, voice, sex, bent
