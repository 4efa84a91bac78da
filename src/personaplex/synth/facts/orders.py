"""Questions about an order: stock, delivery, repairs, waiting, returns, warranty, cancelling."""
# ruff: noqa: E501  a table of sentences, one a line

from __future__ import annotations

import numpy as np

from personaplex.synth.facts.figures import count, draw_number, plural
from personaplex.synth.scripts import Topic, sentence
from personaplex.synth.words import pick


def stock_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """Whether something is in stock."""
    be = "are" if plural(item) else "is"
    has = rng.random() < 0.5
    if has:
        replies = (f"Yes, the {item} {be} in stock.", f"Yes, we have the {item}.", f"The {item} {be} here, yes.")
        roles = (f"The {item} {be} in stock.", f"We have the {item} in stock.")
    else:
        replies = (
            f"Sorry, the {item} {be} out of stock.",
            f"No, the {item} {be} out of stock.",
            f"I am sorry, the {item} {be} sold out.",
        )
        roles = (f"The {item} {be} out of stock.", f"The {item} {be} sold out.")
    return Topic(
        "stock",
        (
            f"Do you have the {item}?",
            f"{sentence(be)} the {item} in stock?",
            f"Do you still have the {item}?",
            f"Can I get the {item} today?",
        ),
        replies,
        (f"if you have the {item} in stock", f"whether the {item} {be} in stock", f"if I can get the {item} today"),
        roles,
        "yes" if has else "out of stock",
    )


def delivery_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """How many days delivery takes."""
    spoken, written = count(rng, draw_number(rng, split, trade, 2, 14), "day")
    return Topic(
        "delivery_time",
        (
            "How long does delivery take?",
            "When will it arrive?",
            "How fast can you deliver?",
            "How many days until it is here?",
        ),
        (f"Delivery takes {spoken}.", f"It will arrive in {spoken}.", f"We deliver in {spoken}.", f"About {spoken}."),
        ("how long delivery takes", "how fast you can deliver", "when it will arrive"),
        (f"Delivery takes {written}.", f"We deliver in {written}."),
        spoken,
    )


def delay_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """How long a repair takes, or whether there is a part for it."""
    spoken, written = count(rng, draw_number(rng, split, trade, 2, 14), "day")
    if rng.random() < 0.4:
        return Topic(
            "part",
            (f"Do you have the part for my {item}?", f"Is there a part for the {item}?", f"Can you get parts for the {item}?",
             f"Do you have {item} parts in stock?"),
            (f"The part is out of stock. Another one takes {spoken}.", f"We can use another part, but it takes {spoken}.",
             f"Sorry, it is out of stock. A new part takes {spoken}."),
            (f"if you have the part for my {item}", f"if there are parts for the {item}"),
            (f"The {item} part is out of stock; we can use an alternative part with a {written} delay.",
             f"The {item} model is out of stock for replacement parts; another part takes {written}."),
            spoken,
        )  # fmt: skip
    return Topic(
        "repair_time",
        (
            "How long does a repair take?",
            "When will it be ready?",
            "How long do I have to wait?",
            "How many days does it take?",
        ),
        (f"A repair takes {spoken}.", f"It takes {spoken}.", f"It will be ready in {spoken}.", f"About {spoken}."),
        ("how long a repair takes", "when it will be ready", "how many days it takes"),
        (f"A repair takes {written}.", f"Repairs are ready in {written}."),
        spoken,
    )


def wait_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """How many minutes the food takes."""
    spoken, written = count(rng, 5 * draw_number(rng, split, trade, 2, 18), "minute")
    return Topic(
        "wait",
        (
            "How long does it take?",
            "How long is the wait?",
            "When will my food be ready?",
            "How many minutes does it take?",
        ),
        (f"It takes {spoken}.", f"The wait is {spoken}.", f"It will be ready in {spoken}.", f"About {spoken}."),
        ("how long the wait is", "when my food will be ready", "how long it takes"),
        (f"The wait is {written}.", f"Orders take {written}.", f"Food is ready in {written}."),
        spoken,
    )


def length_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """How many minutes a visit takes."""
    spoken, written = count(rng, 5 * draw_number(rng, split, trade, 3, 24), "minute")
    return Topic(
        "length",
        ("How long does it take?", "How much time do I need?", "How long is one visit?", "How many minutes is that?"),
        (f"It takes {spoken}.", f"One visit takes {spoken}.", f"You need {spoken}.", f"About {spoken}."),
        ("how long it takes", "how much time I need"),
        (f"A visit takes {written}.", f"It takes {written}."),
        spoken,
    )


def returns_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """Within how many days things can be returned."""
    spoken, written = count(rng, 5 * draw_number(rng, split, trade, 1, 12), "day")
    return Topic(
        "returns",
        ("Can I return it?", "Can I bring it back?", "What if I don't like it?", "How long can I return it?"),
        (
            f"You can return it within {spoken}.",
            f"Yes, within {spoken}.",
            f"Yes, you have {spoken} to return it.",
            f"Returns are fine within {spoken}.",
        ),
        ("if I can return it", "how long I can bring it back"),
        (f"Returns within {written}.", f"Customers can return things within {written}."),
        spoken,
    )


def warranty_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """How long the warranty is."""
    spoken, written = count(rng, int(rng.integers(1, 7)), pick(rng, ("year", "month")))
    return Topic(
        "warranty",
        ("Is there a warranty?", "How long is the warranty?", "Do you give a warranty?", "What if it breaks again?"),
        (
            f"Yes, the warranty is {spoken}.",
            f"You get a warranty of {spoken}.",
            f"The warranty is {spoken}.",
            f"We give {spoken} of warranty.",
        ),
        ("how long the warranty is", "if there is a warranty"),
        (f"The warranty is {written}.", f"Warranty: {written}."),
        spoken,
    )


def cancel_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """How late an appointment can be cancelled."""
    spoken, written = count(rng, draw_number(rng, split, trade, 2, 48), "hour")
    return Topic(
        "cancel",
        ("Can I cancel?", "What if I have to cancel?", "How late can I cancel?", "Can I change my mind later?"),
        (f"You can cancel up to {spoken} before.", f"Yes, {spoken} before.", f"Yes, please call {spoken} before.",
         f"It is free until {spoken} before."),
        ("if I can cancel", "how late I can cancel"),
        (f"Customers can cancel up to {written} before.", f"Free cancellation until {written} before."),
        spoken,
    )  # fmt: skip
