"""Blocks whose weights lie in the host's memory and visit the accelerator while they compute.

Each visit costs the block's weights over the bus, in every call. The copy is queued on the stream that computes: beside
it the arithmetic of a few positions is short, so a second stream would hide next to nothing. Knows modules; does not
know which of them should travel.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import torch
from torch import nn


def weight_bytes(module: nn.Module) -> int:
    """Memory that a module's parameters and buffers take."""
    return sum(tensor.nbytes for tensor in chain(module.parameters(), module.buffers()))


class Traveller:
    """Keeps one block's weights in the host's memory, and brings them to a device for each of its calls.

    Args:
        block: for inference only, all of it on the CPU; its weights are pinned there when the device is a GPU.
        device: where it computes.
    """

    def __init__(self, block: nn.Module, device: torch.device):
        self._device = device
        self._weights: list[tuple[torch.Tensor, torch.Tensor]] = []  # and where they lie at home
        for weight in chain(block.parameters(), block.buffers()):
            home = weight.detach()
            weight.data = home = home.pin_memory() if device.type == "cuda" else home
            self._weights.append((weight, home))
        block.register_forward_pre_hook(self._arrive)
        block.register_forward_hook(self._leave, always_call=True)

    def _arrive(self, *_: Any) -> None:
        for weight, home in self._weights:
            weight.data = torch.empty_like(home, device=self._device).copy_(home, non_blocking=True)

    def _leave(self, *_: Any) -> None:
        for weight, home in self._weights:
            weight.data = home


def offload(module: nn.Module, travelling: Iterable[nn.Module], device: torch.device | str) -> int:
    """Move a module to a device, except for some of its blocks, which travel there when they are called.

    Args:
        module: for inference only, on the CPU.
        travelling: blocks in it that share no weights with the rest of it.
        device: where all of it computes.

    Returns:
        How many blocks travel.
    """
    device = torch.device(device)
    blocks = list(travelling)
    abroad = {id(weight) for block in blocks for weight in chain(block.parameters(), block.buffers())}
    for weight in chain(module.parameters(), module.buffers()):
        if id(weight) not in abroad:
            weight.data = weight.detach().to(device)
    return len([Traveller(block, device) for block in blocks])
