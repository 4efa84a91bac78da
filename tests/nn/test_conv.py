"""Causal convolutions give the same over a whole signal and block by block, whatever the blocks."""

import pytest
import torch

from personaplex.nn.conv import CausalConv1d, CausalConvTranspose1d

LAYERS = {
    "plain": lambda: CausalConv1d(3, 5, 7),
    "pointwise": lambda: CausalConv1d(3, 5, 1),
    "strided": lambda: CausalConv1d(3, 5, 8, stride=4),
    "tight stride": lambda: CausalConv1d(3, 5, 4, stride=4),
    "dilated": lambda: CausalConv1d(3, 5, 3, dilation=4),
    "replicated": lambda: CausalConv1d(3, 3, 4, stride=2, bias=False, pad="replicate"),
    "transposed": lambda: CausalConvTranspose1d(3, 5, 8, stride=4),
    "tight transposed": lambda: CausalConvTranspose1d(3, 5, 4, stride=4),
    "depthwise transposed": lambda: CausalConvTranspose1d(3, 3, 4, stride=2, groups=3, bias=False),
}


@pytest.fixture(params=LAYERS)
def layer(request):
    torch.manual_seed(0)
    return LAYERS[request.param]()


@pytest.mark.parametrize("sizes", [[4] * 6, [8, 4, 12], [24]])
@torch.no_grad()
def test_streaming_equals_offline(layer, sizes):
    x = torch.randn(2, 3, 24)
    state = layer.init_state(2)
    parts = torch.cat([layer(part, state) for part in x.split(sizes, dim=-1)], dim=-1)
    torch.testing.assert_close(parts, layer(x), atol=1e-6, rtol=0)


@torch.no_grad()
def test_no_output_depends_on_later_input(layer):
    x = torch.randn(1, 3, 24)
    changed = x.clone()
    changed[..., 12:] = 9
    whole, other = layer(x), layer(changed)
    same = 12 * whole.shape[-1] // 24
    assert torch.equal(whole[..., :same], other[..., :same])
    assert not torch.equal(whole[..., same:], other[..., same:])


@torch.no_grad()
def test_rows_are_skipped_and_reset_on_their_own(layer):
    x = torch.randn(3, 3, 12)
    state = layer.init_state(3)
    layer(x, state)
    state.set_active(torch.tensor([True, False, True]))
    layer(torch.randn(3, 3, 4), state)
    state.set_active(None)
    state.reset(torch.tensor([2]))
    later = torch.randn(3, 3, 8)
    out = layer(later, state)
    torch.testing.assert_close(out[1], layer(torch.cat([x, later], dim=-1))[1, :, -out.shape[-1] :], atol=1e-6, rtol=0)
    torch.testing.assert_close(out[2], layer(later)[2], atol=1e-6, rtol=0)


@torch.no_grad()
def test_a_row_can_be_copied_from_another_state(layer):
    x = torch.randn(1, 3, 12)
    source, target = layer.init_state(1), layer.init_state(2)
    layer(x, source)
    target.copy_row(1, source)
    later = torch.randn(1, 3, 8)
    torch.testing.assert_close(layer(later.repeat(2, 1, 1), target)[1], layer(later, source)[0], atol=1e-6, rtol=0)


def test_impossible_convolutions_are_refused():
    with pytest.raises(ValueError, match="skips samples"):
        CausalConv1d(1, 1, 2, stride=3)
    with pytest.raises(ValueError, match="leave gaps"):
        CausalConvTranspose1d(1, 1, 2, stride=3)
    with pytest.raises(ValueError, match="not a multiple"):
        CausalConv1d(1, 1, 4, stride=2)(torch.zeros(1, 1, 3))
