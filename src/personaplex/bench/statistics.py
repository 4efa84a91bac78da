"""A mean and how far to trust it. Knows nothing of what the numbers measure."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

from personaplex.bench.records import Figure

CONFIDENCE = 0.95
_RESAMPLES = 4_999


def figure(values: Sequence[float | None], unit: str = "", better: str = "higher", seed: int = 0) -> Figure:
    """The mean of some samples' numbers with its bootstrap interval of 95 %.

    The interval is the bias-corrected and accelerated one (Efron 1987), as scipy computes it. There is none for fewer
    than two numbers, nor where all are equal: resampling equal numbers shows no spread, which is not certainty.

    Args:
        values: one number for each sample; None, NaN and infinities are left out and not counted.
        unit: "" for a share, `s`, `/s`, …
        better: `higher` or `lower`.
        seed: of the resampling; the same values and seed give the same interval.

    Raises:
        ValueError: when `better` is neither.
    """
    if better not in ("higher", "lower"):
        raise ValueError(f"better is 'higher' or 'lower', not {better!r}")
    numbers = [float(value) for value in values if value is not None and math.isfinite(value)]
    if not numbers:
        return Figure(None, unit=unit, better=better)
    mean = math.fsum(numbers) / len(numbers)
    low, high = _interval(numbers, seed)
    return Figure(mean, low, high, len(numbers), unit, better)


def _interval(numbers: list[float], seed: int) -> tuple[float | None, float | None]:
    """The ends of the interval, or None twice."""
    if min(numbers) == max(numbers):
        return None, None
    import numpy as np
    from scipy.stats import bootstrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns where it then gives NaN
        found = bootstrap(
            (numbers,),
            np.mean,
            confidence_level=CONFIDENCE,
            n_resamples=_RESAMPLES,
            vectorized=True,
            batch=max(1, 1_000_000 // len(numbers)),
            rng=np.random.default_rng(seed),
        ).confidence_interval
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return None, None
    return float(found.low), float(found.high)
