"""How weights lie in memory, which changes no value and no shape. Knows modules; does not know what they compute."""

from __future__ import annotations

import torch
from torch import nn

from personaplex.nn.transformer import Attention


def lay_out_for_steps(module: nn.Module) -> None:
    """Let the wide matrices of a module, `[out, in]` with more outputs than inputs, lie column by column.

    On a CPU in float32 the products with one position, or a few, read them faster that way: they add up columns, each
    scaled by one input, instead of reducing every row to one number. Long stretches take as long as before.

    Args:
        module: for inference, from now on; it is changed in place.
    """
    for part in module.modules():
        weight = None
        if isinstance(part, nn.Linear) and part.out_features > part.in_features:
            weight = part.weight
        elif isinstance(part, Attention):
            weight = part.in_proj_weight
        if weight is None or weight.device.type != "cpu" or weight.dtype != torch.float32:
            continue
        columns = weight.data.t()
        if not columns.is_contiguous():
            weight.data = columns.contiguous().t()
