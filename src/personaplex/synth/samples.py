"""The agents' voice samples, and the gain that brings each agent to one loudness.

Knows what the samples say: nothing that a conversation of a corpus says.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pyloudnorm

from personaplex.frames import SAMPLE_RATE
from personaplex.speech.engines import Voices
from personaplex.speech.speakers import AGENTS
from personaplex.speech.tts import Speaker
from personaplex.synth.files import VOICE_SECONDS, write_audio

AGENT_LUFS = -24.0
VOICE_PROMPTS = 20  # files per agent
_CALIBRATION = (
    "The small boat sailed slowly past the old stone bridge.",
    "Every morning she walks to the market and buys fresh bread.",
    "Please leave your wet shoes by the door before you come in.",
)
_VOICE_TEXTS = (
    *_CALIBRATION,
    "A cold wind came down from the hills and shook the trees.",
    "My uncle keeps nine brown hens behind the barn.",
    "They painted the fence twice, but the wood still looks gray.",
    "The clock above the door strikes every quarter hour.",
    "Nobody noticed that the map had been hanging upside down.",
    "She folded the letter and put it back in the box.",
    "In the evening the whole village smells of smoke and pine.",
    "The train was late, so we shared a bag of nuts.",
    "Two grey horses stood quietly under the chestnut tree.",
    "He wrote the number on his hand with a blue pen.",
    "The soup needs a pinch of salt and a little more pepper.",
    "From the roof you can see three bridges and the harbor.",
    "Her brother fixed the radio with a spoon and some tape.",
    "We slept in a tent beside a noisy little stream.",
    "The judge read the paper slowly and closed the folder.",
    "Half of the class had forgotten to bring their books.",
    "A yellow bus stopped and let the ducks cross the road.",
    "The old actor bowed, smiled, and left the stage.",
    "Snow covered the tracks before the hunters came back.",
    "You could hear the choir from the other side of the square.",
    "The baker wakes at three and whistles while he works.",
    "Our neighbor collects stamps, coins, and broken umbrellas.",
    "The doctor listened, nodded, and wrote a short note.",
    "That jacket has more pockets than I have keys.",
    "We watched the fog roll over the quiet fields.",
    "The carpenter measured the shelf and cut it too short.",
)


@functools.cache
def process_voices() -> Voices:
    """The voices of this process: one for all, as an engine's library keeps global state."""
    return Voices()


@functools.lru_cache(maxsize=64)
def agent_gain(agent: Speaker) -> float:
    """The factor that brings an agent's speech to `AGENT_LUFS`."""
    speech = np.concatenate([process_voices().say(text, agent).pcm for text in _CALIBRATION])
    loudness = pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(speech.astype(np.float64))
    return float(min(10 ** ((AGENT_LUFS - loudness) / 20), 0.98 / np.abs(speech).max()))


def voice_name(agent: Speaker, number: int) -> str:
    """The path, inside the corpus, of an agent's voice sample; agents without a name of their own lie apart."""
    return f"voices/{'' if agent.id in AGENTS else 'new/'}{agent.id}_{number}.flac"


def write_voice(folder: Path, agent: Speaker, number: int) -> None:
    """Write one voice sample of `VOICE_SECONDS`, unless it is there."""
    path = folder / voice_name(agent, number)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([sum(agent.id.encode()), number])
    speech = np.zeros(0, np.float32)
    for at in rng.permutation(len(_VOICE_TEXTS)):
        utterance = process_voices().say(_VOICE_TEXTS[at], agent)
        room = VOICE_SECONDS[1] - len(speech) / SAMPLE_RATE
        ends = [word.end for word in utterance.words if word.end <= room]
        if ends:
            part = utterance.pcm[: int(ends[-1] * SAMPLE_RATE)]
            speech = np.concatenate([speech, part, np.zeros(int(0.15 * SAMPLE_RATE), np.float32)])
        if len(speech) / SAMPLE_RATE >= VOICE_SECONDS[0]:
            break
    write_audio(path, speech * agent_gain(agent))
