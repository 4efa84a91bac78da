"""Questions about money: what things, work, fees and deposits cost, discounts, and how to pay."""
# ruff: noqa: E501  a table of sentences, one a line

from __future__ import annotations

import numpy as np

from personaplex.spelling import number
from personaplex.synth.businesses import Business
from personaplex.synth.facts.figures import draw_number, money, plural
from personaplex.synth.scripts import Topic, sentence
from personaplex.synth.words import pick, price


def price_topic(rng: np.random.Generator, split: str, business: Business, item: str, low: int, high: int) -> Topic:
    """What an item of the table costs, or its repair."""
    spoken, written = money(rng, price(rng, split, item, low, high))
    be, it, cost = ("are", "they", "cost") if plural(item) else ("is", "it", "costs")
    a = "the" if plural(item) else "a"
    per = {"rental": " per day", "booking": "", "repair": "", "shop": "", "food": ""}[business.archetype]
    if business.archetype == "repair":
        return Topic(
            "price",
            (f"How much to repair the {item}?", f"What does it cost to fix the {item}?", f"How much is a repair of the {item}?",
             f"What is the price for the {item} repair?", f"How much do you charge for the {item}?", f"And the {item}, how much is that?"),
            (f"The {item} repair is {spoken}.", f"{sentence(spoken)} for the {item}.", f"We charge {spoken} for the {item}.",
             f"It costs {spoken} to fix the {item}.", f"That is {spoken}.", f"A repair of the {item} costs {spoken}."),
            (f"how much the {item} repair is", f"what it costs to fix the {item}", f"how much you charge to repair the {item}"),
            (f"The {item} repair costs {written}.", f"{sentence(item)} repair is {written}.", f"Fixing the {item} costs {written}.",
             f"{sentence(item)} repair: {written}."),
            spoken,
        )  # fmt: skip
    return Topic(
        "price",
        (f"How much {be} the {item}?", f"What {'do' if plural(item) else 'does'} the {item} cost?", f"What is the price of the {item}?",
         f"How much do I pay for the {item}?", f"And how much {be} the {item}?", f"What about the {item}, how much {be} {it}?",
         f"How expensive {be} the {item}?"),
        (f"The {item} {be} {spoken}{per}.", f"The {item} {cost} {spoken}{per}.", f"{sentence(spoken)} for {a} {item}.",
         f"{sentence(it)} {cost} {spoken}{per}.", f"That is {spoken}{per}.", f"{sentence(spoken)}{per}.",
         f"The price of the {item} is {spoken}{per}."),
        (f"how much the {item} {be}", f"what the {item} {cost}", f"the price of the {item}", f"how much you ask for the {item}"),
        (f"The {item} {cost} {written}{per}.", f"The {item} {be} {written}{per}.", f"{sentence(item)}: {written}{per}.",
         f"The price of the {item} is {written}{per}.", f"{sentence(item)} {written}{per}."),
        spoken,
    )  # fmt: skip


def labor_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """The price of an hour of work."""
    spoken, written = money(rng, price(rng, split, "labor", 20, 150))
    return Topic(
        "labor",
        ("How much is labor?", "What is your hourly rate?", "How much do you charge per hour?", "What does one hour of work cost?",
         "What's the labor cost?", "How much per hour?"),
        (f"Labor is {spoken} per hour.", f"We charge {spoken} per hour.", f"{sentence(spoken)} per hour.", f"One hour costs {spoken}.",
         f"The labor cost is {spoken} per hour."),
        ("how much you charge per hour", "what the labor cost is", "your hourly rate", "what an hour of work costs"),
        (f"Labor cost is {written} per hour.", f"Labor cost remains {written} per hour.", f"We charge {written} per hour."),
        spoken,
    )  # fmt: skip


def fee_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """What delivery or a visit costs."""
    spoken, written = money(rng, price(rng, split, "fee", 2, 60))
    food = not any(word in trade for word in ("repair", "service", "company", "garage"))
    thing, verb = ("delivery", "bring it to my house") if food else ("visit", "come to my house")
    return Topic(
        f"{thing}_fee",
        (
            f"How much is a {thing}?" if thing == "visit" else "How much is delivery?",
            f"What does it cost if you {verb}?",
            f"Is there a {thing} fee?",
        ),
        (
            f"The {thing} fee is {spoken}.",
            f"We charge {spoken} for a {thing}.",
            f"Yes, it is {spoken}.",
            f"{sentence(spoken)} for the {thing}.",
        ),
        (f"how much the {thing} fee is", f"what you charge if you {verb}"),
        (f"The {thing} fee is {written}.", f"{sentence(thing)} fee: {written}."),
        spoken,
    )


def deposit_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """The deposit on something rented."""
    spoken, written = money(rng, price(rng, split, "deposit", 20, 400))
    return Topic(
        "deposit",
        (
            "Is there a deposit?",
            "How much is the deposit?",
            "Do I have to leave a deposit?",
            "What deposit do you need?",
        ),
        (
            f"The deposit is {spoken}.",
            f"Yes, the deposit is {spoken}.",
            f"We need {spoken}.",
            f"{sentence(spoken)}, and you get it back.",
        ),
        ("how much the deposit is", "if there is a deposit"),
        (f"The deposit is {written}.", f"Deposit: {written}."),
        spoken,
    )


def discount_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """Who pays less, and by how many percent."""
    group = pick(rng, ("students", "children", "families", "teachers", "seniors", "new customers"))
    rate = f"{number(5 * draw_number(rng, split, trade, 1, 10))} percent"
    return Topic(
        "discount",
        (
            "Do you have any discounts?",
            f"Is there a discount for {group}?",
            f"Do {group} pay less?",
            "Can I get a discount?",
        ),
        (
            f"Yes, {group} get {rate} off.",
            f"We give {rate} to {group}.",
            f"There is a {rate} discount for {group}.",
            f"{sentence(rate)} for {group}.",
        ),
        ("if you have any discounts", f"if there is a discount for {group}"),
        (f"{sentence(group)} get {rate} off.", f"There is a {rate} discount for {group}."),
        rate,
    )


def payment_topic(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    """Whether cards are taken."""
    card, text = pick(
        rng,
        (
            (True, "cash and card"), (False, "cash only"), (True, "card only"), (True, "cash, card and check"),
        ),
    )  # fmt: skip
    plain = text.replace(",", "")
    replies = (
        f"We take {text}.",
        f"Yes, we take {text}." if card else f"Sorry, {text}.",
        f"You can pay with {text}." if card else "We only take cash, sorry.",
    )
    return Topic(
        "payment",
        ("Can I pay by card?", "Do you take credit cards?", "Is it okay to pay with a card?"),
        replies,
        ("if I can pay by card", "whether you take credit cards"),
        (f"We take {text}.", f"Payment: {text}."),
        "" if not card else plain,
    )
