"""The lean way of one position a row: what the blocks compute, for the shapes that it knows; and how weights lie."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from personaplex.nn.layout import lay_out_for_steps
from personaplex.nn.transformer import Transformer, TransformerConfig

SMALL = TransformerConfig(dim=24, num_layers=2, num_heads=3, dim_feedforward=48, context=10, short_conv=2)
WALK = replace(SMALL, rope=False, context=None, short_conv=0, schedule=(0, 1, 2, 2, 3))


def random_transformer(config):
    torch.manual_seed(0)
    transformer = Transformer(config).eval()
    for parameter in transformer.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.dim() == 3), std=0.2)  # norms around 1
    return transformer


@pytest.mark.parametrize("norm", ["rms_norm", "rms_norm_f32"])
@torch.no_grad()
def test_the_plan_computes_what_the_blocks_do(norm):
    """To rounding, keys and values too: past the ring, with rows that take no part, and next to no sound at all."""
    transformer = random_transformer(replace(SMALL, norm=norm))
    lean, plain = transformer.init_state(3), transformer.init_state(3)
    plain.plan = None
    generator = torch.Generator().manual_seed(4)
    for step in range(25):
        x = torch.randn(3, 1, 24, generator=generator) * (1e-4 if step % 5 == 0 else 1)
        active = torch.rand(3, generator=generator) < 0.8
        lean.set_active(active)
        plain.set_active(active)
        expected, found = transformer(x, plain), transformer(x, lean)
        torch.testing.assert_close(found[active], expected[active], atol=1e-5, rtol=1e-5)
    for mine, theirs in zip(lean.nodes(), plain.nodes(), strict=True):
        for one, other in zip(mine.own_tensors(), theirs.own_tensors(), strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_walk_is_what_the_blocks_do_and_can_be_walked_again():
    depth = random_transformer(WALK)
    x = torch.randn(2, 2, 5, 24)
    state = depth.init_state(2)
    assert state.plan is not None
    for frame in x:
        state.rewind()
        steps = torch.cat([depth(frame[:, k : k + 1], state) for k in range(5)], dim=1)
        torch.testing.assert_close(steps, depth(frame), atol=1e-5, rtol=0)


def test_only_the_released_shape_has_a_plan_and_gradients_go_the_whole_way():
    for other in ({"gating": "none"}, {"norm": "layer_norm"}, {"layer_scale": 0.1}):
        assert Transformer(replace(SMALL, **other)).init_state(1).plan is None
    assert Transformer(SMALL).bfloat16().init_state(1).plan is None
    transformer = random_transformer(SMALL)
    x = torch.randn(1, 1, 24, requires_grad=True)
    transformer(x, transformer.init_state(1)).sum().backward()
    assert x.grad.abs().sum() > 0


@torch.no_grad()
def test_weights_lie_otherwise_and_stay_what_they_are():
    transformer = random_transformer(SMALL)
    x = torch.randn(2, 12, 24)
    before, expected = {name: value.clone() for name, value in transformer.state_dict().items()}, transformer(x)
    lay_out_for_steps(transformer)
    places = [parameter.data_ptr() for parameter in transformer.parameters()]
    lay_out_for_steps(transformer)
    assert places == [parameter.data_ptr() for parameter in transformer.parameters()]  # once is enough
    assert all(torch.equal(value, before[name]) for name, value in transformer.state_dict().items())
    wide, tall = (transformer.layers[0].gating.linear_in.weight, transformer.layers[0].gating.linear_out.weight)
    assert wide.t().is_contiguous() and tall.is_contiguous()
    torch.testing.assert_close(transformer(x), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(F.linear(x, wide), F.linear(x, wide.contiguous()), atol=1e-5, rtol=0)
