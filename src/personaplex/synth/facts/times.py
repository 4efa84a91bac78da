"""Questions about when and where: opening times, free appointments, days off, the address."""
# ruff: noqa: E501  a table of sentences, one a line

from __future__ import annotations

import numpy as np

from personaplex.spelling import number
from personaplex.synth.facts.figures import draw_number, plural, time_of_day
from personaplex.synth.scripts import Topic, sentence
from personaplex.synth.words import DAYS, pick, street


def hours_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """When the company opens, or when it closes."""
    start, end = time_of_day(rng, "morning"), time_of_day(rng, "evening")
    if rng.random() < 0.5:
        return Topic(
            "open_time",
            ("When do you open?", "What time do you open?", "What time do you open in the morning?", "How early can I come?", "When are you open?"),
            (f"We open at {start}.", f"We are open from {start}.", f"At {start}.", f"You can come from {start}.", f"Our doors open at {start}."),
            ("when you open", "what time you open in the morning", "how early I can come"),
            (f"Open from {start} to {end}.", f"We open at {start}.", f"Opens at {start} and closes at {end}."),
            start,
        )  # fmt: skip
    return Topic(
        "close_time",
        ("When do you close?", "What time do you close?", "How late are you open?", "Until when are you open today?", "How late can I come?"),
        (f"We close at {end}.", f"We are open until {end}.", f"At {end}.", f"You can come until {end}.", f"Our doors close at {end}."),
        ("when you close", "how late you are open", "what time you close today"),
        (f"Open from {start} to {end}.", f"We close at {end}.", f"Opens at {start} and closes at {end}."),
        end,
    )  # fmt: skip


def closed_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """Whether it is open on a day."""
    closed = pick(rng, DAYS)
    asked = closed if rng.random() < 0.5 else pick(rng, [day for day in DAYS if day != closed])
    if asked == closed:
        replies = (
            f"No, we are closed on {closed}.",
            f"Sorry, we are closed on {closed}.",
            f"We are closed on {closed}, sorry.",
        )
        fact = "closed"
    else:
        replies = (
            f"Yes, we are open on {asked}.",
            f"Yes, you can come on {asked}.",
            f"We are open on {asked}. Only {closed} is closed.",
        )
        fact = "open"
    return Topic(
        "open_day",
        (
            f"Are you open on {asked}?",
            f"Can I come on {asked}?",
            f"Do you work on {asked}?",
            f"Is {asked} okay, or are you closed?",
        ),
        replies if asked == closed or fact != "open" else replies[:2] + (f"{asked} is fine, we are open.",),
        (f"if you are open on {asked}", f"whether I can come on {asked}"),
        (f"Closed on {closed}.", f"We are closed on {closed}.", f"Open every day but {closed}."),
        fact,
    )


def slot_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """The next free appointment."""
    when = f"{pick(rng, DAYS)} at {time_of_day(rng, pick(rng, ('morning', 'afternoon')))}"
    return Topic(
        "slot",
        ("When is your next free appointment?", "When can I come?", "When is the next opening?", "What is your next free time?",
         "How soon can I get an appointment?", "When do you have time for me?"),
        (f"The next free time is {when}.", f"You can come on {when}.", f"{when} is free.", f"We have time on {when}.",
         f"Our next opening is {when}."),
        ("when I can come", "when you have time for me", "when your next free appointment is", "how soon I can get an appointment"),
        (f"The next free appointment is {when}.", f"Next opening: {when}.", f"Next free time is {when}."),
        when.lower(),
    )  # fmt: skip


def available_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """From which day on something can be rented."""
    day = pick(rng, DAYS)
    be = "are" if plural(item) else "is"
    return Topic(
        "available",
        (f"When {be} the {item} free?", f"{sentence(be)} the {item} available?", f"When can I have the {item}?"),
        (f"The {item} {be} free on {day}.", f"You can have the {item} on {day}.", f"On {day}.", f"From {day} on, yes."),
        (f"when the {item} {be} free", f"when I can have the {item}"),
        (f"The {item} {be} available from {day}.", f"{sentence(item)} available on {day}."),
        day.lower(),
    )


def address_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """Where the company is."""
    place = f"{number(draw_number(rng, split, trade, 1, 99))} {street(rng, split)}"
    return Topic(
        "address",
        (
            "Where are you?",
            "What is your address?",
            "Where is your shop?",
            "How do I find you?",
            "Where can I find you?",
        ),
        (f"We are at {place}.", f"Our address is {place}.", f"You find us at {place}.", f"{sentence(place)}."),
        ("where you are", "what your address is", "where I can find you", "how to find you"),
        (f"The address is {place}.", f"We are at {place}.", f"Address: {place}."),
        place.lower(),
    )
