"""What a company can be asked, each fact drawn at random with its role sentence and answers; by what it is about."""

from __future__ import annotations

import numpy as np

from personaplex.synth.businesses import Business
from personaplex.synth.facts import orders, prices, times
from personaplex.synth.scripts import Topic
from personaplex.synth.words import pick

__all__ = ["draw_topics"]


_ANY = (
    times.hours_topic, times.closed_topic, times.slot_topic, times.address_topic,
    prices.payment_topic, prices.discount_topic,
)  # fmt: skip
# What a kind of company is asked beside that.
_KINDS = {
    "repair": (
        prices.labor_topic, prices.labor_topic, orders.delay_topic, orders.warranty_topic, prices.fee_topic,
    ),
    "shop": (
        orders.stock_topic, orders.stock_topic, orders.delivery_topic, orders.returns_topic, orders.warranty_topic,
    ),
    "food": (orders.wait_topic, orders.wait_topic, orders.stock_topic, prices.fee_topic),
    "booking": (times.slot_topic, orders.length_topic, orders.cancel_topic),
    "rental": (prices.deposit_topic, prices.deposit_topic, times.available_topic, orders.cancel_topic),
}  # fmt: skip


def draw_topics(rng: np.random.Generator, split: str, business: Business) -> list[Topic]:
    """All the facts of a company, drawn and shuffled."""
    items = [business.items[i] for i in rng.permutation(len(business.items))[:3]]
    topics = [prices.price_topic(rng, split, business, *item) for item in items]
    item = pick(rng, business.items)[0]
    topics += [make(rng, split, item, business.trade) for make in (*_ANY, *_KINDS[business.archetype])]
    return _distinct_intents([topics[i] for i in rng.permutation(len(topics))])


def _distinct_intents(topics: list[Topic]) -> list[Topic]:
    return list(
        {topic.intent if topic.intent != "price" else topic.fact + topic.asks[0]: topic for topic in topics}.values()
    )
