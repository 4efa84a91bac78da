"""Long stories: a user who talks for half a minute, while the agent listens and murmurs now and then.

Knows sentences only; when the agent murmurs is `dialogue`'s affair.
"""
# ruff: noqa: E501  tables of sentences, one a line

from __future__ import annotations

import numpy as np

from personaplex.spelling import number
from personaplex.synth.scripts import Line
from personaplex.synth.words import DAYS, first_name, pick

_BEGIN = (
    "So let me tell you what happened on {day}.", "You will not believe what happened last {day}.", "I want to tell you about my weekend.",
    "Let me tell you about my friend {name}.", "I had such a strange day yesterday.", "So I was on vacation with {name}.",
    "I have to tell you about my new job.", "Last week I went to see my sister {name}.", "My neighbor {name} called me on {day}.",
    "We had a big party for {name} on {day}.",
)  # fmt: skip
_MIDDLE = (
    "First we drove to the lake, and it was raining a lot.", "I got up very early, because the train was at {number}.",
    "Then we walked for {number} hours, and nobody knew the way.", "My brother forgot the keys, so we had to wait outside.",
    "There was a little dog on the road, and it followed us home.", "We ate a lot of pizza, and then we played cards.",
    "The car made a strange noise, but we did not stop.", "{name} was very happy, because it was a surprise.",
    "I bought {number} apples and a big bottle of juice.", "After that we sat in the garden, and we talked about the old days.",
    "The music was very loud, and everybody was dancing.", "I lost my phone on the bus, but a nice woman found it.",
    "We stayed in a small hotel, and the bed was much too short.", "My boss came in, and he did not say a word.",
    "The kids were so tired, but they did not want to sleep.", "Then it got dark, and we made a fire on the beach.",
    "I called {name}, but the line was busy all day.", "The food was cold, so I sent it back to the kitchen.",
    "We took a boat to the island, and the water was blue and clear.", "I had to wait for {number} minutes, and I was getting cold.",
    "My mother cooked her famous soup, and we all had two plates.", "Somebody knocked on the door, and it was {name}.",
    "I tried to fix it, but I only made it worse.", "We looked for the cat everywhere, and it was under the bed.",
    "The plane was late, so we missed the last bus.", "I painted the whole room, and now it is yellow.",
)  # fmt: skip
_END = (
    ("And in the end everything was fine.", ("I am glad it went well.", "What a story. I am glad.", "That is good to hear.")),
    ("So that was my day.", ("What a day. How do you feel now?", "That sounds like a full day.", "Thank you for telling me.")),
    ("What do you think about that?", ("I think that is a great story.", "That sounds like fun.", "I think you did well.")),
    ("Has that ever happened to you?", ("No, but I would like that.", "Not yet, but it sounds exciting.")),
    ("Isn't that funny?", ("Yes, that is very funny.", "Yes, I like that story.")),
    ("What would you do?", ("I would take a rest now.", "I would do the same.", "I would call a friend.")),
)  # fmt: skip


def story(rng: np.random.Generator, split: str) -> list[Line]:
    """A user's story of some twenty to thirty seconds, and what the agent says when it is over."""

    def fill(text: str) -> str:
        return text.format(day=pick(rng, DAYS), name=first_name(rng, split), number=number(int(rng.integers(2, 13))))

    middle = [_MIDDLE[at] for at in rng.permutation(len(_MIDDLE))[: int(rng.integers(4, 8))]]
    joins = ("", "", "And ", "So ", "Well, ", "Um, ")
    body = [
        join + text[0].lower() + text[1:] if (join := pick(rng, joins)) and text[0] not in "I{" else text
        for text in middle
    ]
    end, answers = pick(rng, _END)
    text = " ".join(fill(part) for part in (pick(rng, _BEGIN), *body, end))
    kind = "question" if end.endswith("?") else "story"
    return [Line("user", text, kind, "story"), Line("agent", pick(rng, answers), "answer", "story")]
