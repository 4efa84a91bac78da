"""Muon: the direction is a gradient's with its singular values made alike, for each matrix of a stack by itself."""

import pytest
import torch

from personaplex.train.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(12, 12), (40, 12), (12, 40), (3, 2, 20, 8)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert 0.6 < values.min() and values.max() < 1.3
    wanted_left, _, wanted_right = torch.linalg.svd(matrix, full_matrices=False)
    assert (orthogonal(matrix) - wanted_left @ wanted_right).norm() < 0.35 * (wanted_left @ wanted_right).norm()
    torch.testing.assert_close(orthogonal(1000 * matrix), orthogonal(matrix), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("shape", [(24, 24), (40, 12), (3, 2, 20, 8)])
def test_half_precision_finds_the_same_directions_small_ones_too(shape, monkeypatch):
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")  # any CPU computes it, slowly
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    matrix = matrix * torch.logspace(0, -2, shape[-1])
    whole, half = orthogonal(matrix), orthogonal(matrix, bf16=True)
    assert half.dtype == torch.float32 and not torch.equal(half, whole)
    assert (half - whole).norm() < 0.05 * whole.norm()
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    assert torch.equal(orthogonal(matrix, bf16=True), whole), "where it would be slow it is not done"


def test_it_is_torchs_own_but_for_its_half_precision():
    torch.manual_seed(0)
    start, gradients = torch.randn(24, 16), [torch.randn(24, 16) for _ in range(3)]
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimizers = (
        Muon([ours], lr=0.1, weight_decay=0.2),
        torch.optim.Muon([theirs], lr=0.1, weight_decay=0.2, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
    )
    for gradient in gradients:
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    assert (ours - theirs).norm() < 0.02 * (theirs - start).norm()


def test_a_stack_is_stepped_like_its_matrices_alone():
    torch.manual_seed(0)
    whole = torch.nn.Parameter(torch.randn(3 * 8, 6))
    parts = [torch.nn.Parameter(part.clone()) for part in whole.detach().chunk(3)]
    whole.grad = torch.randn(3 * 8, 6)
    for part, gradient in zip(parts, whole.grad.chunk(3), strict=True):
        part.grad = gradient.clone()
    Muon([{"params": [whole], "sets": 3}]).step()
    Muon(parts).step()
    torch.testing.assert_close(whole.detach(), torch.cat([part.detach() for part in parts]))
    still = torch.nn.Parameter(torch.ones(4, 4))
    Muon([still], weight_decay=0.5).step()
    assert torch.equal(still.detach(), torch.ones(4, 4)), "without a gradient it stays as it is"
