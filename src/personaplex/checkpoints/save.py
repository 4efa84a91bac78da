"""Writes a model directory: whole, or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from personaplex.checkpoints.weights import SHARD_BYTES, Storage, write_weights
from personaplex.codec.base import Codec
from personaplex.codec.build import codec_config
from personaplex.errors import UserError
from personaplex.lm.model import LanguageModel
from personaplex.lm.sampling import Sampling


def save_model(
    directory: Path,
    *,
    lm: LanguageModel,
    codec: Codec,
    tokenizer: Path,
    silence: torch.Tensor,
    sine: torch.Tensor,
    voices: Mapping[str, torch.Tensor] | None = None,
    voice_seconds: float | None = None,
    text_lead: int = 0,
    heard_lag: int = 0,
    spoken_roles: bool = False,
    quiet: bool = False,
    sampling: Sampling | None = None,
    storage: str = "f32",
    codec_storage: Storage = "f32",
    shard_bytes: int = SHARD_BYTES,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a model directory that `load_model` reads; an existing one is replaced once the new one is complete.

    Args:
        directory: where to.
        lm: the language model.
        codec: its codec.
        tokenizer: path of its SentencePiece model.
        silence: int `[K]`, codes of a silent frame.
        sine: int `[K]`, codes of a frame of 440 Hz.
        voices: name → codes int `[K, N]`, one file each.
        voice_seconds: length of the voice samples in training.
        text_lead: frames by which a word's text precedes its sound.
        heard_lag: frames by which the user's words are written after their end, if the model has a stream for them.
        spoken_roles: whether it reads the figures of a role in words.
        quiet: whether a frame of the agent's whose first code is silence's is silent.
        sampling: how it chooses tokens where nothing else is asked for; None for the published settings.
        storage: of the language model's matrices: "int8" with a scale a row, "bf16" or "f32".
        codec_storage: of the codec's, or what tells each tensor's from its name.
        shard_bytes: the largest weight file, unless one tensor alone is larger.
        extra: further fields under "personaplex".

    Raises:
        UserError: when the directory cannot be written.
        ValueError: for an unknown storage.
    """
    directory = directory.absolute()
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    except OSError as error:
        raise UserError(f"The model cannot be written to {directory} ({error.strerror}).") from error
    try:
        own = {
            "codec": codec_config(codec),
            "silence": silence.tolist(),
            "sine": sine.tolist(),
            "voice_seconds": voice_seconds,
            "text_lead": text_lead,
            **({"heard_lag": heard_lag} if lm.config.heard else {}),
            **({"spoken_roles": True} if spoken_roles else {}),
            **({"quiet": True} if quiet else {}),
            **({"sampling": asdict(sampling)} if sampling else {}),
            **(extra or {}),
        }
        meta = lm.config.to_dict() | {
            "moshi_name": write_weights(scratch, "model", lm.state_dict(), storage, shard_bytes),
            "mimi_name": write_weights(scratch, "codec", codec.state_dict(), codec_storage, shard_bytes),
            "tokenizer_name": "tokenizer.model",
            "personaplex": own,
        }
        shutil.copyfile(tokenizer, scratch / "tokenizer.model")
        (scratch / "voices").mkdir()
        for name, codes in (voices or {}).items():
            save_file({"codes": codes.long().cpu().contiguous()}, scratch / "voices" / f"{name}.safetensors")
        (scratch / "config.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
        scratch.chmod(0o755)
        for path in scratch.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)  # safetensors and mkdtemp keep theirs to the owner
        _replace(scratch, directory)
    except OSError as error:
        raise UserError(f"The model cannot be written to {directory} ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace(new: Path, target: Path) -> None:
    """Put directory `new` where `target` is."""
    if not target.exists():
        new.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    os.replace(target, old)  # onto an empty directory, which rename may replace
    try:
        new.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
