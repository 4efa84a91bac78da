"""What is known of a model without loading or fetching it: where it is, how large, its licence, whether it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from personaplex.checkpoints.layouts import depth_steps
from personaplex.checkpoints.model import lm_config, own_fields, part_path, read_config
from personaplex.checkpoints.names import (
    MIMI_NAME,
    MOSHI_NAME,
    NAMED,
    TOKENIZER_NAME,
    NamedModel,
    cached,
    has_token,
    locate,
)
from personaplex.checkpoints.weights import Weights
from personaplex.errors import UserError
from personaplex.frames import FRAME_SECONDS
from personaplex.lm.config import LMConfig
from personaplex.lm.model import LanguageModel
from personaplex.text import Tokenizer


@dataclass(frozen=True)
class Description:
    """A model as it is on this machine.

    Attributes:
        name: what `--model` takes.
        about: one line on what it is, or "".
        licence: the licence of its weights, or "" where it is not known here.
        where: "bundled", "downloaded", "on the hub", "local", or "missing" for a bundled model that is not there.
        path: its directory, or None when it is not on this machine.
        nbytes: its size on disk, or that of its download.
        ready: whether it can be loaded as it is, checked to the headers of its weight files.
        hint: what stands in the way, or what its first use will do; "" when it is ready.
        facts: further facts, label → text, in the order to show them.
    """

    name: str
    about: str
    licence: str
    where: str
    path: Path | None
    nbytes: int
    ready: bool
    hint: str
    facts: dict[str, str] = field(default_factory=dict)


def describe(name_or_path: str) -> Description:
    """Describe one model; nothing is downloaded and no weight is read.

    Raises:
        UserError: when there is no such name, directory or hub id.
    """
    named = NAMED.get(name_or_path)
    try:
        directory, repo = locate(name_or_path)
    except UserError as error:
        if named is None:
            raise
        return _describe(named, "missing", None, str(error))
    known = named or next((model for model in NAMED.values() if repo is not None and model.repo == repo), None)
    model = known or NamedModel(name_or_path, "", "", repo=repo)
    if repo is None:
        return _on_disk(model, "bundled" if named else "local", directory)
    there = cached(repo)
    if there is not None:
        return _on_disk(model, "downloaded", there)
    if model.gated and not has_token():
        hint = f"needs HF_TOKEN and the licence accepted at https://huggingface.co/{repo}"
    else:
        hint = f"its first use downloads {size(model.nbytes)}" if model.nbytes else "its first use downloads it"
    return _describe(model, "on the hub", None, hint)


def describe_all() -> list[Description]:
    """All models that have a name."""
    return [describe(name) for name in NAMED]


def size(nbytes: int) -> str:
    """Bytes as people read them: "38 MB", "17.1 GB"."""
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{max(nbytes / 1e6, 0.1):.{0 if nbytes >= 1e7 else 1}f} MB"


def _describe(model: NamedModel, where: str, path: Path | None, hint: str) -> Description:
    return Description(model.name, model.about, model.licence, where, path, model.nbytes, False, hint)


def _on_disk(model: NamedModel, where: str, directory: Path) -> Description:
    nbytes = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
    try:
        facts, hint = _facts(directory), ""
    except UserError as error:
        facts, hint = {}, str(error)
    return Description(model.name, model.about, model.licence, where, directory, nbytes, not hint, hint, facts)


def _facts(directory: Path) -> dict[str, str]:
    """Facts from the configuration and the headers of the weights. Raises UserError when the model is not whole."""
    meta = read_config(directory)
    weights = Weights(part_path(directory, meta, "moshi_name", MOSHI_NAME))
    Weights(part_path(directory, meta, "mimi_name", MIMI_NAME))
    tokenizer = Tokenizer(part_path(directory, meta, "tokenizer_name", TOKENIZER_NAME))
    config = lm_config(directory, meta, depth_steps(weights.names))
    own = own_fields(directory, meta)
    codec = own.get("codec", {"type": "mimi"})
    voices = sorted(path.stem for path in (directory / "voices").glob("*.*"))
    facts = {
        "parameters": f"{_count(config) / 1e6:,.0f} million",
        "transformer": f"{config.num_layers} layers of width {config.dim}",
        "depth": f"{config.depformer_num_layers} layers of width {config.depformer_dim}, {config.dep_q} steps",
        "context": f"{config.context} frames, {config.context * FRAME_SECONDS:.0f} s",
        "codec": f"{codec.get('type', 'mimi')}, {config.n_q // 2} codebooks of {config.card}",
        "vocabulary": f"{tokenizer.size} pieces",
    }
    if config.heard:
        facts["hearing"] = "writes down the user's words"
    if voices:
        facts["voices"] = ", ".join(voices)
    elif (directory / "voices.tgz").is_file():
        facts["voices"] = "packed in voices.tgz"
    if own.get("voice_seconds"):
        facts["voice samples"] = f"{own['voice_seconds']:g} s"
    return facts


def _count(config: LMConfig) -> int:
    try:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in LanguageModel(config).parameters())
    except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:
        raise UserError(f"Its config.json describes a network that cannot be built: {error}.") from error
