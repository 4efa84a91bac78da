"""What a company can be asked: prices, hours, stock, delays, fees, each drawn at random with its role sentence and answers."""
# ruff: noqa: E501  a table of sentences, one a line

from __future__ import annotations

import numpy as np

from personaplex.synth.businesses import Business
from personaplex.synth.scripts import Topic, sentence
from personaplex.synth.words import DAYS, HOLD_OUT_ONE_IN, held_out, number, pick, price, street

_PARTS_OF_DAY = {"morning": (7, 11), "afternoon": (1, 5), "evening": (5, 10)}
_SINGULAR_S = ("canvas", "gas")


def draw_topics(rng: np.random.Generator, split: str, business: Business) -> list[Topic]:
    """All the facts of a company, drawn and shuffled."""
    items = [business.items[i] for i in rng.permutation(len(business.items))[:3]]
    topics = [price_topic(rng, split, business, *item) for item in items]
    item = pick(rng, business.items)[0]
    makers = [_hours, _closed, _slot, _address, _payment, _discount]
    if business.archetype == "repair":
        makers += [labor_topic, labor_topic, _delay, _warranty, _fee]
    elif business.archetype == "shop":
        makers += [_stock, _stock, _delivery, _returns, _warranty]
    elif business.archetype == "food":
        makers += [_wait, _wait, _stock, _fee]
    elif business.archetype == "booking":
        makers += [_slot, _length, _cancel]
    else:
        makers += [_deposit, _deposit, _available, _cancel]
    topics += [make(rng, split, item, business.trade) for make in makers]
    return _distinct_intents([topics[i] for i in rng.permutation(len(topics))])


def _distinct_intents(topics: list[Topic]) -> list[Topic]:
    return list(
        {topic.intent if topic.intent != "price" else topic.fact + topic.asks[0]: topic for topic in topics}.values()
    )


def plural(item: str) -> bool:
    """Whether `item` takes "are"."""
    return item.endswith("s") and not item.endswith("ss") and not item.endswith(_SINGULAR_S)


def money(rng: np.random.Generator, value: int) -> tuple[str, str]:
    """A sum as spoken and as the role writes it: in figures half of the time."""
    spoken = f"{number(value)} dollar{'s' if value != 1 else ''}"
    return spoken, f"${value}" if rng.random() < 0.5 else spoken


def _count(rng: np.random.Generator, value: int, unit: str) -> tuple[str, str]:
    spoken = f"{number(value)} {unit}{'s' if value != 1 else ''}"
    return spoken, f"{value} {unit}{'s' if value != 1 else ''}" if rng.random() < 0.4 else spoken


def _draw(rng: np.random.Generator, split: str, trade: str, low: int, high: int) -> int:
    """A number of `low..high` whose pairing with the trade belongs to `split`, where there is one."""
    own = [v for v in range(low, high + 1) if held_out(v, trade) == (split == "test")]
    return int(pick(rng, own)) if own and high - low > HOLD_OUT_ONE_IN else int(rng.integers(low, high + 1))


def _time(rng: np.random.Generator, part: str) -> str:
    low, high = _PARTS_OF_DAY[part]
    hour = number(int(rng.integers(low, high + 1)))
    return f"{hour} thirty in the {part}" if rng.random() < 0.25 else f"{hour} in the {part}"


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


def _hours(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    start, end = _time(rng, "morning"), _time(rng, "evening")
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


def _closed(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
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


def _slot(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    when = f"{pick(rng, DAYS)} at {_time(rng, pick(rng, ('morning', 'afternoon')))}"
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


def _address(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    place = f"{number(_draw(rng, split, trade, 1, 99))} {street(rng, split)}"
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


def _payment(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
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


def _discount(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    group = pick(rng, ("students", "children", "families", "teachers", "seniors", "new customers"))
    rate = f"{number(5 * _draw(rng, split, trade, 1, 10))} percent"
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


def _delay(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    spoken, written = _count(rng, _draw(rng, split, trade, 2, 14), "day")
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


def _warranty(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    spoken, written = _count(rng, int(rng.integers(1, 7)), pick(rng, ("year", "month")))
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


def _fee(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
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


def _stock(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
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


def _delivery(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    spoken, written = _count(rng, _draw(rng, split, trade, 2, 14), "day")
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


def _returns(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    spoken, written = _count(rng, 5 * _draw(rng, split, trade, 1, 12), "day")
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


def _wait(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    spoken, written = _count(rng, 5 * _draw(rng, split, trade, 2, 18), "minute")
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


def _length(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    spoken, written = _count(rng, 5 * _draw(rng, split, trade, 3, 24), "minute")
    return Topic(
        "length",
        ("How long does it take?", "How much time do I need?", "How long is one visit?", "How many minutes is that?"),
        (f"It takes {spoken}.", f"One visit takes {spoken}.", f"You need {spoken}.", f"About {spoken}."),
        ("how long it takes", "how much time I need"),
        (f"A visit takes {written}.", f"It takes {written}."),
        spoken,
    )


def _cancel(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
    spoken, written = _count(rng, _draw(rng, split, trade, 2, 48), "hour")
    return Topic(
        "cancel",
        ("Can I cancel?", "What if I have to cancel?", "How late can I cancel?", "Can I change my mind later?"),
        (f"You can cancel up to {spoken} before.", f"Yes, {spoken} before.", f"Yes, please call {spoken} before.",
         f"It is free until {spoken} before."),
        ("if I can cancel", "how late I can cancel"),
        (f"Customers can cancel up to {written} before.", f"Free cancellation until {written} before."),
        spoken,
    )  # fmt: skip


def _deposit(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
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


def _available(rng: np.random.Generator, split: str, item: str, trade: str) -> Topic:
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
