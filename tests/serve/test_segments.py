"""Where utterances begin and end, and who gave way to whom."""

import numpy as np
import pytest

from personaplex.serve.protocols.segments import END_FRAMES, YIELD_FRAMES, Floor, Speech
from tests.serve.talker import speech

LOUD = speech(1).astype(np.float32) / 32768
QUIET = np.full(1920, 0.001, np.float32)


def play(user: str, agent: str, text: dict[int, str] | None = None) -> dict[str, list[int]]:
    """Both sides as strings, `#` for a frame of sound; in which frames each thing happened."""
    floor, seen = Floor(), {}
    for frame, (mine, its) in enumerate(zip(user, agent, strict=True)):
        turn = floor.hear(LOUD if mine == "#" else QUIET, LOUD if its == "#" else QUIET, (text or {}).get(frame, ""))
        for name, happened in vars(turn).items():
            if happened:
                seen.setdefault(name, []).append(frame)
    return seen


def test_an_utterance_lasts_over_short_pauses_and_ends_after_half_a_second():
    assert END_FRAMES == 6
    assert play(" " * 24, "  ###  ##       #       ") == {"agent_began": [2, 16], "agent_ended": [14, 22]}


def test_text_begins_an_utterance_before_its_sound():
    assert play(" " * 12, "    ##      ", {2: " Yes"})["agent_began"] == [2]


def test_a_knock_is_not_the_users_speech():
    assert play("  #    ###         ", " " * 19) == {"user_began": [8], "user_ended": [15]}


@pytest.mark.parametrize(
    "user, agent, yielded",
    [
        ("    ##########  ", "########        ", [8 + YIELD_FRAMES - 1]),  # interrupted
        ("    ##            ", "################  ", None),  # a backchannel: the agent goes on
        ("    ##            ", "#########         ", None),  # it ends by itself, nobody speaks by then
        ("          ########", "########          ", None),  # the user takes a turn that is free
        ("########    ", " " * 12, None),
    ],
)
def test_the_agent_yields_when_it_falls_silent_under_a_user_who_goes_on(user, agent, yielded):
    seen = play(user, agent)
    assert seen.get("yielded") == yielded
    if yielded:
        assert seen["agent_ended"] == yielded  # at once, without the half second


def test_silence_is_silence():
    speech = Speech()
    assert not any(speech.hear(np.zeros(1920, np.float32)) for _ in range(10)) and not speech.speaking
