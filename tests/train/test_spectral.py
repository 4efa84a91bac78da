"""The spectral losses: their gradient is autograd's own."""

import torch

from personaplex.train.spectral import SpectralLoss, magnitudes


def test_magnitudes_have_the_gradient_of_the_transform_they_are_of():
    windows = torch.randn(3, 5, 32, dtype=torch.double, generator=torch.Generator().manual_seed(0)).requires_grad_()
    torch.testing.assert_close(magnitudes(windows), torch.fft.rfft(windows).abs())
    assert torch.autograd.gradcheck(magnitudes, (windows,))


def test_digital_silence_has_a_finite_gradient():
    silence = torch.zeros(1, 4800, requires_grad=True)
    mel, magnitude = SpectralLoss()(silence, torch.rand(1, 4800, generator=torch.Generator().manual_seed(0)))
    (mel + magnitude).backward()
    assert torch.isfinite(silence.grad).all()
