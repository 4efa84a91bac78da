"""Speech out of streams: who speaks in each frame, where an utterance begins and ends, and whether somebody yielded.

A full-duplex model streams all the time; clients that think in turns need to be told where they are. Knows the loudness
of frames and the pieces of text in them. Does not know any protocol.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from personaplex.frames import FRAME_RATE

AGENT_DB = -42.0  # dBFS, RMS of a frame from which the agent is heard to speak
USER_DB = -40.0  # the same for the user, whose microphone is noisier
END_FRAMES = round(0.5 * FRAME_RATE)  # of silence that end an utterance
YIELD_FRAMES = round(0.25 * FRAME_RATE)  # of the agent's silence, under the user's speech, that are giving way
BEGIN_FRAMES = 2  # of the user's sound that are speech and not a knock


def level(pcm: np.ndarray) -> float:
    """RMS of float `[n]` in dBFS; -120 for digital silence."""
    return float(10 * np.log10(np.mean(np.square(pcm, dtype=np.float64)) + 1e-12))


class Speech:
    """Whether one side speaks, decided frame by frame.

    Args:
        threshold: dBFS from which a frame is speech.
        begin: frames of speech in a row with which it begins.
        end: frames of silence in a row with which it ends.

    Attributes:
        speaking: the decision, which lasts over short pauses.
        silent: frames of silence in a row, up to now.
    """

    def __init__(self, threshold: float = AGENT_DB, begin: int = 1, end: int = END_FRAMES):
        self._threshold, self._begin, self._end = threshold, begin, end
        self.speaking = False
        self.silent = 0
        self._loud = 0

    def hear(self, pcm: np.ndarray, text: str = "") -> bool:
        """Take a frame and the text in it, which counts as speech; returns whether the decision changed."""
        if level(pcm) >= self._threshold or text:
            self.silent, self._loud = 0, self._loud + 1
        else:
            self.silent, self._loud = self.silent + 1, 0
        before = self.speaking
        self.speaking = self.silent < self._end if before else self._loud >= self._begin
        return self.speaking != before


@dataclass(frozen=True)
class Turn:
    """What a frame changed.

    Attributes:
        agent_began: the agent began to speak in it.
        agent_ended: the agent's utterance is over with it.
        yielded: the agent fell silent because the user spoke.
        user_began: the user began to speak.
        user_ended: the user's utterance is over.
    """

    agent_began: bool = False
    agent_ended: bool = False
    yielded: bool = False
    user_began: bool = False
    user_ended: bool = False


class Floor:
    """Follows both sides of a conversation, frame by frame.

    The agent yields when it falls silent while the user, who began before that, goes on speaking. A user's backchannel
    under its speech is thus never taken for an interruption.

    Attributes:
        agent: whether the agent speaks.
        user: whether the user speaks.
    """

    def __init__(self) -> None:
        self.agent = Speech(AGENT_DB)
        self.user = Speech(USER_DB, BEGIN_FRAMES)
        self._under_user = 0  # frames in a row of the agent's silence and the user's sound
        self._overlapped = False  # the user has spoken under this utterance of the agent's

    def hear(self, user: np.ndarray, agent: np.ndarray, text: str = "") -> Turn:
        """Take the frames of both sides and the agent's text; what they changed."""
        was_speaking = self.agent.speaking
        agent_changed = self.agent.hear(agent, text)
        user_changed = self.user.hear(user)
        if agent_changed and self.agent.speaking:
            self._overlapped = False
        if self.agent.speaking and not self.agent.silent:
            self._overlapped = self._overlapped or self.user.speaking
        quiet = was_speaking and self.agent.silent > 0 and self.user.speaking and not self.user.silent
        self._under_user = self._under_user + 1 if quiet else 0
        yielded = self._overlapped and self._under_user == YIELD_FRAMES
        if yielded:
            self.agent.speaking, self._overlapped = False, False
        return Turn(
            agent_began=agent_changed and self.agent.speaking,
            agent_ended=was_speaking and not self.agent.speaking,
            yielded=yielded,
            user_began=user_changed and self.user.speaking,
            user_ended=user_changed and not self.user.speaking,
        )
