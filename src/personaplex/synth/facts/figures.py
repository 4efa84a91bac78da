"""The figures that facts are made of: sums, counts, numbers of one split, times of day; as spoken and as written."""

from __future__ import annotations

import numpy as np

from personaplex.spelling import number
from personaplex.synth.words import HOLD_OUT_ONE_IN, held_out, pick

_PARTS_OF_DAY = {"morning": (7, 11), "afternoon": (1, 5), "evening": (5, 10)}
_SINGULAR_S = ("canvas", "gas")


def plural(item: str) -> bool:
    """Whether `item` takes "are"."""
    return item.endswith("s") and not item.endswith("ss") and not item.endswith(_SINGULAR_S)


def money(rng: np.random.Generator, value: int) -> tuple[str, str]:
    """A sum as spoken and as the role writes it: in figures half of the time."""
    spoken = f"{number(value)} dollar{'s' if value != 1 else ''}"
    return spoken, f"${value}" if rng.random() < 0.5 else spoken


def count(rng: np.random.Generator, value: int, unit: str) -> tuple[str, str]:
    """So many of a unit as spoken and as the role writes it: in figures now and then."""
    spoken = f"{number(value)} {unit}{'s' if value != 1 else ''}"
    return spoken, f"{value} {unit}{'s' if value != 1 else ''}" if rng.random() < 0.4 else spoken


def draw_number(rng: np.random.Generator, split: str, trade: str, low: int, high: int) -> int:
    """A number of `low..high` whose pairing with the trade belongs to `split`, where there is one."""
    own = [v for v in range(low, high + 1) if held_out(v, trade) == (split == "test")]
    return int(pick(rng, own)) if own and high - low > HOLD_OUT_ONE_IN else int(rng.integers(low, high + 1))


def time_of_day(rng: np.random.Generator, part: str) -> str:
    """An hour of a part of the day, in words."""
    low, high = _PARTS_OF_DAY[part]
    hour = number(int(rng.integers(low, high + 1)))
    return f"{hour} thirty in the {part}" if rng.random() < 0.25 else f"{hour} in the {part}"
