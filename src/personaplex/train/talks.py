"""Examples without sound: a role and the words of a talk about it, laid on the text streams alone.

Finding in the role what was asked for is a skill of text (`facts` are copied, not remembered); here it is learnt for a
fraction of what a frame with sound costs. All audio cells are the zero embedding, and none of them is a target.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from personaplex.errors import UserError
from personaplex.frames import FRAME_SECONDS, ZERO, Layout
from personaplex.persona.prompt import prompt_frames
from personaplex.persona.role import wrap_role
from personaplex.text import Tokenizer, Word, align_words

USER, AGENT = "user", "agent"
_PAUSE = 10  # most frames between two turns
_GAP = 2  # most frames between two words, but for a slow pace
_PACES = 0.0, 1.3  # a speaker's pace in one talk, as a multiple
_UNEVEN = 0.7, 1.3  # and that of one word
COMMON = 0.3  # share of the roles from which a piece is of the language, not of a role
TURN_SILENCE = 0.8  # seconds of one speaker's silence that end a turn


@dataclass(frozen=True)
class Talk:
    """What is said, and by whom.

    Attributes:
        role: the agent's role, plain text.
        turns: speaker, `user` or `agent`, and words, in order.
        facts: of each turn the phrases that it has to hold; empty where none are known.
    """

    role: str
    turns: tuple[tuple[str, tuple[str, ...]], ...]
    facts: tuple[tuple[str, ...], ...] = ()


def talks_of(dialogues: Iterable[dict[str, Any]]) -> list[Talk]:
    """The talks of packed dialogues: a turn is what somebody says without a longer silence; turns are put in order."""
    talks = []
    for item in dialogues:
        turns: list[tuple[float, str, list[str]]] = []
        for who in (AGENT, USER):
            silent_since = float("-inf")
            for word, start, end in item[who]:
                if start - silent_since > TURN_SILENCE:
                    turns.append((start, who, []))
                turns[-1][2].append(word)
                silent_since = end
        if turns:
            talks.append(Talk(item["role"], tuple((who, tuple(words)) for _, who, words in sorted(turns))))
    return talks


def read_talks(path: Path, dialogues: Iterable[dict[str, Any]]) -> list[Talk]:
    """Read scripts: one JSON object a line, `{"role": …, "turns": [{"who": "user" or "agent", "text": …}, …]}`.

    A turn may have a `fact`: what it has to hold, phrases between bars.

    Args:
        path: the file.
        dialogues: packed ones, whose words show how words are written.

    Raises:
        UserError: when it is no such file, or writes words unlike the dialogues do (in capitals, with full stops).
    """
    talks: list[Talk] = []
    number = 0
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            number += 1
            entry = json.loads(line)
            turns = tuple((turn["who"], tuple(turn["text"].split())) for turn in entry["turns"])
            if any(who not in (USER, AGENT) for who, _ in turns):
                raise ValueError("every turn has to be of one of the two")
            facts = tuple(tuple(filter(None, turn.get("fact", "").split("|"))) for turn in entry["turns"])
            if turns:  # in some scripts nobody speaks
                talks.append(Talk(str(entry["role"]), turns, facts))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f'Line {number} of {path} is no script ({error}); each must be {{"role": …, "turns": [{{"who": '
            f'"user" or "agent", "text": …}}, …]}}.'
        ) from error
    if not talks:
        raise UserError(f"{path} holds no scripts.")
    known = {char for item in dialogues for who in (AGENT, USER) for word, _, _ in item[who] for char in word}
    used = {char for talk in talks for _, words in talk.turns for word in words for char in word}
    strange = sorted(char for char in used - known if not char.isalnum() or char.isupper())
    if strange:
        raise UserError(
            f"{path} writes words with {' '.join(strange)}, which no word of the dialogues has; "
            "write what is said as the corpus writes it."
        )
    return talks


def telling(roles: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """Of each role, the pieces that fewer than `COMMON` of all roles have: what it tells that others do not, int64."""
    counts = np.bincount(
        np.concatenate([np.unique(role).astype(np.int64) for role in roles] or [np.zeros(0, np.int64)])
    )
    return [np.array([piece for piece in set(role) if counts[piece] < COMMON * len(roles)], np.int64) for role in roles]


class Question(NamedTuple):
    """A talk in writing up to where an answer is due.

    Attributes:
        frames: int64 `[S, T]`, prompt included.
        prompt: frames of the prompt.
        facts: phrases that the answer has to hold.
    """

    frames: torch.Tensor
    prompt: int
    facts: tuple[str, ...]


class TalkPack:
    """Talks, drawn as examples.

    Args:
        talks: what to draw from.
        tokenizer: the model's tokenizer.
        layout: the model's layout, with a stream of the user's words.
        length: frames of an example.
        spoken_roles: write the figures of roles in words.
        pace: frames a letter, of which each speaker has 0 to 1.3 times as many; 0 for as fast as words can be written.

    Raises:
        UserError: when the model has no stream for the user's words, there are no talks, or a role fills an example.
    """

    def __init__(
        self,
        talks: Sequence[Talk],
        tokenizer: Tokenizer,
        layout: Layout,
        length: int,
        spoken_roles: bool = False,
        pace: float = 0.0,
    ):
        if not layout.heard:
            raise UserError("Examples without sound need a model with a stream of the user's words (--heard).")
        if not talks:
            raise UserError("There are no words to make examples without sound of.")
        self.talks, self.tokenizer, self.layout, self.length, self.pace = talks, tokenizer, layout, length, pace
        nothing = torch.full((layout.codebooks,), ZERO)
        roles = [tokenizer.encode(wrap_role(talk.role, spoken_roles)) for talk in talks]
        self._telling = [torch.from_numpy(pieces) for pieces in telling(roles)]
        self._prompts = [prompt_frames(nothing[:, None], role, layout, nothing, nothing) for role in roles]
        longest = max(prompt.shape[1] for prompt in self._prompts)
        if longest >= length:
            raise UserError(f"The longest role fills {longest} frames; give --text-length more than these {length}.")

    def examples(self, random: np.random.Generator, count: int) -> tuple[torch.Tensor, ...]:
        """Draw examples.

        Returns:
            Frames int64 `[count, S, length]`, bool `[count, length]` twice: where the agent's text is learnt, and
            where it is a piece that the role tells (see `telling`); and frames of the prompts, int64 `[count]`.
        """
        parts = zip(*(self._example(random) for _ in range(count)), strict=True)
        return tuple(torch.stack(part) for part in parts)

    def _example(self, random: np.random.Generator) -> tuple[torch.Tensor, ...]:
        """As `examples`, of one talk."""
        layout = self.layout
        index = int(random.integers(len(self.talks)))
        talk, prompt = self.talks[index], self._prompts[index]
        first = prompt.shape[1]
        said, _, end = self._spoken(talk, random)
        room = self.length - first
        frames = torch.full((layout.streams, self.length), ZERO)
        frames[:, :first] = prompt
        frames[list(layout.texts), first:] = self._written(said, room)
        learnt = torch.zeros(self.length, dtype=torch.bool)
        learnt[first : first + min(end + 1, room)] = True
        return frames, learnt, learnt & torch.isin(frames[layout.text], self._telling[index]), torch.tensor(first)

    def questions(self, random: np.random.Generator, count: int) -> Iterator[Question]:
        """Draw talks up to where an answer is due whose facts are known; none from talks that tell of none."""
        asked = [
            (index, turn)
            for index, talk in enumerate(self.talks)
            for turn, facts in enumerate(talk.facts)
            if facts and talk.turns[turn][0] == AGENT
        ]
        for drawn in random.permutation(len(asked))[:count]:
            index, turn = asked[drawn]
            said, starts, _ = self._spoken(self.talks[index], random)
            until = starts[turn]
            said = {who: [word for word in words if word[1] < until * FRAME_SECONDS] for who, words in said.items()}
            body = torch.full((self.layout.streams, until), ZERO)
            body[list(self.layout.texts)] = self._written(said, until)
            prompt = self._prompts[index]
            yield Question(torch.cat([prompt, body], dim=1), prompt.shape[1], self.talks[index].facts[turn])

    def _spoken(self, talk: Talk, random: np.random.Generator) -> tuple[dict[str, list[Word]], list[int], int]:
        """What either says and when, the frame in which each turn begins, and the one in which the last ends."""
        said: dict[str, list[Word]] = {AGENT: [], USER: []}
        starts, frame = [], 0
        paces = dict(zip(said, self.pace * random.uniform(*_PACES, size=len(said)), strict=True))
        for who, words in talk.turns:
            frame += int(random.integers(1, _PAUSE + 1))
            starts.append(frame)
            gaps = random.integers(_GAP + 1, size=len(words))
            slowness = random.uniform(*_UNEVEN, size=len(words)) * paces[who]
            for word, gap, frames_a_letter in zip(words, gaps, slowness, strict=True):
                pieces = len(self.tokenizer.encode(word))
                spare = max(int(gap), round(len(word) * frames_a_letter) - pieces)
                # As with sound: the user's word is written once it was spoken, the agent's before it is. Were the wait
                # before the agent's word, its length would tell which one comes, and a model that runs freely, whose
                # waits are of its own making, would leave words out.
                before = spare if who == USER else 0
                moment = (frame + before + 0.5) * FRAME_SECONDS
                said[who].append((word, moment, moment))
                frame += spare + pieces
        return said, starts, frame

    def _written(self, said: dict[str, list[Word]], frames: int) -> torch.Tensor:
        """The text streams, int64 `[2, frames]`."""
        return torch.stack([align_words(said[who], self.tokenizer, frames, self.layout) for who in (AGENT, USER)])
