"""How the tensors of released checkpoints become those of our modules: names, stacking, codebooks.

A recipe says for one of our tensors which stored tensors it is made of. Nothing here reads a file: shapes are
checked by running the recipes on tensors without storage before any weight is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import torch

Combine = Callable[[Sequence[torch.Tensor]], torch.Tensor]


def _only(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return tensors[0]


def _stack_rows(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat(list(tensors), dim=0)


def _codebook(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    total, usage = tensors
    return total.float() / usage.float().clamp(min=1e-5)[:, None]


@dataclass(frozen=True)
class Recipe:
    """One tensor of ours out of stored ones.

    Attributes:
        sources: names of the stored tensors.
        combine: makes our tensor of them; of a single source that needs no change it returns that very tensor.
    """

    sources: tuple[str, ...]
    combine: Combine = _only


Recipes = dict[str, Recipe]

_SPLIT = re.compile(r"(?P<prefix>.*)\.(?P<side>in|out)_projs\.(?P<step>\d+)\.weight")
_STACKED = {"in": "in_proj_weight", "out": "out_proj.weight"}


def lm_recipes(stored: Collection[str]) -> Recipes:
    """Recipes for the language model out of either layout.

    NVIDIA's stacks the steps of the depth transformer's attention in `in_proj_weight` and `out_proj.weight`, as we do;
    Kyutai's newer one splits them into `in_projs.k.weight` and `out_projs.k.weight`.
    """
    recipes: Recipes = {}
    split: dict[str, dict[int, str]] = {}
    for name in stored:
        match = _SPLIT.fullmatch(name)
        if match:
            target = f"{match['prefix']}.{_STACKED[match['side']]}"
            split.setdefault(target, {})[int(match["step"])] = name
        elif name.endswith(".in_proj.weight"):
            recipes[name.removesuffix(".in_proj.weight") + ".in_proj_weight"] = Recipe((name,))
        else:
            recipes[name] = Recipe((name,))
    for target, steps in split.items():
        sources = tuple(steps[step] for step in sorted(steps))
        recipes[target] = Recipe(sources) if len(sources) == 1 else Recipe(sources, _stack_rows)
    return recipes


_PER_STEP = re.compile(
    r"(?P<prefix>depformer\..*\.gating|linears|depformer_in|depformer_emb)\.(?P<step>\d+)\.(?P<rest>.*)"
)


def _copy(make: Combine, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return make(tensors).clone()


def _zeros_like(make: Combine, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.zeros_like(make(tensors))


def double_depth(recipes: Recipes, steps: int) -> Recipes:
    """Recipes for a model with `2 * steps` depth steps out of those for one with `steps`: Moshi as PersonaPlex.

    Step `steps + k` gets a copy of step `k`. The embedding of the agent's last codebook, which no step of the source
    reads, begins as zeros.
    """
    doubled = dict(recipes)
    for name, recipe in recipes.items():
        match = _PER_STEP.fullmatch(name)
        if match:
            copy = f"{match['prefix']}.{steps + int(match['step'])}.{match['rest']}"
            doubled[copy] = Recipe(recipe.sources, partial(_copy, recipe.combine))
        elif name.startswith("depformer.") and name.endswith(tuple(_STACKED.values())):
            doubled[name] = Recipe(recipe.sources * 2, _stack_rows)
    model = recipes.get("depformer_emb.0.weight")
    if model is not None:
        doubled[f"depformer_emb.{steps - 1}.weight"] = Recipe(model.sources, partial(_zeros_like, model.combine))
    return doubled


def depth_steps(stored: Collection[str]) -> int:
    """How many depth steps the stored language model has (`dep_q`)."""
    return sum(1 for name in stored if re.fullmatch(r"linears\.\d+\.weight", name))


_RENAMED = {"cluster_size": "cluster_usage", "embed_avg": "embedding_sum", "embed_sum": "embedding_sum"}
_CODEBOOK = re.compile(r"(?P<prefix>quantizer\.rvq_\w+)\.vq\.layers\.(?P<index>\d+)\._codebook\.(?P<part>\w+)")
_NESTED = re.compile(r"(?:(?:\.conv)+|(?:\.convtr)+)(?=\.(?:weight|bias)$)")


def codec_recipes(stored: Collection[str], used: Collection[str]) -> Recipes:
    """Recipes for a codec: our own names as they are, the released Mimi's of any version mapped to ours.

    Args:
        stored: names in the checkpoint.
        used: names of the codec to load. A checkpoint may hold more acoustic codebooks than the codec uses; the rest is
            passed over.
    """
    plain: Recipes = {}
    parts: dict[str, dict[str, str]] = {}
    for name in stored:
        match = _CODEBOOK.fullmatch(name)
        if match:
            target = f"{match['prefix']}.codebooks.{match['index']}.entries"
            parts.setdefault(target, {})[_RENAMED.get(match["part"], match["part"])] = name
        else:
            plain[name] = Recipe((name,))
    recipes: Recipes = {}
    for name, recipe in lm_recipes(plain).items():  # the attention's two layouts are the language model's
        released = _NESTED.sub("", name).replace("_transformer.transformer.layers.", "_transformer.layers.")
        recipes[name if name in used else released] = recipe
    for target, found in parts.items():
        if "embedding_sum" in found and "cluster_usage" in found:
            recipes[target] = Recipe((found["embedding_sum"], found["cluster_usage"]), _codebook)
    unused = re.compile(r"quantizer\.rvq_rest\.codebooks\.\d+\.entries")
    return {name: recipe for name, recipe in recipes.items() if name in used or not unused.fullmatch(name)}
