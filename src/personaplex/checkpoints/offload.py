"""A model on a GPU that is too small for it: what fits is there, and the other blocks' weights visit it in every tick.

NVIDIA's server does the same with `accelerate`'s automatic device map.
"""

from __future__ import annotations

import torch

from personaplex.checkpoints.model import Model
from personaplex.errors import UserError
from personaplex.lm.model import LanguageModel
from personaplex.nn.offload import offload, weight_bytes

WORKING_BYTES = 3 << 30  # of the GPU's, for the prompts of personas seen before, for reading one, and for the libraries


def offload_model(model: Model, device: torch.device | str, rows: int, free: int | None = None) -> int:
    """Put a model that was loaded on the CPU onto a device, and as much of its temporal transformer as fits there.

    The first block always stays, so that keys and values, which are made where it is, are on the device.

    Args:
        model: from `load_model(…, device="cpu")`; its networks are changed in place.
        device: a GPU.
        rows: conversations that the engine computes (`engine.padded`), whose keys and values must fit as well.
        free: bytes that may be used on the device; None to ask it.

    Returns:
        How many of the temporal transformer's blocks travel in every tick.

    Raises:
        UserError: when not even all but these blocks fit.
    """
    device = torch.device(device)
    lm, blocks = model.lm, model.lm.transformer.layers
    if free is None:
        free, _ = torch.cuda.mem_get_info(device)
    block = weight_bytes(blocks[0])
    around = weight_bytes(lm) - block * len(blocks) + weight_bytes(model.codec)
    room = free - around - state_bytes(lm, rows) - WORKING_BYTES
    resident = room // block
    if resident < len(blocks):
        resident -= 1  # the room of one that visits
    if resident < 1:
        needed = (free - room + 2 * block) / 2**30
        raise UserError(
            f"{model.name} needs {needed:.1f} GiB of the GPU's memory for this many conversations even with "
            f"--cpu-offload, and {free / 2**30:.1f} GiB are free; lower --max-sessions, or take --device cpu."
        )
    model.codec.to(device)
    return offload(lm, blocks[resident:], device)


def state_bytes(lm: LanguageModel, rows: int) -> int:
    """Memory of the temporal transformer's keys and values for so many conversations."""
    config = lm.config
    return 2 * rows * config.num_layers * config.context * config.dim * lm.text_emb.weight.element_size()
