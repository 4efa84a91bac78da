"""A caller of few words: hello, a question of a breath or two, thanks, is anybody there.

Half a second of speech is soon missed, and long questions teach nothing about it. Knows sentences only.
"""

from __future__ import annotations

import numpy as np

from personaplex.synth.casual import HELLO, ROLE, persona
from personaplex.synth.scripts import GOODBYE, HOW_ARE_YOU, REPEAT, ROBOT, THANKS, Line, Script, Topic, answer, wordings
from personaplex.synth.words import pick

_MOST = 5  # words in a turn, where a topic has a wording so short
_EVER = (REPEAT, ROBOT, HOW_ARE_YOU, THANKS)


def draw(rng: np.random.Generator, split: str) -> Script:
    """Four to eight exchanges of short turns, the first mostly a greeting."""
    sentences, own = persona(rng, split)
    pool = [*own, *(topic for topic in _EVER if rng.random() < 0.5)]
    topics = [pool[at] for at in rng.permutation(len(pool))]
    if rng.random() < 0.8:
        topics.insert(0, HELLO)
    topics = topics[: int(rng.integers(4, 9))]
    if rng.random() < 0.6:
        topics.append(GOODBYE)
    lines = [line for topic in topics for line in (_say(rng, topic, split), answer(rng, topic))]
    return Script("brief", " ".join([ROLE, *sentences]), tuple(lines))


def _say(rng: np.random.Generator, topic: Topic, split: str) -> Line:
    known = wordings(topic, split)
    short = [text for text in known if len(text.split()) <= _MOST]
    kind = topic.intent if topic.intent in ("thanks", "goodbye") else "question"
    return Line("user", pick(rng, short or [min(known, key=len)]), kind, topic.intent, topic.fact)
