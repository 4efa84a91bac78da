"""What is said in a conversation, and by whom; nothing yet of when or with which voice.

A script is a role and a list of lines. `service`, `teacher` and `casual` write them, `scenarios` chooses among those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from personaplex.spelling import spell_out
from personaplex.synth.words import held_out, pick

FIRST_WORDING = 0.7
"""Share of the answers that are a topic's first wording: a small model learns one way well before it learns many."""
GREETS_FIRST = ("You greet the customer first.", "You speak first.", "You greet first.", "Greet the caller first.")


@dataclass(frozen=True)
class Line:
    """One turn.

    Attributes:
        who: `user` or `agent`.
        text: cased and punctuated, in ASCII, every number in words.
        kind: `greeting`, `question`, `statement`, `story`, `answer`, `refusal` (the role is
            silent), `rule` (it forbids), `steer` (not its business), `correction`, `calm`, `thanks` or `goodbye`.
        intent: what a question asks for, such as `price`; the answer carries the same.
        fact: the words of the answer that only the role (or the user) could have told, in lower case.
        barge: whether the user breaks into the agent's previous line; they may break into any long one.
    """

    who: str
    text: str
    kind: str
    intent: str = ""
    fact: str = ""
    barge: bool = False


@dataclass(frozen=True)
class Script:
    """A role text, who speaks first, the lines in order.

    `scenario` is one of `service`, `qa`, `casual`, `brief`, `open`, `told`, `alone` and `silent`. Lines of the
    user's and the agent's alternate, unless the user is alone.
    """

    scenario: str
    role: str
    lines: tuple[Line, ...]
    agent_first: bool = False


@dataclass(frozen=True)
class Topic:
    """Something that can be asked and answered; every field offers paraphrases.

    Attributes:
        intent: its name.
        asks: direct questions, capitalised, with their question mark.
        clauses: indirect ones ("how much it costs"), to follow "I was wondering".
        answers: each a whole answer, the usual one first.
        roles: sentences for the role text; none if the role need not tell it.
        fact: what a right answer must contain.
    """

    intent: str
    asks: tuple[str, ...]
    answers: tuple[str, ...]
    clauses: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    fact: str = ""
    kind: str = "answer"


_HELLOS = ("Hi", "Hello", "Hi there", "Hello there", "Hey", "Good morning", "Good afternoon", "Good evening")
_ANNOUNCE = (
    "Hi, I have a question.",
    "Hello, maybe you can help me.",
    "Hi there. I need to ask you something.",
    "I have a quick question.",
    "Hello. I would like to know something.",
    "Hi. There is something I want to ask.",
    "Good morning. I need some help.",
)
_LEADS = (
    "I was wondering", "Could you tell me", "Can you tell me", "I would like to know", "Do you know", "I wanted to ask",
    "Please tell me", "I'm calling to ask", "Would you mind telling me", "I need to know", "Can I ask",
)  # fmt: skip
_FILLERS = (
    "Um,",
    "Uh,",
    "So,",
    "Well,",
    "Okay,",
    "And,",
    "Okay, um,",
    "Great, and,",
    "Oh, and",
    "Alright,",
    "Good.",
    "I see.",
)
_TAILS = (", please?", ", if you don't mind?", ", if I may ask?")


def sentence(text: str) -> str:
    """`text` with a capital first letter."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """`text` to be continued after a comma: a small first letter, unless its first word is `I`."""
    first = text.split(maxsplit=1)[0]
    return text if first == "I" or first.startswith("I'") else text[:1].lower() + text[1:]


def ask(rng: np.random.Generator, topic: Topic, opening: str = "", first: bool = False, split: str = "train") -> Line:
    """A user's question in one of many wordings, from three words to a long one that begins with a story."""
    if topic.clauses and rng.random() < 0.4:
        lead = pick(rng, _LEADS)
        mark = "." if lead.startswith(("I ", "I'm", "Please")) else "?"
        question = f"{lead} {pick(rng, topic.clauses)}{mark}"
    else:
        question = pick(rng, wordings(topic, split))
        if question.endswith("?") and rng.random() < 0.08:
            question = question[:-1] + pick(rng, _TAILS)
    head = ""
    if first and not opening and rng.random() < 0.12:  # the user clearly goes on, after a pause
        return Line("user", f"{pick(rng, _ANNOUNCE)} {question}", "question", topic.intent, topic.fact)
    if first and rng.random() < 0.75:
        head = pick(rng, _HELLOS)
    if opening:
        opening = (pick(rng, ("um, ", "uh, ", "so, ", "well, ")) if rng.random() < 0.3 else "") + opening
        join = pick(rng, (". ", ", and ", ", so ", ". So, ", ", and um, "))
        question = lower_first(question) if join.startswith(",") or join.endswith(", ") else question
        body = f"{opening}{join}{question}"
        text = f"{head}, {lower_first(body)}" if head else sentence(body)
    elif head:
        text = f"{head}, {lower_first(question)}" if rng.random() < 0.6 else f"{head}. {question}"
    elif not first and rng.random() < 0.35:
        filler = pick(rng, _FILLERS)
        text = f"{filler} {question if filler.endswith('.') else lower_first(question)}"
    else:
        text = question
    kind = topic.intent if topic.intent in ("thanks", "goodbye") else "question"
    return Line("user", text, kind, topic.intent, topic.fact)


def wordings(topic: Topic, split: str) -> Sequence[str]:
    """The direct questions that belong to `split`; all, where there are too few to divide."""
    mine = [
        text
        for at, text in enumerate(topic.asks)
        if held_out("wording", topic.intent.split(":")[0], at) == (split == "test")
    ]
    return mine or topic.asks


def answer(rng: np.random.Generator, topic: Topic) -> Line:
    """The agent's answer, mostly in its usual wording."""
    text = topic.answers[0] if rng.random() < FIRST_WORDING else pick(rng, topic.answers)
    return Line("agent", text, topic.kind, topic.intent, topic.fact)


def recited(topic: Topic, told: str) -> Topic:
    """The same topic, usually answered as the role tells it: by the sentence `told`, read out.

    So an answer names what was asked for before it comes to the figure, and to answer is to find a sentence and read
    on. Where that sentence does not hold the fact (it is open on the days that are not named), nothing changes.
    """
    said = spell_out(told).replace(": ", ", ")
    if topic.kind == "rule":
        return replace(topic, answers=(f"Sorry, {lower_first(said)}", *topic.answers))
    if topic.kind == "answer" and topic.fact and topic.fact in said.lower():
        return replace(topic, answers=(said, *topic.answers))
    return topic


def exchange(
    rng: np.random.Generator, topic: Topic, opening: str = "", first: bool = False, split: str = "train"
) -> list[Line]:
    """A question and its answer."""
    return [ask(rng, topic, opening, first, split), answer(rng, topic)]


THANKS = Topic(
    "thanks",
    ("Thank you.", "Thanks a lot.", "Thank you very much.", "Great, thank you.", "Okay, thanks.", "Perfect, thanks.",
     "Oh, that's great, thank you.", "Thanks for your help.", "Wonderful, thank you so much."),
    ("You are welcome.", "You're welcome. Is there anything else?", "My pleasure.", "Happy to help.",
     "You are very welcome. Can I help with anything else?", "No problem at all.", "Of course. Anything else?"),
)  # fmt: skip
GOODBYE = Topic(
    "goodbye",
    ("Goodbye.", "Bye bye.", "That's all, thank you. Goodbye.", "No, that's all. Bye.", "Okay, have a nice day.",
     "I have to go now. Bye.", "That was all I needed. Goodbye.", "Thanks, see you soon."),
    ("Goodbye. Have a nice day.", "Thank you. Goodbye.", "Have a great day. Bye bye.", "Goodbye, and take care.",
     "Bye. Have a wonderful day.", "Take care. Goodbye."),
)  # fmt: skip
HOW_ARE_YOU = Topic(
    "how_are_you",
    ("How are you?", "How are you today?", "How are you doing?", "How is it going?", "How is your day so far?"),
    ("I am doing well, thank you. How can I help?", "I'm great, thanks for asking.", "Very well, thank you. And you?",
     "I am fine, thank you.", "I'm having a good day, thank you."),
)  # fmt: skip
ROBOT = Topic(
    "robot",
    ("Are you a robot?", "Am I talking to a real person?", "Are you a machine?", "Are you human?"),
    ("I am a virtual assistant.", "I'm a computer voice, but happy to help.", "I am a virtual assistant, to help you."),
)  # fmt: skip
REPEAT = Topic(
    "repeat",
    ("Can you hear me?", "Hello? Can you hear me?", "Are you still there?", "Hello, are you there?"),
    ("Yes, I can hear you.", "Yes, I am here.", "I hear you well. How can I help?", "Yes, I'm still here."),
)  # fmt: skip
