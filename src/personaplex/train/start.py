"""What a new run may begin with: another run's last checkpoint, or a model directory such as the bundled one.

A run's folder holds what was trained, to the last bit; a model directory what was stored of it, in fewer bits. Disks
come and go, the bundled model stays.
"""

from __future__ import annotations

from pathlib import Path

import torch

from personaplex.checkpoints.model import Model, load_model
from personaplex.codec.nano import NanoCodec, NanoCodecConfig
from personaplex.errors import UserError
from personaplex.train.run import has_checkpoint, load_checkpoint, run_config

Tensors = dict[str, torch.Tensor]


def lm_to_start_from(place: Path | str) -> Tensors:
    """A language model's weights.

    Args:
        place: a run's folder, a model directory, or the name of a model.

    Raises:
        UserError: when it is none of these.
    """
    if not has_checkpoint(Path(place)):
        return _model(place).lm.state_dict()
    checkpoint = load_checkpoint(Path(place))
    if "model" not in checkpoint:
        raise UserError(f"{place} is no run of a language model; give one to start from.")
    return checkpoint["model"]


def codec_to_start_from(place: Path | str) -> tuple[Tensors, NanoCodecConfig]:
    """A small codec's weights and its sizes.

    Args:
        place: a run's folder, a model directory, or the name of a model.

    Raises:
        UserError: when it is none of these, or its codec is not one of ours.
    """
    if not has_checkpoint(Path(place)):
        codec = _model(place).codec
        if not isinstance(codec, NanoCodec):
            raise UserError(f"The codec of {place} is not of the kind that is trained here; start from a small one.")
        return codec.state_dict(), codec.config
    checkpoint = load_checkpoint(Path(place))
    if "codec" not in checkpoint:
        raise UserError(f"{place} is no run of a codec; give one to start from.")
    return checkpoint["codec"], NanoCodecConfig.from_dict(run_config(Path(place)))


def _model(place: Path | str) -> Model:
    return load_model(str(place))  # a name is not a path to everybody
