"""What a company does not do, what it may or may not have, and what its agent never talks about.

Requests against a rule of the role get a refusal that cites it; questions about things the role is silent on get an honest
"I do not have that information"; questions about the world lead back to the company. Rude callers get a calm answer.
"""
# ruff: noqa: E501  tables of sentences, one a line

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from personaplex.spelling import number
from personaplex.synth.scripts import Topic, lower_first, sentence
from personaplex.synth.words import pick

# archetypes (or any) | role sentence / ... | request / ... | refusal / ... ; {n} is a number that the rule names, {m} a larger one
_RULES = """
any | No refunds, only exchanges. / We do not give refunds. | Can I get my money back? / I want a refund. / Please give me my money back. | Sorry, we do not give refunds. / I am sorry, refunds are not possible here.
any | No orders by phone. / Orders are only taken in person. | Can I order by phone? / I want to order right now. / Can I buy it over the phone? | Sorry, we take no orders by phone. / I am sorry, please come in person to order.
any | We do not take checks. / No checks. | Can I pay with a check? / I would like to pay by check. | Sorry, we do not take checks. / I am sorry, no checks.
any | We are closed on holidays. / Closed on all holidays. | Can I come on the holiday? / Are you open on New Year? | Sorry, we are closed on holidays. / I am sorry, on holidays we are closed.
any | No pets inside. / Pets are not allowed inside. | Can I bring my dog? / May my dog come along? | Sorry, pets are not allowed inside. / I am sorry, no pets inside.
any | We do not give discounts. / No discounts. | Can you make it cheaper? / Can I get a better price? / Give me half price, please. | Sorry, we do not give discounts. / I am sorry, there are no discounts.
any | The manager does not take calls. / Calls are not passed to the manager. | Let me talk to your manager. / Can I speak with the manager? / Please put me through to your boss. | Sorry, the manager does not take calls. / I am sorry, I can not pass calls to the manager.
any | We do not give out phone numbers of our staff. / Staff numbers are private. | Can I have the number of your colleague? / Give me the phone number of your boss. | Sorry, staff numbers are private. / I am sorry, we do not give out staff numbers.
any | Payment is due on the same day. / Customers must pay on the same day. | Can I pay next month? / Can I pay later? | Sorry, you must pay on the same day. / I am sorry, payment is due on the same day.
any | Customers must be at least eighteen years old. / Only for adults over eighteen. | I am sixteen. Can I come alone? / Can my young son come alone? | Sorry, you must be at least eighteen. / I am sorry, it is only for adults over eighteen.
food, booking | We serve no more than {n} people at once. / Groups of up to {n} people only. | We are {m} people. Is that okay? / Can I bring {m} people? / Can we come with {m} people? | Sorry, groups of up to {n} people only. / I am sorry, at most {n} people.
repair | We do not make home visits. / No home visits. | Can you come to my house? / Please send somebody to my home. / Can someone visit me today? | Sorry, we do not make home visits. / I am sorry, no home visits. Please bring it to us.
repair | We do not work on weekends. / No work on weekends. | Can you fix it on Sunday? / Can you do it this weekend? | Sorry, we do not work on weekends. / I am sorry, not on weekends.
repair | We do not lend machines. / We have nothing to lend. | Can you lend me another one? / Can I borrow one until then? | Sorry, we have nothing to lend. / I am sorry, we do not lend machines.
repair | We do not repair things older than {n} years. / Nothing older than {n} years is repaired. | Mine is {m} years old. Can you fix it? / It is {m} years old. Can you repair it? | Sorry, nothing older than {n} years. / I am sorry, we do not repair things older than {n} years.
repair | Same day service is not possible. / We do nothing on the same day. | Can you fix it today? / I need it today. / Can I have it back tonight? | Sorry, same day service is not possible. / I am sorry, we can not do it on the same day.
shop, food | We do not deliver. / No delivery. | Can you deliver it? / Please bring it to my house. / Can you send it to me? | Sorry, we do not deliver. / I am sorry, there is no delivery. Please come by.
shop, food | We deliver only within {n} miles. / Delivery within {n} miles only. | I live {m} miles away. Can you deliver? / Can you deliver {m} miles? | Sorry, we deliver only within {n} miles. / I am sorry, only within {n} miles.
shop | Sale items can not be returned. / No returns of sale items. | I bought it on sale. Can I return it? / Can I return a sale item? | Sorry, sale items can not be returned. / I am sorry, no returns of sale items.
shop | No returns without a receipt. / Returns need a receipt. | I lost my receipt. Can I return it? / Can I return it without a receipt? | Sorry, returns need a receipt. / I am sorry, no returns without a receipt.
shop | We do not hold items. / Nothing is put aside for customers. | Can you hold one for me? / Please put one aside for me. | Sorry, we do not hold items. / I am sorry, we can not put it aside.
shop | We do not wrap gifts. / No gift wrapping. | Can you wrap it as a gift? / I need it wrapped, please. | Sorry, we do not wrap gifts. / I am sorry, no gift wrapping.
shop | We do not ship to other countries. / No shipping to other countries. | Can you ship it to Canada? / Can you send it to France? | Sorry, we do not ship to other countries. / I am sorry, no shipping to other countries.
shop | At most {n} items for each customer. / Each customer can buy up to {n} items. | I want to buy {m} of them. / Can I have {m} of them? | Sorry, at most {n} for each customer. / I am sorry, you can buy up to {n}.
food | We do not take reservations. / No reservations. | Can I book a table? / I would like a table for tonight. / Please hold a table for me. | Sorry, we do not take reservations. / I am sorry, no reservations. Just come by.
food | The kitchen closes at {n} in the evening. / No warm food after {n} in the evening. | Can I get warm food at midnight? / We come at eleven. Can we still eat? | Sorry, the kitchen closes at {n} in the evening. / I am sorry, no warm food after {n}.
food | We have no vegan food. / There is no vegan food. | Do you have something vegan? / I need a vegan meal. | Sorry, we have no vegan food. / I am sorry, there is no vegan food.
food | We do not serve alcohol. / No alcohol. | Can I have a beer? / I would like some wine. | Sorry, we do not serve alcohol. / I am sorry, no alcohol here.
booking | No visits without an appointment. / Appointments are required. | Can I just walk in? / Can I come right now? / I will come over now, okay? | Sorry, appointments are required. / I am sorry, no visits without an appointment.
booking | We take no new customers this month. / No new customers this month. | I am new. Can I come this month? / Can I become a customer now? | Sorry, we take no new customers this month. / I am sorry, no new customers this month.
booking | Appointments can not be moved. / No changes of appointments. | Can I move my appointment? / I need another time. Can you change it? | Sorry, appointments can not be moved. / I am sorry, we can not change it.
booking | Children under {n} years are not allowed. / Only for children over {n} years. | Can my baby come? / Can I bring my two year old? | Sorry, children under {n} are not allowed. / I am sorry, only children over {n} years.
booking | We are fully booked this week. / Nothing is free this week. | Can I come this week? / Do you have a place for tomorrow? / I need it this week. | Sorry, we are fully booked this week. / I am sorry, nothing is free this week.
rental | We rent for at most {n} days. / No rentals longer than {n} days. | I need it for {m} days. / Can I keep it for {m} days? | Sorry, we rent for at most {n} days. / I am sorry, no longer than {n} days.
rental | No rentals without a deposit. / A deposit is always required. | Can I rent it without a deposit? / I have no money for a deposit. | Sorry, a deposit is always required. / I am sorry, no rentals without a deposit.
rental | Renters need an identity card. / No rental without an identity card. | I have no card with me. Can I rent it? / I forgot my identity card. | Sorry, you need an identity card. / I am sorry, no rental without an identity card.
rental | It must be returned before closing time. / Returns only before closing time. | Can I return it at night? / Can I bring it back after you close? | Sorry, returns only before closing time. / I am sorry, please return it before closing time.
rental | We do not deliver rentals. / Customers must pick rentals up. | Can you bring it to me? / Please deliver it to my house. | Sorry, you must pick it up. / I am sorry, we do not deliver.
rental | We do not sell our rentals. / Nothing here is for sale. | Can I buy it? / I like it. Can I keep it? | Sorry, nothing here is for sale. / I am sorry, we do not sell it.
"""

# intent | question / ... | role sentence if there is one / ... | answer / ... | role sentence if not / ... | answer / ...
_FEATURES = """
parking | Is there parking? / Where can I park? / Do you have parking? | Free parking is behind the building. | Yes, free parking is behind the building. / You can park behind the building. | There is no parking. | Sorry, there is no parking. / No, there is no parking.
wifi | Do you have internet for guests? / Is there free internet? | Free internet for guests. | Yes, internet is free for guests. | No internet for guests. | Sorry, no internet for guests.
wheelchair | Can I come with a wheelchair? / Is there an elevator? | There is an elevator. | Yes, there is an elevator. | There are stairs and no elevator. | Sorry, there are stairs and no elevator.
gift_card | Do you have gift cards? / Can I buy a gift card? | Gift cards are available. | Yes, gift cards are available. / Yes, we have gift cards. | No gift cards. | Sorry, we have no gift cards.
invoice | Can I get a receipt by mail? / Can you mail me a receipt? | Receipts are sent by mail. | Yes, we send it by mail. | Receipts are only given on paper. | Sorry, we only give receipts on paper.
languages | Do you speak Spanish? / Does anybody speak Spanish? | We speak English and Spanish. | Yes, we speak English and Spanish. | We speak English only. | Sorry, we speak English only.
student | Do students pay less? / I am a student. Is it cheaper? | Students pay half. | Yes, students pay half. | Students pay the full price. | Sorry, students pay the full price.
delivery_sunday | Do you deliver on Sunday? / Can I get it on Sunday? | Delivery also on Sundays. | Yes, also on Sundays. | No delivery on Sundays. | Sorry, no delivery on Sundays.
kids | Can I bring my kids? / Are children welcome? | Children are welcome. | Yes, children are welcome. | Adults only. | Sorry, adults only.
toilet | Is there a toilet? / Do you have a rest room? | There is a rest room. | Yes, there is a rest room. | There is no rest room. | Sorry, there is no rest room.
app | Do you have an app? / Is there an app for that? | We have an app. | Yes, we have an app. | We have no app. | Sorry, we have no app.
"""

# What no role here tells.
_UNTOLD = (
    "How many people work there?", "Who founded your company?", "What is your website?", "What is your email?", "Are you hiring right now?",
    "How much does your boss earn?", "When was your company founded?", "Which bank do you use?", "What music do you play there?",
    "How big is your building?", "What color are your walls?", "How many customers do you have?", "Who is your oldest customer?",
    "Do you have another shop?", "Is there a bus stop near you?", "What is the tax on that?", "Can I get a loan from you?", "Do you have a newsletter?",
    "What is your fax number?", "Where do you buy your supplies?", "How is the air in your rooms?", "Is your water filtered?", "Who cleans your windows?",
)  # fmt: skip
UNTOLD_ANSWERS = (
    "I am sorry, I do not have that information.", "Sorry, I do not have that information.", "I don't have that information, sorry.",
    "I am afraid I do not know that.", "I do not have that information here.", "Sorry, that is not in my information.",
)  # fmt: skip
_UNRELATED = (
    "What is the capital of France?", "Who won the game last night?", "Can you sing me a song?", "What is the weather like?", "Tell me a joke.",
    "Can you help me with my homework?", "What is two plus two?", "Who is the president?", "Do you like pizza?", "What should I cook tonight?",
    "Can you write me a poem?", "How do I lose weight?", "Which movie should I watch?", "Do you believe in ghosts?", "What is the meaning of life?",
    "How tall is the highest mountain?", "Can you book me a flight to Rome?", "What is your favorite color?", "Are you married?", "How far is the moon?",
    "Which stocks should I buy?", "Can you tell me a story?", "What time is it in Tokyo?", "How do I get a passport?", "Why is the sky blue?",
    "What is the best football team?", "Do you know a good doctor?", "Can you translate this letter?", "How old is the earth?", "Who wrote Romeo and Juliet?",
)  # fmt: skip
_RUDE = (
    "This is the worst service ever.", "You people are useless.", "I have been waiting for an hour.", "This is ridiculous.", "Are you stupid or what?",
    "I am really angry now.", "Nobody ever helps me here.", "You are wasting my time.", "What a terrible company.", "I am so tired of you people.",
    "Stop talking nonsense.", "Your service is a joke.", "I hate calling you.", "Can you not do anything right?", "You never answer the phone.",
    "I am losing my patience.", "That is just stupid.", "Last time was a disaster.", "You are all liars.", "Hurry up, I have no time.",
)  # fmt: skip
_CALM = (
    "I am sorry about that.", "I understand, and I am sorry.", "I am sorry you are upset.", "I am sorry. Let me help.", "I hear you, and I am sorry.",
)  # fmt: skip


@dataclass(frozen=True)
class _Rule:
    archetypes: str
    roles: tuple[str, ...]
    asks: tuple[str, ...]
    answers: tuple[str, ...]


def _cells(line: str) -> list[tuple[str, ...]]:
    return [tuple(part.strip() for part in cell.split(" / ")) for cell in line.split(" | ")]


_ALL_RULES = tuple(_Rule(", ".join(c[0]), c[1], c[2], c[3]) for c in map(_cells, _RULES.strip().splitlines()))
_ALL_FEATURES = tuple(_cells(line) for line in _FEATURES.strip().splitlines())


def rules(rng: np.random.Generator, archetype: str, count: int) -> list[Topic]:
    """So many rules of a company, each with a request that it forbids."""
    fitting = [rule for rule in _ALL_RULES if archetype in rule.archetypes or rule.archetypes == "any"]
    out = []
    for at in rng.permutation(len(fitting))[:count]:
        rule = fitting[at]
        evening = "kitchen" in rule.roles[0]
        n = int(rng.integers(7, 11)) if evening else int(rng.integers(3, 16))
        words = {"n": number(n), "m": number(n + int(rng.integers(2, 30)))}
        roles, asks, answers = (
            tuple(t.format(**words) for t in group) for group in (rule.roles, rule.asks, rule.answers)
        )
        out.append(Topic("rule:" + rule.roles[0].lower(), asks, answers, roles=roles, kind="rule",
                         fact=words["n"] if "{n}" in rule.roles[0] else ""))  # fmt: skip
    return out


# A rule with such a word does not go with a fact of such a kind.
_CLASHES = {
    "discount": ("discount", "student"), "refund": ("returns",), "return": ("returns",), "deliver": ("delivery_time", "delivery_fee", "delivery_sunday"),
    "reservation": ("slot",), "check": ("payment",), "weekend": ("slot", "open_day"), "booked": ("slot",), "this month": ("slot",), "adults": ("kids",),
    "home visit": ("visit_fee",), "deposit": ("deposit",), "children": ("kids",), "orders": ("delivery_time",),
}  # fmt: skip


def clash(rule: Topic, intent: str) -> bool:
    """Whether a company with that rule would not tell that fact, or would have answered that question by the rule."""
    return any(word in rule.intent and intent in intents for word, intents in _CLASHES.items())


def feature(rng: np.random.Generator) -> Topic:
    """Something that the role says there is, or is not."""
    intent, asks, *both = pick(rng, _ALL_FEATURES)
    has = rng.random() < 0.5
    roles, answers = both[:2] if has else both[2:]
    return Topic(intent[0], asks, answers, roles=roles, fact="yes" if has else "no")


def untold(rng: np.random.Generator, topic: Topic | None = None) -> Topic:
    """A question that the role does not answer: `topic`, drawn but not told, or one that no role answers."""
    if topic is None:
        return Topic("untold", (pick(rng, _UNTOLD),), UNTOLD_ANSWERS, kind="refusal")
    return replace(topic, answers=UNTOLD_ANSWERS, fact="", kind="refusal")


def unrelated(rng: np.random.Generator, firm: str, trade: str) -> Topic:
    """A question that is none of the company's business, and the way back."""
    answers = (
        f"Sorry, I can only help with {firm}.",
        f"I can only answer questions about {firm}.",
        f"That is not my field. How can I help you with {firm}?",
        f"I am here for {firm} only. What can I do for you?",
        f"Sorry, I only know about our {trade}.",
    )
    return Topic("unrelated", (pick(rng, _UNRELATED),), answers, kind="steer", fact=firm.lower())


def rude(rng: np.random.Generator, topic: Topic) -> Topic:
    """The same question from an angry caller, and the same answer, calm."""
    return replace(
        topic,
        asks=tuple(f"{pick(rng, _RUDE)} {ask}" for ask in topic.asks),
        clauses=(),
        answers=tuple(f"{pick(rng, _CALM)} {answer}" for answer in topic.answers),
        kind="calm" if topic.kind == "answer" else topic.kind,
    )


# As an answer begins, and as the caller says the same of the company.
_TURNED = (("We ", "you "), ("Our ", "your "), ("The ", "the "), ("It ", "it "), ("A ", "a "), ("Labor ", "labor "),
           ("Delivery ", "delivery "), ("My name ", "your name "))  # fmt: skip
_ASK_RIGHT = (
    "Can you confirm that {}?", "I heard that {}. Is that right?", "Is it true that {}?", "So {}, right?", "I think {}. Is that correct?",
    "Somebody told me that {}. Is that true?", "Your website says that {}. Is that correct?", "Am I right that {}?",
)  # fmt: skip


def confirm(rng: np.random.Generator, topic: Topic, wrong: str) -> Topic | None:
    """A question whether a detail is right; where the caller has it wrong, the agent says what is right.

    Args:
        rng: all chance comes from it.
        topic: with a fact that its answers contain.
        wrong: another fact of the same kind, or "" for a caller who has it right.

    Returns:
        None where no answer of `topic` can be turned into such a question.
    """
    fact = topic.fact
    usable = [
        a for a in topic.answers if fact and fact in a.lower() and a.count(".") == 1 and "?" not in a and "," not in a
    ]
    pairs = [(a, mine, theirs) for a in usable for mine, theirs in _TURNED if a.startswith(mine)]
    if not pairs:
        return None
    usual = pairs[0][0]
    answer, mine, theirs = pick(rng, pairs)
    at = answer.lower().index(fact)
    claimed = answer[:at] + (_cased(wrong) if wrong else answer[at : at + len(fact)]) + answer[at + len(fact) :]
    claim = theirs + claimed[len(mine) :].rstrip(".")
    said = lower_first(usual)
    answers = (
        (f"No, {said}", f"No, sorry, {said}", f"Not quite. {usual}", f"That is not right. {usual}")
        if wrong
        else (f"Yes, {said}", f"Yes, that is right. {usual}", f"That is correct, {said}")
    )
    asks = tuple(sentence(form.format(claim)) for form in _ASK_RIGHT)
    return Topic(f"confirm_{topic.intent}", asks, answers, fact=fact, kind="correction" if wrong else "answer")


_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS = {number(value): value for value in range(10_000)}


def _cased(fact: str) -> str:
    return " ".join(word.capitalize() if word in _DAY_NAMES else word for word in fact.split())


def other_fact(rng: np.random.Generator, fact: str) -> str:
    """A wrong fact like `fact`: another day or another number; "" where it has neither."""
    words = fact.split()
    days = [i for i, word in enumerate(words) if word in _DAY_NAMES]
    if days:
        words[days[0]] = pick(rng, [day for day in _DAY_NAMES if day != words[days[0]]])
        return " ".join(words)
    if not words or words[0] not in _NUMBERS:
        return ""
    size = max(k for k in range(1, len(words) + 1) if " ".join(words[:k]) in _NUMBERS)
    value = _NUMBERS[" ".join(words[:size])]
    step = 10 if value >= 100 else 5 if value >= 20 else 1
    clock = "in the" in fact
    choices = [
        v for v in range(max(1, value // 2 // step * step), value * 2 + 2, step) if v != value and (v < 13 or not clock)
    ]
    if (
        " ".join(words[size:]).rstrip("s") in ("dollar", "day", "hour", "minute", "year", "month")
        and words[size][-1] != "s"
    ):
        words[size] += "s"  # one dollar, two dollars
    choices = [v for v in choices if v > 1] or [value + 1]
    return " ".join([number(int(pick(rng, choices))), *words[size:]])
