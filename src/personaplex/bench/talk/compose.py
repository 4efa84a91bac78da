"""A long talk: one service role, twelve turns of a caller in three minutes, each with room for an answer.

`synth` renders dialogues of 15 to 45 s, whose users speak when the agent has answered. Here the caller's turns lie at
set times, so that a system that answers badly is still asked the next question. Words come from `synth`'s test split.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from personaplex.audio import pad_to_frames, write_wav
from personaplex.bench.mini.scene import Scene
from personaplex.bench.records import write_json
from personaplex.bench.rules import RuleJudge
from personaplex.bench.talk.folders import LONG, TALK_JSON, TTS_WAV
from personaplex.errors import UserError
from personaplex.speech.speakers import AGENTS, random_user
from personaplex.speech.tts import TTS, Speaker
from personaplex.synth import policies
from personaplex.synth.businesses import OF_SPLIT
from personaplex.synth.facts import draw_topics
from personaplex.synth.scripts import HOW_ARE_YOU, REPEAT, Line, Topic, exchange
from personaplex.synth.words import company, person, pick

TURNS, SECONDS = 12, 180.0
SLOT = SECONDS / TURNS  # s from one turn's earliest beginning to the next one's
_LEAD = (0.3, 1.5)  # s into its slot
_BREATH = 0.3  # s between two sentences
_GAP = 0.4  # s from the caller's end to the synthesiser's answer
_TOLD = 5  # facts of the role that are asked for, each by another intent
_SPELLED = ("address",)  # whose facts hold names that a recogniser of the domain does not know
_ATTEMPTS = 50
_STOP = re.compile(r"(?<=[.?!]) ")
_JUDGE = RuleJudge()  # takes no part in scoring here: it says which questions have an answer that can be told right


def compose(folder: Path, count: int, tts: TTS, seed: int = 0) -> list[Path]:
    """Speak long talks into `folder/long/{N}`; the user's sound is clean.

    Args:
        folder: see `read_cases`.
        count: how many.
        tts: who speaks.
        seed: of everything drawn.

    Raises:
        SpeechError: when a speech engine is absent.
    """
    return [
        _write(folder / LONG / str(number), tts, np.random.default_rng([seed, number, 13])) for number in range(count)
    ]


def script(rng: np.random.Generator) -> tuple[str, list[tuple[Line, Line, bool]]]:
    """A role and its exchanges: the caller's line, a right answer, and whether a fact of the role is asked for.

    The first nine turns ask for three facts, one of them twice, and for what the role forbids, does not tell or is not
    about; the last three ask for two facts that were not asked before and one that was.

    Raises:
        UserError: when `synth` has no business with facts enough.
    """
    for _ in range(_ATTEMPTS):
        business = pick(rng, OF_SPLIT["test"])
        drawn = {topic.intent: topic for topic in draw_topics(rng, "test", business) if topic.fact and topic.roles}
        told = [topic for intent, topic in drawn.items() if intent not in _SPELLED and _can_be_judged(topic)]
        if len(told) >= _TOLD:
            break
    else:
        raise UserError(f"No business of the test split has {_TOLD} facts to ask for.")
    firm, name, told = company(rng, "test", business.suffixes), person(rng, "test"), told[:_TOLD]
    rules = [rule for rule in policies.rules(rng, business.archetype, 8)
             if not any(policies.clash(rule, topic.intent) for topic in told)][:1]  # fmt: skip
    article = "an" if business.trade[0] in "aeiou" else "a"
    facts = " ".join(pick(rng, topic.roles) for topic in told + rules)
    role = f"You work for {firm} which is {article} {business.trade} and your name is {name}. Information: {facts}"
    asked = [told[0], told[1], *rules, HOW_ARE_YOU, policies.untold(rng, None), told[2],
             policies.unrelated(rng, firm, business.trade), REPEAT, told[0]]  # fmt: skip
    asked = (asked + [policies.untold(rng, None)])[: TURNS - 3] + [told[3], told[4], told[1]]
    exchanges = []
    for at, topic in enumerate(asked):
        question, answer = exchange(rng, topic, first=at == 0, split="test")
        exchanges.append((question, answer, topic in told))
    return role, exchanges


def _can_be_judged(topic: Topic) -> bool:
    """Whether the rules take every one of its answers for right; one may be said in words that they do not count."""
    question = {"kind": "Q1", "text": topic.asks[0], "must": [topic.fact], "wrong": None}
    return all(_JUDGE.service(question, answer, "").adherent for answer in topic.answers)


def _write(at: Path, tts: TTS, rng: np.random.Generator) -> Path:
    role, exchanges = script(rng)
    speaker, agent = random_user(rng, "test"), AGENTS[pick(rng, list(AGENTS))]
    caller, other = Scene(tts), Scene(tts)
    turns: list[dict[str, object]] = []
    for number, (question, answer, judged) in enumerate(exchanges):
        caller.now = max(caller.now, number * SLOT + rng.uniform(*_LEAD))
        start = caller.now
        _say(caller, question.text, speaker)
        turn: dict[str, object] = {"start": round(start, 3), "end": round(caller.now, 3), "text": question.text}
        if judged:
            told = {"kind": "Q1", "text": question.text, "answer": answer.text, "must": [question.fact], "wrong": None}
            turn["question"] = told
        turns.append(turn)
        other.now = caller.now + _GAP
        _say(other, answer.text, agent)
    caller.now = other.now = max(caller.now, other.now, SECONDS)
    write_wav(at / "input.wav", pad_to_frames(caller.sound()))
    write_wav(at / TTS_WAV, pad_to_frames(other.sound()))
    words = {name: [[text, round(a, 3), round(b, 3)] for text, a, b in scene.words]
             for name, scene in (("user_words", caller), ("agent_words", other))}  # fmt: skip
    write_json(
        at / TALK_JSON, {"role": role, "voice": agent.id, "speaker": speaker.id, "turns": turns, "asides": [], **words}
    )
    return at


def _say(scene: Scene, text: str, speaker: Speaker) -> None:
    parts: Sequence[str] = _STOP.split(text)
    for number, part in enumerate(parts):
        if number:
            scene.wait(_BREATH)
        scene.say(part, speaker)
