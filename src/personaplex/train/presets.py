"""Sizes of the language model by name, and which of them a run keeps once it has begun."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from personaplex.errors import UserError
from personaplex.lm.config import LMConfig
from personaplex.train.run import has_checkpoint

PRESETS: dict[str, dict[str, Any]] = {
    # The bundled model: Moshi's layout, small enough for one CPU core.
    "nano": {
        "dim": 320,
        "num_layers": 6,
        "num_heads": 5,
        "hidden_scale": 4.0,
        "context": 480,  # hardly more than a training example: a model falls apart at distances that it never met
        "n_q": 16,
        "dep_q": 8,
        "card": 512,
        "depformer_dim": 256,
        "depformer_dim_feedforward": 1024,
        "depformer_num_heads": 4,
        "depformer_num_layers": 2,
        "depformer_weights_per_step_schedule": [0, 1, 1, 1, 1, 1, 1, 1],
        "short_conv": 3,
        "recall": 3,
        "pointer": 64,
        "voiceprint": 40,
    },
    # For trying the pipeline out in a minute.
    "tiny": {
        "dim": 64,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_scale": 4.0,
        "context": 500,
        "n_q": 16,
        "dep_q": 8,
        "card": 512,
        "depformer_dim": 32,
        "depformer_dim_feedforward": 128,
        "depformer_num_heads": 2,
        "depformer_num_layers": 1,
        "depformer_weights_per_step_schedule": [0, 1, 1, 1, 1, 1, 1, 1],
        "short_conv": 3,
        "recall": 3,
        "pointer": 32,
    },
}


_NUMBERS = {
    "short_conv": "reach",
    "recall": "number of pieces",
    "pointer": "width",
    "echo": "number of pieces",
    "voiceprint": "number of columns",
}
WISHES = ("heard", "short_conv", "recall", "shared_words", "pointer", "echo", "lookup", "voiceprint")
"""What of a model's shape may be wished for beside its preset."""


def sizes(run: Path, preset: str, text_card: int, wishes: Mapping[str, Any]) -> LMConfig:
    """The sizes that the options mean.

    Args:
        run: the run's folder.
        preset: a name of `PRESETS`.
        text_card: entries of the tokenizer.
        wishes: each of `WISHES`; None for what the run has begun with, or else the preset (which hears).

    Raises:
        UserError: when the run has begun with other sizes, or one that is wished for is below 0 or needs another.
    """
    path, begun = run / "config.json", None
    if has_checkpoint(run) and path.exists():
        begun = LMConfig.from_dict(json.loads(path.read_text()))
    for name, noun in _NUMBERS.items():
        if (wishes[name] or 0) < 0:
            raise UserError(f"{_option(name)} {wishes[name]} is no {noun}; give 0 for none, or such as 3.")
    kept: dict[str, Any] = {"echo": 0, "lookup": False, "voiceprint": 0} | PRESETS[preset] | {"heard": True}
    kept |= {} if begun is None else {name: getattr(begun, name) for name in WISHES}
    kept |= {name: wish for name, wish in wishes.items() if wish is not None}
    heard = kept.pop("heard")
    for name, there, need in (
        ("lookup", kept["pointer"], "a pointer; give --pointer too, such as 64"),
        ("echo", kept["pointer"], "a pointer; give --pointer too, such as 64"),
        ("echo", heard, "a stream of the user's words; leave --no-heard out"),
    ):
        if wishes[name] and not there:
            raise UserError(f"{_option(name)} needs {need}.")
        kept[name] = kept[name] if there else type(kept[name])()
    echo = kept.pop("echo")
    config = LMConfig.from_dict(kept | {"text_card": text_card})
    config = replace(config.with_heard(), echo=echo) if heard else config
    if begun is None or begun == config:
        return config
    for name in ("heard", "shared_words", "lookup"):
        if getattr(begun, name) != getattr(config, name):
            how = "with" if getattr(begun, name) else "without"
            raise UserError(f"{run} has begun {how} {_option(name)}; leave it so")
    for name in _NUMBERS:
        if getattr(begun, name) != getattr(config, name):
            raise UserError(f"{run} has begun with {_option(name)} {getattr(begun, name)}; leave it so")
    raise UserError(f"{run} has begun with another preset or tokenizer; give those, or another --run")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
