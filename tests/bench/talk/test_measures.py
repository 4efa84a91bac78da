"""Turns held and words told apart, on numbers worked out by hand."""

import pytest

from personaplex.bench.talk.measures import held, overlap, word_errors

TURNS = [(1.0, 3.0), (6.0, 8.0), (9.0, 10.0)]


def test_a_turn_is_held_when_it_is_left_to_the_user_and_answered():
    speech = [(2.9, 3.3), (3.8, 6.3), (8.5, 9.5)]
    first, second, third = held(TURNS, speech)
    assert first.silent and first.latency == 0 and first.whole  # it begins 0.1 s early
    assert second.silent and second.latency == pytest.approx(0.5)  # 0.3 s of 2 s talked over
    assert not third.silent and third.latency is None and not third.spoke and not third.whole


def test_an_answer_begins_before_the_next_turn_and_within_two_seconds():
    late, hurried, _ = held(TURNS, [(5.1, 5.4), (9.1, 9.4)])
    assert late.latency is None and not late.spoke  # 2.1 s after the end
    assert hurried.latency is None  # in the next turn


def test_a_system_that_never_stops_begins_no_answer_though_it_speaks():
    turns = held(TURNS, [(0.0, 30.0)])
    assert not any(turn.silent or turn.latency is not None for turn in turns) and all(turn.spoke for turn in turns)
    assert overlap(TURNS, [(0.0, 30.0)]) == 5


def test_words_are_counted_without_case_and_punctuation():
    assert word_errors("It costs, I think, twelve dollars.", "it costs twelve dollar") == (3, 6)
    assert word_errors("Hello there.", "") == (2, 2)
    assert word_errors("", "anything") == (0, 0)
