"""Every rule of Full-Duplex-Bench v1 on cases worked out by hand, the traps of its code included."""

import math

import numpy as np
import pytest

from personaplex.bench.duplex.rules import (
    backchannels,
    chunks_of,
    divergence,
    histogram,
    latency,
    take_over,
    words_within,
)
from personaplex.errors import UserError


def words(*times):
    return [(f"w{number}", start, end) for number, (start, end) in enumerate(times)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], False),  # nothing was said
        (words((0.0, 0.3), (0.4, 0.6), (0.7, 0.99)), False),  # 0.99 s < 1 s and 3 words <= 3
        (words((0.0, 0.1), (0.2, 0.3), (0.4, 0.5), (0.6, 0.7)), True),  # 0.7 s, but 4 words > 3
        (words((0.0, 1.0)), True),  # one word, but 1.0 s is not less than 1 s
        (words((5.0, 5.2), (9.0, 9.2)), True),  # 4.2 s from the first start to the last end, silence included
        (words((0.0, 0.3), (0.9, None)), False),  # a last end of null is that word's start: 0.9 s
        (words((0.0, 0.3), (1.0, None)), True),  # the same, 1.0 s
    ],
)
def test_take_over(said, expected):
    assert take_over(said) is expected


def test_take_over_needs_the_outer_times():
    with pytest.raises(UserError, match="no start"):
        take_over(words((None, 0.5), (0.6, 0.9)))


def test_latency():
    said = words((2.5, 2.8), (3.0, 4.0))
    assert latency(said, 2.25) == 0.25
    assert latency(said, 3.0) == 0.0  # it began 0.5 s before the user's end


def test_words_within_a_stretch():
    count = [
        # the stretch is 1..2 s
        (words((1.2, 1.5)), 1),  # inside
        (words((1.0, 2.0)), 1),  # inside, on both edges
        (words((0.5, 1.5)), 1),  # over the start
        (words((1.5, 2.5)), 1),  # over the end
        (words((0.5, 2.5)), 1),  # around it
        (words((2.0, 2.5)), 1),  # touches the end from outside: start <= 2 and end > 2
        (words((0.5, 1.0)), 0),  # touches the start from outside: end is not > 1
        (words((3.0, 3.5)), 0),  # after
        (words((None, 1.5)), 0),  # no start
        (words((1.5, None)), 0),  # no end, starts before the stretch's end: skipped
        (words((2.0, None)), 1),  # no end, starts at its end: its end is its start, so it lies inside
        (words((2.5, None)), 0),  # no end, after
    ]
    for said, expected in count:
        assert words_within(said, 1.0, 2.0) == expected, said


def test_backchannel_walk():
    short = words((1.0, 1.2), (1.3, 1.5))  # two words
    assert backchannels([], []).take_over is False  # silence
    found = backchannels([(1.0, 1.6)], short)  # 0.6 s < 1 s, 2 words <= 2
    assert (found.take_over, found.spans) == (False, [(1.0, 1.6)])
    three = [*short, ("w2", 1.5, 1.6)]
    assert backchannels([(1.0, 1.6)], three).take_over is True  # 0.6 s, but 3 words > 2
    assert backchannels([(1.0, 2.0)], []).take_over is True  # 1.0 s is not less than 1 s, without any word
    assert backchannels([(1.0, 2.5)], short).spans == [(1.0, 2.5)]  # a take-over, and yet counted as a backchannel


def test_backchannel_walk_the_last_stretch_wins():
    long, short = (1.0, 3.0), (5.0, 5.5)  # 2.0 s alone is a take-over
    assert backchannels([long], []).take_over is True
    assert backchannels([long, short], []).take_over is False
    assert backchannels([short, (6.0, 8.0)], []).take_over is True


def test_backchannel_walk_stops_at_speaking():
    # 3.0 s is not more than 3 s; 3.5 s is: a take-over, and neither it nor what follows is a backchannel
    assert backchannels([(0.0, 3.0)], []).spans == [(0.0, 3.0)]
    found = backchannels([(1.0, 1.5), (2.0, 5.5), (6.0, 6.5)], [])
    assert (found.take_over, found.spans) == (True, [(1.0, 1.5)])


def test_histogram():
    # 1.0 s has int(1.0 / 0.2) + 1 = 6 bins. 0.3..0.5 s lies in bins 1 and 2; 0.9..1.9 s in 4..9, but 5 is the last.
    assert histogram([(0.3, 0.5), (0.9, 1.9)], 1.0) == pytest.approx([0, 0.25, 0.25, 0, 0.25, 0.25], abs=1e-9)
    # 0.6 / 0.2 is 2.9999999999999996 in binary, so a start at 0.6 s falls into bin 2
    assert np.flatnonzero(histogram([(0.6, 0.7)], 1.0) > 0.01).tolist() == [2, 3]


def test_divergence():
    assert divergence([], 10.0, [1.0]) == 1.0  # nobody spoke
    # all in bin 0 against all in bin 5 of 6: disjoint, so the square root of ln 2, not 1
    assert divergence([(0.0, 0.1)], 1.0, [0, 0, 0, 0, 0, 1]) == pytest.approx(math.sqrt(math.log(2)), abs=1e-4)
    assert divergence([(0.0, 0.1)], 1.0, [1, 0, 0, 0, 0, 0]) == pytest.approx(0, abs=1e-4)
    # A truth of 2 bins, [1, 0], is resized to 3 as [1, 0.5, 0] and normalised to [2/3, 1/3, 0]; ours is [1, 0, 0] in
    # 0.4 s. The middle m is [5/6, 1/6, 0]: JS = (ln(6/5) + 2/3 ln(4/5) + 1/3 ln 2) / 2 = 0.1323, its root 0.3637.
    middle = (math.log(6 / 5) + 2 / 3 * math.log(4 / 5) + math.log(2) / 3) / 2
    assert divergence([(0.0, 0.1)], 0.4, [1.0, 0.0]) == pytest.approx(math.sqrt(middle), abs=1e-4)


def test_transcripts():
    heard = {"chunks": [{"text": " One,", "timestamp": [1, None]}, {"text": "two", "timestamp": [None, 2.5]}]}
    assert chunks_of(heard) == [(" One,", 1.0, None), ("two", None, 2.5)]
    for bad in ({}, {"chunks": [{"text": "x"}]}, {"chunks": [{"text": "x", "timestamp": ["a", 1]}]}):
        with pytest.raises(UserError, match="malformed"):
            chunks_of(bad)
