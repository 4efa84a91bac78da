"""Blocks that visit a device compute what blocks that live there do; here host and device are one CPU."""

import pytest
import torch

from personaplex.nn.offload import offload, weight_bytes
from tests.helpers import random_frames, tiny_lm


@pytest.fixture
def lm():
    return tiny_lm(num_layers=3).requires_grad_(False)


def test_the_result_is_the_same_with_and_without_a_state(lm):
    frames = random_frames(lm, 2, 7)
    with torch.inference_mode():
        expected = lm(frames)
        assert offload(lm, lm.transformer.layers[1:], "cpu") == 2
        found = lm(frames)
        assert torch.equal(found.text, expected.text) and torch.equal(found.audio, expected.audio)
        state = lm.init_state(2)
        steps = [lm.temporal(lm.embed(frames[:, :, [t]]), state) for t in range(7)]
        assert torch.allclose(torch.cat(steps, 1), lm.temporal(lm.embed(frames)), atol=1e-5)


def test_weights_visit_only_while_their_block_computes_and_a_fault_sends_them_home(lm):
    layers, places = lm.transformer.layers, []
    offload(lm, layers[1:], "cpu")
    weights = [next(layer.parameters()) for layer in layers]
    home = [weight.data_ptr() for weight in weights]
    for layer in layers:
        layer.norm2.register_forward_hook(lambda *_: places.append([weight.data_ptr() for weight in weights]))
    with torch.inference_mode():
        lm(random_frames(lm, 1, 3))
    away = [[now != then for now, then in zip(place, home, strict=True)] for place in places]
    assert away == [[False, False, False], [False, True, False], [False, False, True]]
    assert [weight.data_ptr() for weight in weights] == home
    layers[2].norm2.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), torch.inference_mode():
        lm(random_frames(lm, 1, 3))
    assert [weight.data_ptr() for weight in weights] == home


def test_weight_bytes_counts_parameters_and_buffers():
    part = torch.nn.BatchNorm1d(4)
    assert weight_bytes(part) == 4 * 4 * 4 + 8
