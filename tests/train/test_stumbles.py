import numpy as np
import pytest

from personaplex.frames import Layout
from personaplex.train.stumbles import MOST_LATE, STOP, Passage, answer_late, begin_wrongly, stretches

LAYOUT = Layout(codebooks=8, card=32, text_card=40, delays=(0,) * 18, heard=True)
LEAD = 2


def talk(seed: int) -> Passage:
    """Question, pause, question, answer, three times over; the agent's codes name the frame in which they sounded."""
    random = np.random.default_rng(seed)
    who = []
    for _ in range(3):
        who += [""] * 6 + ["user"] * 12 + [""] * 8 + ["user"] * 15 + [""] * 5 + ["agent"] * 25 + [""] * 9
    speaking, user_speaking = (np.array([speaker == name for speaker in who]) for name in ("agent", "user"))
    frames = random.integers(0, 32, (LAYOUT.streams, len(who)))
    frames[LAYOUT.text] = LAYOUT.text_pad
    frames[LAYOUT.heard_text] = LAYOUT.text_pad
    for start, end in stretches(speaking, 0):
        frames[LAYOUT.text, start - LEAD : end - LEAD : 2] = 20
    for start, end in stretches(user_speaking, 0):
        frames[LAYOUT.heard_text, start + 3 : end + 3 : 3] = random.integers(10, 20)
    return Passage(frames, speaking, user_speaking, np.ones(len(who), bool))


def test_a_wrong_beginning_is_read_not_learnt_and_ends_soon_after_the_user_is_heard():
    found = 0
    for seed in range(20):
        before, after = talk(seed), talk(seed)
        begin_wrongly(after, np.random.default_rng(seed), LAYOUT, LEAD, 0.5)
        kept = [*range(LAYOUT.user.start, LAYOUT.user.stop), LAYOUT.heard_text.start]
        np.testing.assert_array_equal(after.frames[kept], before.frames[kept])
        np.testing.assert_array_equal(after.frames[LAYOUT.text, after.meant], before.frames[LAYOUT.text, after.meant])
        mistaken = after.speaking & ~before.speaking
        np.testing.assert_array_equal(after.frames[:, ~mistaken][1:], before.frames[:, ~mistaken][1:])
        for start, end in stretches(mistaken, 0):
            found += 1
            assert not after.meant[start - LEAD - 1 : end - LEAD].any()
            assert after.meant[end - LEAD] and after.frames[LAYOUT.text, end - LEAD] == LAYOUT.text_pad
            spoken = before.user_speaking[start:end]
            assert spoken.any() and spoken.sum() < STOP[1], "it falls silent soon after the user is heard"
            said = after.frames[LAYOUT.agent, start:end]
            assert any(
                np.array_equal(said, before.frames[LAYOUT.agent, at : at + end - start])
                for at, _ in stretches(before.speaking, 0)
            ), "what it says is the opening of something that it does say"
    assert found > 20


def test_a_late_answer_is_the_same_answer_and_its_delay_is_not_learnt():
    delayed = 0
    for seed in range(20):
        before = talk(seed)
        after = answer_late(before, np.random.default_rng(seed), LAYOUT, LEAD, 0.6)
        rows = range(LAYOUT.heard_text.start)  # all but what it heard
        np.testing.assert_array_equal(after.frames[rows][:, after.meant], before.frames[rows])
        heard, there = (part.frames[LAYOUT.heard_text] for part in (after, before))
        np.testing.assert_array_equal(heard[heard >= 10], there[there >= 10])
        for start, end in stretches(~after.meant, 0):
            delayed += 1
            assert 3 <= end - start <= MOST_LATE
            assert (after.frames[LAYOUT.text, start:end] == LAYOUT.text_pad).all()
            assert not (after.speaking | after.user_speaking)[start:end].any()
            assert after.speaking[end + LEAD + 1], "the answer follows at once"
    assert delayed > 20


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_dialogue_in_which_nobody_speaks_stays_as_it_is(share):
    quiet = talk(0)
    quiet.speaking[:] = quiet.user_speaking[:] = False
    frames = quiet.frames.copy()
    begin_wrongly(quiet, np.random.default_rng(0), LAYOUT, LEAD, share)
    assert answer_late(quiet, np.random.default_rng(0), LAYOUT, LEAD, share) is quiet
    np.testing.assert_array_equal(quiet.frames, frames)
