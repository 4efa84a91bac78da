"""Safetensors on disk and tensors in modules: mapped reading, shards, 8-bit storage, loading without a second copy.

Knows files and tensors; which tensors a model wants is in `layouts`, what a model is in `model`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from personaplex.checkpoints.layouts import Recipes
from personaplex.errors import UserError

SHARD_BYTES = 15_000_000  # the largest shard that we write, unless one tensor alone is larger
Storage = str | Callable[[str], str]
_SCALE = ".scale"  # `X.scale` float [rows] goes with an int8 `X [rows, ...]`
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class Weights:
    """The tensors of one safetensors file, or of the shards that an index names, mapped into memory.

    A tensor read on the CPU without a change of type is a view of the mapping: its pages are read when they are first
    used and belong to the page cache.

    Args:
        path: `x.safetensors`, or `x.safetensors.index.json` (Hugging Face's shard index).

    Raises:
        UserError: when a file is missing, cut short or not what its name says.
    """

    def __init__(self, path: Path):
        self.path = path
        self.files = shard_files(path)
        self._handles: dict[str, Any] = {}
        with ExitStack() as opened:  # a handle's mapping lives on with the tensors read from it
            for file in self.files:
                handle = opened.enter_context(_open(file))
                for name in handle.keys():  # noqa: SIM118 (not a mapping)
                    self._handles[name] = handle
            opened.pop_all()
        self._scales = {name for name in self._handles if self._is_scale(name)}

    def _is_scale(self, name: str) -> bool:
        stem = name.removesuffix(_SCALE)
        return stem != name and stem in self._handles and self._handles[stem].get_slice(stem).get_dtype() == "I8"

    @property
    def names(self) -> list[str]:
        """Names of the tensors, scales left out."""
        return [name for name in self._handles if name not in self._scales]

    def outline(self, name: str) -> torch.Tensor:
        """A tensor of that shape and type without storage."""
        view = self._handles[name].get_slice(name)
        dtype = torch.float32 if name + _SCALE in self._scales else _DTYPES.get(view.get_dtype(), torch.uint8)
        return torch.empty(view.get_shape(), dtype=dtype, device="meta")

    def read(self, name: str) -> torch.Tensor:
        """The tensor, on the CPU: mapped as stored, or as float32 where it was stored in 8 bits."""
        tensor = self._handles[name].get_tensor(name)
        if name + _SCALE in self._scales:
            scale = self._handles[name + _SCALE].get_tensor(name + _SCALE)
            tensor = tensor.float() * scale.float().view(-1, *[1] * (tensor.dim() - 1))
        return tensor

    def digest(self) -> str:
        """SHA-256 over names, types, shapes and the first and last 4 KiB of every tensor as stored.

        Two checkpoints of one training differ in every tensor, so this tells them apart without reading 17 GB.
        """
        digest = hashlib.sha256()
        for name in sorted(self._handles):
            tensor = self._handles[name].get_tensor(name).flatten()
            raw = tensor.view(torch.uint8) if tensor.numel() else tensor
            digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
            digest.update(raw[:4096].numpy().tobytes() + raw[-4096:].numpy().tobytes())
        return digest.hexdigest()


def shard_files(path: Path) -> list[Path]:
    """The safetensors files behind `path`: itself, or those its index names.

    Raises:
        UserError: when the index is not one, or names a file outside its directory.
    """
    if path.suffix != ".json":
        return [path]
    try:
        names = sorted(set(json.loads(path.read_text())["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a shard index; download or export the model again.") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise UserError(
                f"{path} names the file {name!r} outside its own directory; the model is not to be trusted."
            )
    return [path.parent / name for name in names]


def _open(file: Path) -> Any:  # noqa: ANN401 (safetensors has no public type for it)
    if not file.is_file():
        raise UserError(f"The weights {file} are missing; download or export the model again.")
    try:
        return safe_open(file, framework="pt")
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(
            f"{file} is damaged or was cut short ({file.stat().st_size:,} bytes, {error}); delete it and get it again."
        ) from error


def load_weights(
    module: nn.Module, weights: Weights, recipes: Recipes, device: torch.device | str, dtype: torch.dtype | None
) -> None:
    """Give a module (usually built without storage) its weights, one tensor at a time.

    Every name and shape is checked before the first weight is read. Where neither device nor type changes, parameters
    are views of the mapped file.

    Args:
        module: its state dict says what is wanted.
        weights: the files.
        recipes: what each wanted tensor is made of.
        device: where the module will live.
        dtype: floating type of its tensors; None for as stored.

    Raises:
        UserError: for a missing or surplus tensor, or one of another shape.
    """
    wanted = module.state_dict()
    missing, surplus = sorted(wanted.keys() - recipes.keys()), sorted(recipes.keys() - wanted.keys())
    if missing:
        raise UserError(
            f"{weights.path} lacks {_some(missing)}, which its config.json asks for; are they of one model?"
        )
    if surplus:
        raise UserError(f"{weights.path} holds {_some(surplus)}, which its config.json has no place for.")
    for name, want in wanted.items():
        outline = recipes[name].combine([weights.outline(source) for source in recipes[name].sources])
        if outline.shape != want.shape:
            raise UserError(
                f"{weights.path} holds {name!r} as {list(outline.shape)}, "
                f"but its config.json asks for {list(want.shape)}."
            )
    loaded = {}
    for name in wanted:
        tensor = recipes[name].combine([weights.read(source) for source in recipes[name].sources])
        loaded[name] = tensor.to(device, dtype if tensor.is_floating_point() else None)
    module.load_state_dict(loaded, assign=True)


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more tensors"


def quantize_rows(tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Float `[rows, ...]` → int8 of the same shape and a scale float32 `[rows]`: row = int8 * scale."""
    wide = tensor.detach().float().flatten(1)
    scale = wide.abs().amax(dim=1).clamp(min=1e-12) / 127
    return torch.round(wide / scale[:, None]).to(torch.int8).view(tensor.shape), scale


def store(name: str, tensor: torch.Tensor, storage: str) -> dict[str, torch.Tensor]:
    """A tensor as it is written: a matrix as "int8" with its scale, "bf16" or "f32"; a vector always as float32.

    Raises:
        ValueError: for another storage.
    """
    if storage not in ("int8", "bf16", "f32"):
        raise ValueError(f"unknown storage {storage!r}; known: int8, bf16, f32")
    tensor = tensor.detach().cpu().contiguous()
    if not tensor.is_floating_point():
        return {name: tensor}
    matrix = sum(size > 1 for size in tensor.shape) > 1
    if storage == "int8" and matrix:
        rows, scale = quantize_rows(tensor)
        return {name: rows, name + _SCALE: scale}
    return {name: tensor.to(torch.bfloat16 if storage == "bf16" and matrix else torch.float32)}


def kept(name: str, tensor: torch.Tensor, storage: str) -> torch.Tensor:
    """What is left of a tensor once it is stored and read again, of its own type."""
    parts = store(name, tensor, storage)
    rows = parts[name].to(tensor.dtype)
    if name + _SCALE not in parts:
        return rows
    return rows * parts[name + _SCALE].to(tensor.dtype).view(-1, *[1] * (tensor.dim() - 1))


def write_weights(
    directory: Path, stem: str, tensors: Mapping[str, torch.Tensor], storage: Storage = "f32", limit: int = SHARD_BYTES
) -> str:
    """Write `stem.safetensors`, or shards of at most `limit` bytes with an index; return the name to load them by.

    Only one shard at a time is held in memory. A tensor larger than the limit gets a shard of its own. The storage may
    be one for all, or tell each tensor's from its name.

    Raises:
        ValueError: for an unknown storage.
    """
    shards: list[list[str]] = []
    pending: dict[str, torch.Tensor] = {}
    used = total = 0

    def flush() -> None:
        owned = {name: tensor.clone() for name, tensor in pending.items()}  # safetensors refuses views of one mapping
        save_file(owned, directory / f"{stem}.{len(shards)}.part", metadata={"format": "pt"})
        shards.append(list(owned))
        pending.clear()

    for name, tensor in tensors.items():
        stored = store(name, tensor, storage if isinstance(storage, str) else storage(name))
        size = sum(part.nbytes + 128 + len(key) for key, part in stored.items())  # and its line in the header
        if pending and used + size > limit:
            flush()
            used = 0
        pending |= stored
        used += size
        total += sum(part.nbytes for part in stored.values())
    flush()
    if len(shards) == 1:
        (directory / f"{stem}.0.part").rename(directory / f"{stem}.safetensors")
        return f"{stem}.safetensors"
    places: dict[str, str] = {}
    for number, names in enumerate(shards):
        file = f"{stem}-{number + 1:05d}-of-{len(shards):05d}.safetensors"
        (directory / f"{stem}.{number}.part").rename(directory / file)
        places |= dict.fromkeys(names, file)
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (directory / f"{stem}.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    return f"{stem}.safetensors.index.json"
