"""The transformer: block by block equals whole, attention sees its context and no more, rows are independent."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from personaplex.nn.cache import Ring
from personaplex.nn.transformer import (
    Attention,
    Call,
    Transformer,
    TransformerConfig,
    make_norm,
    rotary_angles,
    rotate,
)

SMALL = TransformerConfig(dim=24, num_layers=2, num_heads=3, dim_feedforward=48, context=10)
VARIANTS = {
    "rms norm, silu gate": SMALL,
    "layer norm, gelu, layer scale": replace(SMALL, gating="none", norm="layer_norm", layer_scale=0.7),
    "no positions": replace(SMALL, rope=False),
    "context of one": replace(SMALL, context=1),
    "short convolutions": replace(SMALL, short_conv=3),
}


@pytest.fixture(params=VARIANTS)
def transformer(request):
    torch.manual_seed(0)
    transformer = Transformer(VARIANTS[request.param]).eval()
    for name, parameter in transformer.named_parameters():
        if "short_convs" in name:  # they begin at zero
            torch.nn.init.normal_(parameter, std=0.2)
    return transformer


@pytest.mark.parametrize("sizes", [[1] * 30, [7, 1, 2, 20], [30], [13, 17]])
@torch.no_grad()
def test_streaming_equals_offline_past_the_ring(transformer, sizes):
    x = torch.randn(2, 30, 24)
    state = transformer.init_state(2, max_block=max(sizes))
    parts = torch.cat([transformer(part, state) for part in x.split(sizes, dim=1)], dim=1)
    torch.testing.assert_close(parts, transformer(x), atol=1e-5, rtol=0)


@torch.no_grad()
def test_one_layer_sees_exactly_its_context():
    torch.manual_seed(0)
    layer = Transformer(replace(SMALL, num_layers=1))
    x = torch.randn(1, 25, 24)
    out = layer(x)
    for position in (0, 5, 14):
        changed = x.clone()
        changed[:, position] += 1
        moved = (layer(changed) - out).abs().amax(-1)[0] > 1e-6
        assert moved.nonzero()[:, 0].tolist() == list(range(position, min(25, position + 10)))


@torch.no_grad()
def test_rows_at_different_positions_do_not_disturb_one_another(transformer):
    x = torch.randn(3, 40, 24)
    expected = transformer(x)
    state = transformer.init_state(3)
    generator = torch.Generator().manual_seed(1)
    position = [0, 0, 0]
    while min(position) < 40:
        active = torch.tensor([p < 40 and bool(torch.rand(1, generator=generator) < 0.6) for p in position])
        state.set_active(active)
        inputs = torch.stack([x[row, min(p, 39)] for row, p in enumerate(position)])[:, None]
        out = transformer(inputs, state)
        for row in active.nonzero()[:, 0].tolist():
            torch.testing.assert_close(out[row, 0], expected[row, position[row]], atol=1e-5, rtol=0)
            position[row] += 1


@torch.no_grad()
def test_a_reset_row_begins_anew(transformer):
    x = torch.randn(2, 15, 24)
    state = transformer.init_state(2)
    for step in range(15):
        transformer(x[:, step : step + 1], state)
    state.reset(torch.tensor([0]))
    out = torch.cat([transformer(x[:, step : step + 1], state) for step in range(5)], dim=1)
    torch.testing.assert_close(out[0], transformer(x[:, :5])[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(out[1], transformer(torch.cat([x, x[:, :5]], dim=1))[1, 15:], atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_prefilled_row_is_copied_into_a_batch(transformer):
    """A prompt read in one pass into a ring of its own size goes on in a row of a larger batch."""
    length = min(8, transformer.config.context)
    prompt, later = torch.randn(1, length, 24), torch.randn(1, 12, 24)
    expected = transformer(torch.cat([prompt, later], dim=1))[0, length:]
    prefilled = transformer.init_state(1, capacity=length)
    transformer(prompt, prefilled)
    batch = transformer.init_state(3)
    transformer(torch.randn(3, 1, 24), batch)  # what was in the row before
    batch.copy_row(1, prefilled)
    out = [transformer(later[:, step : step + 1].expand(3, -1, -1), batch)[1] for step in range(12)]
    torch.testing.assert_close(torch.cat(out), expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_weights_of_its_own_for_every_step():
    """The depth transformer: step k uses weight set schedule[k], teacher-forced or one at a time."""
    torch.manual_seed(0)
    config = replace(SMALL, rope=False, context=None, schedule=(0, 1, 2, 2, 3))
    depth = Transformer(config).eval()
    assert depth.layers[0].self_attn.in_proj_weight.shape == (4 * 72, 24)
    x = torch.randn(2, 5, 24)
    whole = depth(x)
    state = depth.init_state(2)
    steps = torch.cat([depth(x[:, k : k + 1], state) for k in range(5)], dim=1)
    torch.testing.assert_close(steps, whole, atol=1e-5, rtol=0)
    with torch.no_grad():
        depth.layers[1].self_attn.out_proj.weight[2 * 24 : 3 * 24] += 1  # of set 2
    moved = (depth(x) - whole).abs().amax((0, 2)) > 1e-6
    assert moved.tolist() == [False, False, True, True, False]


def test_rotation_turns_interleaved_pairs():
    cos, sin = rotary_angles(torch.tensor([[0, 3]]), head_dim=4, max_period=100.0)
    x = torch.tensor([1.0, 0.0, 0.0, 1.0]).expand(1, 1, 2, 4)
    turned = rotate(x, cos, sin)
    slow = 3 / 10  # the second pair turns by position * 100 ** -0.5
    expected = [math.cos(3), math.sin(3), -math.sin(slow), math.cos(slow)]
    torch.testing.assert_close(turned[0, 0, 1], torch.tensor(expected))
    assert torch.equal(turned[0, 0, 0], x[0, 0, 0])


@torch.no_grad()
def test_attention_depends_on_distances_alone():
    torch.manual_seed(0)
    attention = Attention(SMALL)
    x = torch.randn(1, 6, 24)
    near, far = (rotary_angles(torch.arange(6)[None] + start, 8, 10_000.0) for start in (0, 500))
    torch.testing.assert_close(attention(x, Call(near), None), attention(x, Call(far), None), atol=1e-5, rtol=0)


@torch.no_grad()
def test_norms():
    x = 7 * torch.randn(2, 5, 24)
    rms = make_norm("rms_norm_f32", 24)
    torch.testing.assert_close(rms(x), x / x.square().mean(-1, keepdim=True).sqrt())
    assert rms(x.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(make_norm("layer_norm", 24)(x), F.layer_norm(x, (24,)))
    with pytest.raises(ValueError, match="unknown norm"):
        make_norm("batch", 24)


def test_what_cannot_be_built_or_streamed_is_refused():
    with pytest.raises(ValueError, match="unknown gating"):
        Transformer(replace(SMALL, gating="swish"))
    with pytest.raises(ValueError, match="needs a capacity"):
        Transformer(replace(SMALL, context=None)).init_state(1)


def test_checkpointing_changes_no_gradient():
    torch.manual_seed(0)
    transformer = Transformer(SMALL).train()
    x = torch.randn(1, 12, 24)
    grads = []
    for checkpointing in (False, True):
        transformer.checkpointing = checkpointing
        transformer.zero_grad()
        transformer(x).square().sum().backward()
        grads.append([p.grad.clone() for p in transformer.parameters()])
    for plain, again in zip(*grads, strict=True):
        torch.testing.assert_close(plain, again)


@torch.no_grad()
def test_the_ring_gives_each_query_its_window():
    ring, held = Ring(1, capacity=5, context=4, device=torch.device("cpu")), torch.zeros(5)
    for start in range(0, 12, 2):
        window = ring.window(2)
        held[window.slots[0]] = torch.arange(start, start + 2).float()
        for query in range(2):
            seen = sorted(held[window.mask[0, 0, query]].tolist())
            last = start + query
            assert seen == [float(p) for p in range(max(0, last - 3), last + 1)]
        ring.advance(2)


@torch.no_grad()
def test_the_places_are_what_the_window_says_of_a_single_position():
    ring = Ring(3, capacity=4, context=4, device=torch.device("cpu"))
    generator = torch.Generator().manual_seed(2)
    while ring.offset.min() < 10:
        ring.set_active(torch.rand(3, generator=generator) < 0.6)
        window, places = ring.window(1), ring.places()
        assert [place.row for place in places] == ring.active.nonzero()[:, 0].tolist()
        for row, slot, used in places:
            assert window.slots[row].tolist() == [slot]
            assert window.mask[row, 0, 0].tolist() == [True] * used + [False] * (4 - used)
        ring.advance(1)
    assert Ring(1, capacity=5, context=4, device=torch.device("cpu")).places() is None  # it holds what is not seen
