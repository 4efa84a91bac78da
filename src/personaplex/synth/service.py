"""Service calls: a company, its facts in the role text, and a caller who asks for them.

The style of the role follows the published prompts: "You work for X which is a Y and your name is Z. Information: ...".
"""

from __future__ import annotations

import numpy as np

from personaplex.synth import policies
from personaplex.synth.businesses import OF_SPLIT
from personaplex.synth.facts import draw_topics
from personaplex.synth.scripts import (
    GOODBYE,
    GREETS_FIRST,
    HOW_ARE_YOU,
    REPEAT,
    ROBOT,
    THANKS,
    Line,
    Script,
    Topic,
    exchange,
    recited,
)
from personaplex.synth.words import COLORS, DAYS, company, first_name, person, pick


def draw(rng: np.random.Generator, split: str) -> Script:
    """A call to a random company, two to six turns of the caller."""
    business = pick(rng, OF_SPLIT[split])
    firm = company(rng, split, business.suffixes)
    name = person(rng, split)
    topics = draw_topics(rng, split, business)
    own = int(rng.integers(2, 5))
    told, rest = topics[:own], topics[own:]
    told += [policies.feature(rng)] if rng.random() < 0.3 else []
    spoken = {topic.intent for topic in told}
    rules = policies.rules(rng, business.archetype, int(rng.integers(0, 3)))
    rules = [rule for rule in rules if not any(policies.clash(rule, intent) for intent in spoken)]
    greets = rng.random() < 0.25
    sentences = [pick(rng, topic.roles) for topic in told + rules]
    role = _role(rng, firm, business.trade, name, sentences, greets)
    answered = [recited(topic, said) for topic, said in zip(told + rules, sentences, strict=True)]
    told, rules = answered[: len(told)], answered[len(told) :]
    identity = _identity(firm, business.trade, name)
    rest = [
        topic
        for topic in rest
        if topic.intent not in spoken | {"price"} and not any(policies.clash(rule, topic.intent) for rule in rules)
    ]

    opening = pick(rng, business.openings).format(item=pick(rng, business.items)[0])
    lines: list[Line] = []
    if greets:
        lines.append(_greeting(rng, firm, name))
    turns = int(rng.integers(2, 6))
    pool = [told[i] for i in rng.permutation(len(told))] + [pick(rng, identity)]
    if rng.random() < 0.35:
        pool.insert(int(rng.integers(len(pool))), pick(rng, identity))
    pool = [_sharpened(rng, topic) for topic in pool]
    if rest and rng.random() < 0.35:
        aim = rest[0] if rng.random() < 0.6 else None
        pool.insert(int(rng.integers(min(len(pool), 3))), policies.untold(rng, aim))
    if rng.random() < 0.22:
        pool.insert(int(rng.integers(min(len(pool), 3))), policies.unrelated(rng, firm, business.trade))
    pool = rules[:1] + pool if rng.random() < 0.5 else pool + rules
    if rng.random() < 0.25:
        pool.insert(int(rng.integers(len(pool))), pick(rng, (HOW_ARE_YOU, ROBOT, REPEAT)))
    if rng.random() < 0.3:
        pool.insert(int(rng.integers(1, len(pool) + 1)), _booking(rng, split, role, business.archetype))
    first = True
    roll = rng.random()
    if not greets and roll < 0.25:
        lines += _hello(rng, firm, name)
        first = False
    elif not greets and roll < 0.4:
        lines += _statement(rng, opening)
        first, opening = False, ""
    for topic in _distinct(pool)[:turns]:
        if rng.random() < 0.07:
            topic = policies.rude(rng, topic)
        story = opening if opening and rng.random() < 0.45 else ""
        opening = "" if story else opening
        lines += exchange(rng, topic, story, first, split)
        first = False
    if rng.random() < 0.45:
        lines += exchange(rng, THANKS)
    if rng.random() < 0.5:
        lines += exchange(rng, GOODBYE)
    return Script("service", role, tuple(lines), greets)


def _sharpened(rng: np.random.Generator, topic: Topic) -> Topic:
    """Sometimes the caller asks whether a detail is right, and mostly has it wrong."""
    if rng.random() > 0.25:
        return topic
    return policies.confirm(rng, topic, policies.other_fact(rng, topic.fact) if rng.random() < 0.7 else "") or topic


def _distinct(pool: list[Topic]) -> list[Topic]:
    return list({topic.intent + topic.fact: topic for topic in pool}.values())


def _role(rng: np.random.Generator, firm: str, trade: str, name: str, told: list[str], greets: bool) -> str:
    article = "an" if trade[0] in "aeiou" else "a"
    head = pick(
        rng,
        (
            f"You work for {firm} which is {article} {trade} and your name is {name}.",
            f"You work for {firm} which is {article} {trade} and your name is {name}.",
            f"You work for {firm}, {article} {trade}. Your name is {name}.",
            f"Your name is {name} and you work for {firm}, which is {article} {trade}.",
            f"You are {name} from {firm}, {article} {trade}.",
        ),
    )
    facts = [told[i] for i in rng.permutation(len(told))]
    label = pick(rng, ("Information: ", "Information: ", "Facts: ", ""))
    greet = f" {pick(rng, GREETS_FIRST)}" if greets else ""
    if rng.random() < 0.3:  # facts joined as in the published prompts
        return f"{head} {label}{'; '.join(fact.rstrip('.') for fact in facts)}.{greet}"
    return f"{head} {label}{' '.join(facts)}{greet}"


def _greeting(rng: np.random.Generator, firm: str, name: str) -> Line:
    text = pick(
        rng,
        (
            f"Hello, thank you for calling {firm}. This is {name}. How can I help you?",
            f"Hi, this is {name} from {firm}. How can I help you today?",
            f"Welcome to {firm}. My name is {name}. What can I do for you?",
            f"{firm}, {name} speaking. How can I help?",
            f"Good day, you have reached {firm}. I am {name}. How can I help you?",
        ),
    )
    return Line("agent", text, "greeting", "greeting", f"{firm}|{name}".lower())


def _hello(rng: np.random.Generator, firm: str, name: str) -> list[Line]:
    hello = pick(
        rng,
        (
            "Hello?",
            "Hello.",
            "Hi.",
            "Hi there.",
            "Hello, good morning.",
            "Good afternoon.",
            "Hey there.",
            "Hello, anybody there?",
        ),
    )
    reply = pick(
        rng,
        (
            f"Hello, this is {name} from {firm}. How can I help you?",
            f"Hi, my name is {name}. How can I help you today?",
            f"Hello, you have reached {firm}. What can I do for you?",
            f"Hello, {name} speaking. How can I help?",
            "Hello, how can I help you today?",
        ),
    )
    return [Line("user", hello, "greeting", "hello"), Line("agent", reply, "greeting", "hello")]


def _statement(rng: np.random.Generator, opening: str) -> list[Line]:
    hello = pick(rng, ("Hi, ", "Hello, ", "Hi there, um, ", "Hello, so, ", "Good morning, "))
    reply = pick(
        rng,
        (
            "I see. How can I help you with that?",
            "Okay. What would you like to know?",
            "Thank you for telling me. How can I help?",
            "Alright, I can help with that. What do you need?",
            "I understand. What can I do for you?",
        ),
    )
    return [Line("user", f"{hello}{opening}.", "statement", "statement"), Line("agent", reply, "answer", "statement")]


def _identity(firm: str, trade: str, name: str) -> tuple[Topic, ...]:
    article = "an" if trade[0] in "aeiou" else "a"
    return (
        Topic(
            "name",
            ("What is your name?", "Who am I speaking with?", "Who is this?", "What's your name, please?", "Who am I talking to?",
             "May I have your name?", "Sorry, what was your name?", "And your name is?"),
            (f"My name is {name}.", f"I am {name}.", f"This is {name}.", f"{name} is my name.", f"You are speaking with {name}.",
             f"{name}. I am happy to help you.", f"I'm {name}. What can I do for you?"),
            ("what your name is", "who I am speaking with", "who I am talking to", "your name"),
            fact=name.lower(),
        ),
        Topic(
            "company",
            ("What company is this?", "Which company is this?", "Where do you work?", "What company do you work for?",
             "What is the name of your company?", "Who do you work for?", "What company did I call?", "Which place is this?"),
            (f"This is {firm}.", f"You have reached {firm}.", f"I work for {firm}.", f"{firm}. How can I help you?",
             f"You are speaking with {firm}.", f"We are {firm}."),
            ("what company this is", "which company you work for", "the name of your company", "where you work"),
            fact=firm.lower(),
        ),
        Topic(
            "trade",
            ("What do you do?", "What kind of company is this?", "What kind of business are you?", "What does your company do?"),
            (f"We are {article} {trade}.", f"{firm} is {article} {trade}.", f"This is {article} {trade}."),
            ("what kind of company this is", "what your company does"),
            fact=trade,
        ),
    )  # fmt: skip


def _booking(rng: np.random.Generator, split: str, role: str, archetype: str) -> Topic:
    """Things the agent must repeat from what it hears; no day that the role speaks of, as it may be the closed one."""
    day, name, color = pick(rng, [day for day in DAYS if day not in role]), first_name(rng, split), pick(rng, COLORS)
    topics = (
        Topic("book_day", (f"I will come on {day}.", f"I would like to come on {day}.", f"Is {day} okay for you?", f"Let's say {day}."),
              (f"{day} is fine. See you then.", f"Yes, {day} is good.", f"Great, I have you down for {day}.", f"Okay, see you on {day}."),
              fact=day.lower()),
        Topic("caller_name", (f"My name is {name}.", f"This is {name}, by the way.", f"Please put it under {name}.", f"I'm {name}."),
              (f"Thank you, {name}.", f"Nice to meet you, {name}.", f"{name}, got it.", f"Okay, {name}. Thank you."),
              fact=name.lower()),
        Topic("color", (f"Do you have it in {color}?", f"I would like a {color} one.", f"Can I get it in {color}?"),
              (f"Yes, we have it in {color}.", f"Sure, {color} is fine.", f"A {color} one, of course."),
              fact=color),
    )  # fmt: skip
    return pick(rng, topics if archetype == "shop" else topics[:2])
