"""The model in memory, loaded by name, path or hub id.

Kyutai's `config.json` fields describe the language model and name the files; our additions are under "personaplex".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from personaplex.checkpoints.archive import unpack_voices
from personaplex.checkpoints.layouts import codec_recipes, depth_steps, double_depth, lm_recipes
from personaplex.checkpoints.names import MIMI_NAME, MOSHI_NAME, TOKENIZER_NAME, fetch, locate
from personaplex.checkpoints.sampling import read_sampling
from personaplex.checkpoints.weights import Weights, load_weights, shard_files
from personaplex.codec.base import Codec
from personaplex.codec.build import build_codec
from personaplex.errors import UserError
from personaplex.lm.config import LMConfig
from personaplex.lm.model import LanguageModel
from personaplex.lm.sampling import Sampling
from personaplex.persona.voices import VoiceLibrary
from personaplex.text import Tokenizer

# One frame of silence and one of a 440 Hz sine in the codes of the released Mimi (PersonaPlex, arXiv 2602.06053).
RELEASED_SILENCE = (948, 243, 1178, 546, 1736, 1030, 1978, 2008)
RELEASED_SINE = (430, 1268, 381, 1611, 1095, 1495, 56, 472)

_LARGE = 1_000_000_000  # parameters from which a model runs in bfloat16 unless told otherwise

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Model:
    """Everything of a model that runs.

    Attributes:
        name: what it was asked for by, or its directory's name.
        path: its directory.
        lm: the language model, in evaluation mode, without gradients.
        codec: its codec, float32, likewise.
        tokenizer: its text tokenizer.
        silence: int64 `[K]`, the codes of a silent frame, on the CPU.
        sine: int64 `[K]`, the codes of a frame of 440 Hz, on the CPU.
        voices: its packaged voices.
        meta: its `config.json`.
        voice_seconds: length of the voice samples it was trained with, or None where that is not known.
        text_lead: frames by which a word's text precedes its sound; 0 for the released models.
        heard_lag: frames by which the user's words are written after their end, where the model has a stream for them.
        spoken_roles: whether it reads the figures of a role in words.
        quiet: whether a frame of the agent's whose first code is silence's is silent, and not asked for further.
        sampling: how it chooses tokens where nothing else is asked for.
        sha256: of the weights' names, shapes and the ends of each tensor (`Weights.digest`), hex.
    """

    name: str
    path: Path
    lm: LanguageModel
    codec: Codec
    tokenizer: Tokenizer
    silence: torch.Tensor
    sine: torch.Tensor
    voices: VoiceLibrary
    meta: Mapping[str, Any]
    voice_seconds: float | None
    text_lead: int
    heard_lag: int
    spoken_roles: bool
    quiet: bool
    sampling: Sampling
    sha256: str


def load_model(
    name_or_path: str | Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    as_personaplex: bool = False,
) -> Model:
    """Load a model.

    Args:
        name_or_path: "nano", "personaplex-7b-v1", "moshiko", "moshika", a model directory, or a hub id.
        device: where its networks live.
        dtype: floating type of the language model. By default bfloat16 from a billion parameters on, else float32. On
            the CPU, weights stored in that type stay mapped to their file.
        as_personaplex: give a model that predicts only the agent's codebooks (Moshi, `dep_q` 8) depth steps for the
            user's too, copied from the agent's: the start of a fine-tuning.

    Raises:
        UserError: with one sentence on what is wrong and what to do; nothing is left half-written.
    """
    directory, repo = locate(name_or_path)
    if repo is not None:
        directory = fetch(repo, ["config.json", "*.index.json", "*.model", "voices.tgz", "voices/*"])
    meta = read_config(directory)
    if repo is not None:
        _fetch_parts(repo, directory, meta)
    weights = Weights(part_path(directory, meta, "moshi_name", MOSHI_NAME))
    lm = _load_lm(directory, meta, weights, device, dtype, as_personaplex)
    layout = lm.layout
    own = own_fields(directory, meta)
    codec_weights = Weights(part_path(directory, meta, "mimi_name", MIMI_NAME))
    codec = _load_codec(directory, own.get("codec"), codec_weights, device, layout.codebooks, layout.card)
    tokenizer = Tokenizer(
        part_path(directory, meta, "tokenizer_name", TOKENIZER_NAME), hidden=(layout.text_pad, layout.text_end_pad)
    )
    if tokenizer.size != layout.text_card:
        raise UserError(
            f"The tokenizer {tokenizer.path} has {tokenizer.size} pieces, but the model's text_card is "
            f"{layout.text_card}; they are not of one model."
        )
    released = "codec" not in own
    return Model(
        name=str(name_or_path) if repo is not None or directory.name == str(name_or_path) else directory.resolve().name,
        path=directory,
        lm=lm,
        codec=codec,
        tokenizer=tokenizer,
        silence=_frame(directory, own, "silence", RELEASED_SILENCE if released else None, codec),
        sine=_frame(directory, own, "sine", RELEASED_SINE if released else None, codec),
        voices=VoiceLibrary(voices_directory(directory)),
        meta=meta,
        voice_seconds=own.get("voice_seconds"),
        text_lead=_frames(own, "text_lead"),
        heard_lag=_frames(own, "heard_lag"),
        spoken_roles=own.get("spoken_roles") is True,
        quiet=own.get("quiet") is True,
        sampling=read_sampling(directory / "config.json", own.get("sampling", {})),
        sha256=hashlib.sha256((weights.digest() + codec_weights.digest()).encode()).hexdigest(),
    )


def read_config(directory: Path) -> dict[str, Any]:
    """The `config.json` of a model directory; {} where it is missing or empty, as in NVIDIA's repository.

    Raises:
        UserError: when it is there but is not a JSON object.
    """
    path = directory / "config.json"
    if not path.is_file():
        if not any(directory.glob("*.safetensors*")):
            raise UserError(f"{directory} is not a model directory: it has neither config.json nor weights.")
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        config = json.loads(text) if text.strip() else {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not valid JSON ({error}); download or export the model again.") from error
    if not isinstance(config, dict):
        raise UserError(f"{path} must hold a JSON object; download or export the model again.")
    return config


def lm_config(directory: Path, meta: Mapping[str, Any], steps: int) -> LMConfig:
    """The language model's sizes: those of `config.json`, or the 7B's where it names none.

    Args:
        directory: the model's, for messages.
        meta: its `config.json`.
        steps: depth steps in the weights, which tell Moshi (8) from PersonaPlex (16) where the configuration is empty.

    Raises:
        UserError: when the configuration is not one of ours.
    """
    try:
        return LMConfig.from_dict(meta if "dim" in meta else {**meta, "dep_q": steps})
    except (ValueError, TypeError) as error:
        raise UserError(f"{directory / 'config.json'} does not describe a model that runs here: {error}.") from error


def _hollow(directory: Path, build: Callable[[], M]) -> M:
    """A module without storage, unless it has tensors that no checkpoint holds."""
    try:
        with torch.device("meta"):
            module = build()
        kept = module.state_dict().keys()
        return module if all(name in kept for name, _ in module.named_buffers()) else build()
    except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:  # sizes that make no network
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"{directory / 'config.json'} describes a network that cannot be built: {reason}.") from error


def _load_lm(
    directory: Path,
    meta: Mapping[str, Any],
    weights: Weights,
    device: torch.device | str,
    dtype: torch.dtype | None,
    as_personaplex: bool,
) -> LanguageModel:
    config = lm_config(directory, meta, depth_steps(weights.names))
    recipes = lm_recipes(weights.names)
    if as_personaplex and config.dep_q == config.n_q // 2:
        if config.depformer_weights_per_step_schedule is not None or not config.depformer_multi_linear:
            raise UserError(f"The depth steps of {directory} share weights, so they cannot be copied for the user's.")
        recipes = double_depth(recipes, config.dep_q)
        config = LMConfig.from_dict({**config.to_dict(), "dep_q": config.n_q})
    lm = _hollow(directory, lambda: LanguageModel(config))
    if dtype is None:
        dtype = torch.bfloat16 if sum(p.numel() for p in lm.parameters()) >= _LARGE else torch.float32
    load_weights(lm, weights, recipes, device, dtype)
    return lm.eval().requires_grad_(False)


def _load_codec(
    directory: Path,
    config: Mapping[str, Any] | None,
    weights: Weights,
    device: torch.device | str,
    codebooks: int,
    card: int,
) -> Codec:
    codec = _hollow(directory, lambda: build_codec({"codebooks": codebooks} if config is None else config))
    if (codec.codebooks, codec.card) != (codebooks, card):
        raise UserError(
            f"{directory / 'config.json'} pairs a language model of {codebooks} codebooks of {card} entries "
            f"with a codec of {codec.codebooks} of {codec.card}."
        )
    load_weights(codec, weights, codec_recipes(weights.names, codec.state_dict().keys()), device, torch.float32)
    return codec.to(device).eval().requires_grad_(False)


def own_fields(directory: Path, meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """Our additions to a `config.json`. Raises UserError when they are not an object."""
    own = meta.get("personaplex", {})
    if not isinstance(own, Mapping):
        raise UserError(f"{directory / 'config.json'}: the field personaplex must be an object.")
    return own


def _frames(own: Mapping[str, Any], field: str) -> int:
    count = own.get(field, 0)
    return count if isinstance(count, int) else 0


def _frame(
    directory: Path, own: Mapping[str, Any], field: str, default: tuple[int, ...] | None, codec: Codec
) -> torch.Tensor:
    codes = own.get(field, default)
    whole = isinstance(codes, list | tuple) and all(isinstance(code, int) and 0 <= code < codec.card for code in codes)
    if codes is None or not whole or len(codes) != codec.codebooks:
        raise UserError(
            f"{directory / 'config.json'} must give personaplex.{field} as {codec.codebooks} codes below {codec.card}."
        )
    return torch.tensor(codes, dtype=torch.long)


_REMOTE = re.compile(r"hf://(?P<repo>[^/]+/[^/]+)/(?P<file>.+)")


def _name(directory: Path, meta: Mapping[str, Any], field: str, default: str) -> str:
    name = meta.get(field, default)
    if not isinstance(name, str) or not name or (not _REMOTE.fullmatch(name) and Path(name).name != name):
        raise UserError(
            f"{directory / 'config.json'}: {field} must name a file in the model's directory, not {name!r}."
        )
    return name


def part_path(directory: Path, meta: Mapping[str, Any], field: str, default: str) -> Path:
    """Path of one of the model's files; Kyutai's configurations may borrow one from another hub repository."""
    name = _name(directory, meta, field, default)
    remote = _REMOTE.fullmatch(name)
    if remote is None:
        return directory / name
    return fetch(remote["repo"], [remote["file"]]) / remote["file"]


def _fetch_parts(repo: str, directory: Path, meta: Mapping[str, Any]) -> None:
    """Fetch the files that the configuration names, shards included."""
    fields = (("moshi_name", MOSHI_NAME), ("mimi_name", MIMI_NAME), ("tokenizer_name", TOKENIZER_NAME))
    names = [_name(directory, meta, field, default) for field, default in fields]
    wanted = []
    for name in names:
        if name.endswith(".json"):
            wanted += [shard.name for shard in shard_files(directory / name)]
        elif not _REMOTE.fullmatch(name):
            wanted.append(name)
    fetch(repo, wanted)


def voices_directory(directory: Path) -> Path:
    """Where the voices are: `voices/`, or NVIDIA's `voices.tgz` unpacked into our cache."""
    inside, archive = directory / "voices", directory / "voices.tgz"
    return unpack_voices(archive) if archive.is_file() and not inside.is_dir() else inside
