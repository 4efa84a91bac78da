"""In which precision training computes on a device."""

from __future__ import annotations

import torch


def made_for_half(device: torch.device | str) -> bool:
    """Whether a device is made for matrix products in bfloat16.

    A CPU without AVX-512 is not: a step there took twelve times as long as in float32.
    """
    return torch.device(device).type != "cpu" or torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def half_precision(device: torch.device | str, wanted: bool) -> torch.autocast:
    """A context in which matrix products are in bfloat16, where that is wanted and the device is made for it."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=wanted and made_for_half(device))
