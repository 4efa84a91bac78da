"""How a model chooses its tokens where nothing else is asked for, as its `config.json` says."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from personaplex.errors import UserError
from personaplex.lm.sampling import Sampling


def read_sampling(path: Path, given: Any) -> Sampling:
    """Read the settings; what is not given is as published.

    Args:
        path: of the `config.json`, for messages.
        given: its field personaplex.sampling.

    Raises:
        UserError: when they are no settings.
    """
    plain, reason = asdict(Sampling()), ""
    if not isinstance(given, dict):
        reason = "it is no object"
    elif strange := [name for name in given if name not in plain]:
        reason = f"it has {', '.join(strange)}"
    elif wrong := [name for name, value in given.items() if not _alike(value, plain[name])]:
        reason = f"{wrong[0]} is {given[wrong[0]]!r}"
    try:
        if not reason:
            return Sampling(**given)
    except ValueError as error:
        reason = str(error)
    raise UserError(
        f"{path}: personaplex.sampling gives numbers for temp_audio, topk_audio, temp_text, "
        f"topk_text, temp_word and padding_bonus, and whether it is greedy, but {reason}."
    )


def _alike(value: object, plain: object) -> bool:
    """Whether a setting of JSON is of the kind of the published one."""
    if isinstance(plain, bool) or isinstance(value, bool):
        return isinstance(plain, bool) and isinstance(value, bool)
    if isinstance(plain, int):
        return isinstance(value, int)
    return isinstance(value, (int, float)) and math.isfinite(value)
