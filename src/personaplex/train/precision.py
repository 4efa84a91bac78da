"""In which precision training computes on a device."""

from __future__ import annotations

import torch


def half_precision(device: torch.device | str, wanted: bool) -> torch.autocast:
    """A context in which matrix products are in bfloat16, where that is wanted and the device is made for it.

    A CPU without AVX-512 is not: a step there took twelve times as long as in float32.
    """
    kind = torch.device(device).type
    able = kind != "cpu" or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return torch.autocast(kind, torch.bfloat16, enabled=wanted and able)
