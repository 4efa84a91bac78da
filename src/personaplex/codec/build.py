"""From a configuration to a codec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from personaplex.codec.base import Codec
from personaplex.codec.mimi import Mimi, MimiConfig
from personaplex.codec.nano import NanoCodec, NanoCodecConfig


def build_codec(config: Mapping[str, Any] | None) -> Codec:
    """Build the codec that a model directory's configuration names, with random weights.

    Args:
        config: `{"type": "mimi" | "nano", ...sizes}`; None for the released Mimi.

    Raises:
        ValueError: for an unknown type, or sizes that contradict one another.
    """
    config = {} if config is None else config
    kind = config.get("type", "mimi")
    if kind == "mimi":
        return Mimi(MimiConfig.from_dict(config))
    if kind == "nano":
        return NanoCodec(NanoCodecConfig.from_dict(config))
    raise ValueError(f"unknown codec type {kind!r}; known: mimi, nano")


def codec_config(codec: Codec) -> dict[str, Any]:
    """The configuration from which `build_codec` makes a codec like this one."""
    if isinstance(codec, Mimi):
        kind = "mimi"
    elif isinstance(codec, NanoCodec):
        kind = "nano"
    else:
        raise TypeError(f"{type(codec).__name__} is not a codec that a model directory can name")
    return {"type": kind} | {name: list(v) if isinstance(v, tuple) else v for name, v in vars(codec.config).items()}
