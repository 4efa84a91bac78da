"""A mean, or a ratio of sums, and how far to trust it. Knows nothing of what the numbers measure."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence

import numpy as np

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


def pooled(
    parts: Sequence[Sequence[float] | None],
    of: Callable[[np.ndarray], np.ndarray],
    unit: str = "",
    better: str = "higher",
    seed: int = 0,
) -> Figure:
    """A number made of sums over samples, such as errors over words, with its bootstrap interval of 95 %.

    Longer samples weigh more than in a mean. The interval is the percentile one over resampled samples; there is none
    for a single sample.

    Args:
        parts: of each sample the addends, all of one length; None for a sample that does not count.
        of: sums `[..., parts]` to the number `[...]`; NaN where it is not defined.
        unit: see `figure`.
        better: see `figure`.
        seed: of the resampling.
    """
    rows = np.array([list(row) for row in parts if row is not None], float)
    if not len(rows):
        return Figure(None, unit=unit, better=better)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(of(rows.sum(axis=0)))
        drawn = np.random.default_rng(seed).integers(len(rows), size=(_RESAMPLES, len(rows)))
        spread = of(rows[drawn].sum(axis=1))
    if not math.isfinite(value):
        return Figure(None, unit=unit, better=better)
    spread = spread[np.isfinite(spread)]
    if len(rows) < 2 or spread.min() == spread.max():
        return Figure(value, count=len(rows), unit=unit, better=better)
    tail = 50 * (1 - CONFIDENCE)
    low, high = (float(end) for end in np.percentile(spread, [tail, 100 - tail]))
    return Figure(value, low, high, len(rows), unit, better)


def share(sums: np.ndarray) -> np.ndarray:
    """The first part over the second, for `pooled`: sums `[..., 2]` to `[...]`."""
    return np.asarray(sums[..., 0] / sums[..., 1])
