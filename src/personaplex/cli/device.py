"""Which device a command computes on."""

from __future__ import annotations

from personaplex.errors import UserError


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
