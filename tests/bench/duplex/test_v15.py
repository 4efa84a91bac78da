"""The interval rules of Full-Duplex-Bench v1.5 on cases worked out by hand."""

from personaplex.bench.duplex.v15 import merge, overlaps, response_gaps, response_latency, stop_latency


def test_merge():
    # gaps of 0.5 s (joined: at most 0.5), 0.75 s (not), and a stretch inside another; order does not matter
    found = merge([(3.25, 4.0), (0.0, 1.0), (1.5, 2.5), (1.75, 2.0)], 0.5)
    assert found == [(0.0, 2.5), (3.25, 4.0)]
    assert merge([], 0.5) == []


def test_overlaps():
    # user 1..4 and model 0..2, 3..6: both speak 1..2 and 3..4
    assert overlaps([(1.0, 4.0)], [(0.0, 2.0), (3.0, 6.0)]) == [(1.0, 2.0), (3.0, 4.0)]
    assert overlaps([(1.0, 2.0)], [(2.0, 3.0)]) == []  # touching is not overlapping
    # two user stretches under one stretch of the model end within the same millisecond: the shorter one is kept
    assert overlaps([(1.0, 2.0), (1.9, 2.0002)], [(0.0, 5.0)]) == [(1.9, 2.0)]


def test_response_gaps():
    # The user ends at 2 and at 4; the model starts at 1 and 5. Both ends lead to 5: the later end is kept.
    assert response_gaps([(0.0, 2.0), (3.0, 4.0)], [(1.0, 1.5), (5.0, 6.0)]) == [(4.0, 5.0)]
    assert response_gaps([(0.0, 2.0)], [(2.0, 3.0)]) == []  # a start at the very end comes not after it
    assert response_gaps([(0.0, 2.0), (3.0, 4.0)], [(2.5, 2.75), (5.0, 6.0)]) == [(2.0, 2.5), (4.0, 5.0)]


def test_latencies_belong_to_the_annotated_overlap():
    # The user asks (0..2), the model answers from 3; the user speaks over it at 6..8, it stops at 6.5, answers at 9.
    user, model = [(0.0, 2.0), (6.0, 8.0)], [(3.0, 6.5), (9.0, 12.0)]
    shared, gaps = overlaps(user, model), response_gaps(user, model)
    assert (shared, gaps) == ([(6.0, 6.5)], [(2.0, 3.0), (8.0, 9.0)])
    assert stop_latency(shared, (6.0, 8.0)) == 0.5
    assert response_latency(gaps, (6.0, 8.0)) == 1.0  # 8..9, not the answer to the first question
    assert stop_latency([(1.0, 2.0)], (6.0, 8.0)) is None  # it was not speaking then
    assert response_latency([(2.0, 3.0)], (6.0, 8.0)) is None  # it never answered
