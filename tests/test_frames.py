import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from personaplex.frames import FRAME_RATE, FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Layout, lag, undelay


def layout(delays=(0, 0, 1, 0, 1)):
    return Layout(codebooks=(len(delays) - 1) // 2, card=10, text_card=50, delays=tuple(delays))


def test_constants_agree():
    assert SAMPLE_RATE == FRAME_SAMPLES * FRAME_RATE and FRAME_SECONDS * FRAME_RATE == 1


def test_streams_lie_in_the_fixed_order():
    grid = layout()
    assert (grid.streams, grid.text, grid.agent, grid.user) == (5, 0, slice(1, 3), slice(3, 5))
    assert grid.initial().tolist() == [50, 10, 10, 10, 10]
    assert grid.max_delay == 1


def test_what_was_heard_is_the_last_stream_and_moves_no_other():
    plain, grid = layout(), Layout(2, 10, 50, (0, 0, 1, 0, 1, 0), heard=True)
    assert grid.streams == 6 and range(6)[grid.heard_text] == range(5, 6) and grid.texts == (0, 5)
    assert (grid.agent, grid.user) == (plain.agent, plain.user)
    assert grid.initial().tolist() == [*plain.initial().tolist(), 50]
    assert not range(5)[plain.heard_text] and plain.texts == (0,)
    with pytest.raises(ValueError, match="text stream"):
        Layout(2, 10, 50, (0, 0, 1, 0, 1, 1), heard=True)


@pytest.mark.parametrize("delays", [(0, 0, 0), (1, 0, 0, 0, 0), (0, 0, -1, 0, 0)])
def test_delays_that_contradict_the_layout_are_refused(delays):
    with pytest.raises(ValueError):
        Layout(codebooks=2, card=10, text_card=50, delays=delays)


def test_lag_writes_each_stream_its_delay_later():
    frames = torch.arange(15).view(1, 5, 3)
    assert lag(frames, layout((0, 0, 1, 2, 3)))[0].tolist() == [
        [50, 0, 1, 2],
        [10, 3, 4, 5],
        [10, 10, 6, 7],
        [10, 10, 10, 9],
        [10, 10, 10, 10],
    ]


@given(st.lists(st.integers(0, 4), min_size=4, max_size=4), st.integers(0, 6))
def test_undelay_undoes_lag(delays, length):
    grid = layout((0, *delays))
    frames = torch.arange(5 * length).view(1, 5, length)
    back, valid = undelay(lag(frames, grid)[:, :, 1:], grid.delays)
    assert valid.sum(dim=1).tolist() == [max(0, length - delay) for delay in grid.delays]
    assert torch.equal(back[0][valid], frames[0][valid])
    assert not back[0][~valid].any()
