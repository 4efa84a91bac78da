"""Which device a command computes on, and how a model gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from personaplex.errors import UserError

if TYPE_CHECKING:
    from personaplex.checkpoints import Model


def choose_device(name: str | None) -> str:
    """The device of that name, or an accelerator if there is one; UserError when it cannot be used here."""
    import torch

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"The device {name!r} cannot be used here; try --device cpu.") from error
    return name


def load_on(name: str, device: str, rows: int, cpu_offload: bool = False) -> Model:
    """Load a model onto a device.

    Args:
        name: of the model.
        device: from `choose_device`.
        rows: conversations at once, as many as the engine will have.
        cpu_offload: leave what does not fit on a GPU in the machine's own memory.

    Raises:
        UserError: when it cannot be loaded or does not fit.
    """
    from personaplex.checkpoints import load_model
    from personaplex.checkpoints.offload import offload_model
    from personaplex.engine.engine import padded

    if not cpu_offload:
        return load_model(name, device=device)
    if not device.startswith("cuda"):
        click.echo(
            f"--cpu-offload changes nothing on {device}: the weights are in the machine's memory already.", err=True
        )
        return load_model(name, device=device)
    model = load_model(name, device="cpu")
    travelling, blocks = offload_model(model, device, padded(rows)), len(model.lm.transformer.layers)
    click.echo(f"{travelling} of {blocks} blocks do not fit on {device} and visit it in every tick.", err=True)
    return model
