"""Loading takes no second copy of the weights: they stay in the file's mapping, or are converted one by one."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from personaplex.checkpoints import load_model
from personaplex.lm.model import LanguageModel
from tests.checkpoints.conftest import Parts, tiny_config

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

BIG = dict(dim=512, num_layers=10, num_heads=4, depformer_dim=64, depformer_dim_feedforward=192)

MEASURE = """
import sys, torch
from personaplex.checkpoints import load_model
def anonymous():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")) * 1024
load_model(sys.argv[2])  # what the first load leaves behind: imports, buffers
dtype = getattr(torch, sys.argv[3])
before = anonymous()
model = load_model(sys.argv[1], dtype=dtype)
print(anonymous() - before, sum(p.nbytes for p in model.lm.parameters()))
"""


def mapped_ranges(name: str) -> list[tuple[int, int]]:
    """Addresses at which this process maps a file."""
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if name in line]
    return [tuple(int(end, 16) for end in fields[0].split("-")) for fields in lines]


@pytest.mark.parametrize("storage", ["f32", "bf16"])
def test_parameters_are_views_of_the_mapped_file(parts: Parts, tmp_path, storage):
    parts.save(tmp_path / "m", storage=storage)
    model = load_model(tmp_path / "m", dtype={"f32": torch.float32, "bf16": torch.bfloat16}[storage])
    ranges = mapped_ranges(str(tmp_path / "m" / "model.safetensors"))
    mapped = [p for p in model.lm.parameters() if any(low <= p.data_ptr() < high for low, high in ranges)]
    wanted = [p for p in model.lm.parameters() if storage == "f32" or sum(size > 1 for size in p.shape) > 1]
    assert len(mapped) >= len(wanted) > 10  # the norms, kept as float32, are the exception in bfloat16


@pytest.mark.parametrize(("storage", "dtype", "most"), [("bf16", "bfloat16", 0.1), ("bf16", "float32", 1.2)])
def test_loading_takes_no_more_memory_than_the_model(parts: Parts, tmp_path, storage, dtype, most):
    """In units of the loaded model: nothing to speak of when it is mapped, itself alone when it is converted."""
    parts.save(tmp_path / "small")
    torch.manual_seed(0)
    parts.lm = LanguageModel(tiny_config(**BIG))
    parts.save(tmp_path / "big", storage=storage, shard_bytes=10**9)
    command = [sys.executable, "-c", MEASURE, tmp_path / "big", tmp_path / "small", dtype]
    grown, size = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert size > 50e6
    assert grown < most * size
