"""Voices: by name from a model's directory, from a recording (zero-shot), or from NVIDIA's packaged files."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from personaplex.audio import normalise_loudness, pad_to_frames, read_audio
from personaplex.codec.base import Codec
from personaplex.errors import UserError
from personaplex.frames import FRAME_SECONDS, SAMPLE_RATE
from personaplex.lm.model import LanguageModel

LOUDNESS = -24.0  # LUFS, of every voice sample
MIN_SECONDS = 1.0  # shorter ones tell too little of a voice
MAX_SECONDS = 60.0  # longer ones would leave no room for a conversation
_MAX_BYTES = 64 << 20  # of a packaged voice; NVIDIA's are under 1 MB
_SUFFIXES = (".safetensors", ".pt")


class VoicedModel(Protocol):
    """What must be known of a model to make a voice for it."""

    @property
    def lm(self) -> LanguageModel:
        """Its language model."""

    @property
    def codec(self) -> Codec:
        """Its codec."""

    @property
    def voice_seconds(self) -> float | None:
        """Longest voice sample that it was trained with; None for no limit."""


@dataclass(frozen=True, eq=False)
class Voice:
    """How a persona sounds. Two voices are equal when their contents are.

    Attributes:
        name: what to call it.
        codes: codes of its sample, int64 `[K, N]`; None for a packaged voice.
        embeddings: of a packaged voice, summed input embeddings `[N - 1, dim]`.
        cache: of a packaged voice, the columns to restore after them, int64 `[S, max_delay + 3]`.
        note: a sentence for the user about how it was made, or "".
    """

    name: str
    codes: torch.Tensor | None = None
    embeddings: torch.Tensor | None = None
    cache: torch.Tensor | None = None
    note: str = ""
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        if (self.codes is None) == (self.embeddings is None) or (self.embeddings is None) != (self.cache is None):
            raise ValueError("a voice has either codes, or embeddings and a cache")
        content = hashlib.sha256()
        for tensor in (self.codes, self.embeddings, self.cache):
            if tensor is not None:
                content.update(repr((tuple(tensor.shape), tensor.dtype)).encode())
                content.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        object.__setattr__(self, "digest", content.hexdigest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Voice) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


class VoiceLibrary:
    """The voices in a model's directory.

    Args:
        folder: holds `NAME.safetensors` (ours: `codes` int `[K, N]`) and `NAME.pt` (NVIDIA's); may be missing, or None.
    """

    def __init__(self, folder: str | Path | None = None):
        self.folder = None if folder is None else Path(folder)

    def names(self) -> list[str]:
        """Names in alphabetical order, without suffixes."""
        if self.folder is None or not self.folder.is_dir():
            return []
        return sorted({path.stem for path in self.folder.iterdir() if path.suffix in _SUFFIXES})

    def named(self, name: str, model: VoicedModel) -> Voice:
        """A voice of this library by its name, `.pt` or not. Never reads anything outside the folder.

        Raises:
            UserError: when there is none of that name, or its file does not fit the model.
        """
        names = self.names()
        bare = name.removesuffix(".pt").removesuffix(".safetensors")
        if bare not in names or self.folder is None:
            known = f"it has {', '.join(names)}" if names else "it has none"
            raise UserError(f"The model has no voice {name!r}; {known}.")
        for suffix in _SUFFIXES:
            if (path := self.folder / (bare + suffix)).is_file():
                return load_voice_file(path, model)
        raise UserError(f"The voice {name!r} is not a file in {self.folder}.")

    def load(self, name_or_path: str | Path, model: VoicedModel) -> Voice:
        """A voice by its name, else from a file: a recording, or a packaged voice.

        Raises:
            UserError: when there is neither, or the file cannot be a voice.
        """
        text = str(name_or_path)
        path = Path(text).expanduser()
        if text.removesuffix(".pt").removesuffix(".safetensors") in self.names():
            return self.named(text, model)
        if not path.exists():
            known = ", ".join(self.names()) or "the model has none"
            raise UserError(f"{text!r} is neither a voice of the model ({known}) nor a sound file.")
        return load_voice_file(path, model)


def load_voice_file(path: Path, model: VoicedModel) -> Voice:
    """A voice from a file: `.safetensors`, `.pt`, or a recording.

    Raises:
        UserError: when it cannot be one, or does not fit the model.
    """
    if path.suffix == ".safetensors":
        return _load_codes(path, model)
    if path.suffix == ".pt":
        return _load_packaged(path, model)
    return clone_voice(read_audio(path), model, name=path.stem)


@torch.inference_mode()
def clone_voice(pcm: np.ndarray, model: VoicedModel, name: str = "recording") -> Voice:
    """A voice from a sample of it (zero-shot).

    It is cut to what the model was trained with (the voice's `note` says so), brought to -24 LUFS, filled with zeros to
    whole frames and encoded.

    Args:
        pcm: float32 mono `[n]` at 24 kHz.
        model: the model that will speak.
        name: what to call the voice.

    Raises:
        UserError: when the sample is shorter than 1 s or silent.
    """
    seconds = len(pcm) / SAMPLE_RATE
    if seconds < MIN_SECONDS:
        raise UserError(f"The voice sample {name!r} lasts {seconds:.2f} s; at least {MIN_SECONDS:g} s are needed.")
    limit, note = model.voice_seconds or MAX_SECONDS, ""
    if seconds > limit:
        pcm = pcm[: int(limit * SAMPLE_RATE)]
        why = "as long as the model was trained for" if model.voice_seconds else "the longest that is taken"
        note = f"Of the {seconds:.1f} s of the voice sample {name!r} the first {limit:g} s are used, {why}."
    try:
        pcm = normalise_loudness(pcm, LOUDNESS)
    except ValueError as error:
        raise UserError(f"The voice sample {name!r} is silent{' in the part that is used' if note else ''}.") from error
    weight = next(model.codec.parameters())
    sound = torch.from_numpy(pad_to_frames(pcm)).to(weight)
    return Voice(name, codes=model.codec.encode(sound[None, None])[0].cpu().clone(), note=note)


@torch.inference_mode()
def voice_sound(voice: Voice, model: VoicedModel, seconds: float) -> np.ndarray | None:
    """The beginning of a voice's sample as its codes sound, float32 `[n]` at 24 kHz; None for one without codes."""
    if voice.codes is None:
        return None
    codes = voice.codes[:, : round(seconds / FRAME_SECONDS)].to(next(model.codec.parameters()).device)
    return model.codec.decode(codes[None])[0, 0].float().cpu().numpy()


def _load_codes(path: Path, model: VoicedModel) -> Voice:
    try:
        with safe_open(path, framework="pt") as file:
            if "codes" not in file.keys():  # noqa: SIM118 (not a mapping)
                raise UserError(f"{path} is not a voice: it holds no codes.")
            codes = file.get_tensor("codes")
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a voice, or it is damaged ({error}).") from error
    layout = model.lm.layout
    if codes.dim() != 2 or codes.shape[0] != layout.codebooks or codes.shape[1] < 1 or codes.is_floating_point():
        raise UserError(
            f"{path} is a voice of another model: its codes are {list(codes.shape)}, not [{layout.codebooks}, N]."
        )
    codes = codes.long()
    if codes.min() < 0 or codes.max() >= layout.card:
        raise UserError(f"{path} is a voice of another model: some of its codes are not in 0..{layout.card - 1}.")
    return Voice(path.stem, codes=codes)


def _load_packaged(path: Path, model: VoicedModel) -> Voice:
    """NVIDIA's format: a dictionary of `embeddings [N - 1, 1, 1, dim]` and `cache` int64 `[1, S, max_delay + 3]`."""
    if path.stat().st_size > _MAX_BYTES:
        raise UserError(f"{path} is too large for a packaged voice.")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is not a packaged voice: it holds more than tensors, or it is damaged.") from error
    layout, dim = model.lm.layout, model.lm.config.dim
    expected = f"{path} is not a voice of this model: it should hold"
    if not isinstance(content, dict) or not {"embeddings", "cache"} <= content.keys():
        raise UserError(f"{expected} embeddings and a cache.")
    embeddings, cache = content["embeddings"], content["cache"]
    if not (isinstance(embeddings, torch.Tensor) and isinstance(cache, torch.Tensor)):
        raise UserError(f"{expected} tensors.")
    shape = list(embeddings.shape)
    if not embeddings.is_floating_point() or len(shape) != 4 or shape[1:] != [1, 1, dim] or not shape[0]:
        raise UserError(f"{expected} embeddings [N, 1, 1, {dim}], but they are {shape}.")
    if list(cache.shape) != [1, layout.streams, layout.max_delay + 3] or cache.dtype != torch.int64:
        raise UserError(
            f"{expected} a cache [1, {layout.streams}, {layout.max_delay + 3}] of int64, but it is {list(cache.shape)}."
        )
    cards = layout.initial()[:, None]  # an id may be the initial token, no more
    first = len(embeddings)
    for stream, delay in enumerate(layout.delays):
        for column in range(first, first + delay + 1):
            token = cache[0, stream, column % cache.shape[2]]
            if not 0 <= token <= cards[stream, 0]:
                raise UserError(f"{expected} token ids in its cache, but one is {int(token)}.")
    if not embeddings.isfinite().all():
        raise UserError(f"{path} is damaged: some of its embeddings are not numbers.")
    return Voice(path.stem, embeddings=embeddings[:, 0, 0].clone(), cache=cache[0].clone())
