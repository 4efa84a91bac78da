"""The words that facts are made of: names, companies, numbers, prices, days, and which combinations are held out.

Knows no sentences. Names and numbers are all heard in training; it is combinations of them that the test split keeps for
itself, so that a right answer there was read from the role and not remembered.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

FIRST_NAMES = """
Aaron Abby Adam Alan Alex Alice Amanda Amber Amy Andrew Angela Anna Anthony Arthur Ashley Barbara Ben Beth Bill Blake Bob Brad
Brenda Brian Bruce Carl Carla Carol Cathy Charlie Chloe Chris Claire Clara Cole Cindy Dan Daisy David Dawn Dean Debra Dennis
Diana Donna Dora Doug Dylan Ed Elena Ellen Emily Emma Eric Ethan Eva Evan Fiona Frank Fred Gary George Gina Glen Grace Grant
Greg Hannah Harry Heather Helen Henry Holly Howard Ian Irene Isaac Jack Jacob James Jane Jason Jenny Jessica Jill Jim Joan Joe
John Josh Joyce Judy Julia Karen Kate Keith Kelly Ken Kevin Kim Kyle Larry Laura Leo Lily Linda Lisa Liz Louis Lucy Luke Mark
Maria Martha Martin Mary Matt Max Megan Mia Michael Mike Molly Nancy Neil Nick Nina Nora Olivia Oscar Owen Pam Patrick Paul
Paula Peter Phil Rachel Ralph Ray Rebecca Richard Rick Rita Robert Rose Roy Ruby Russell Ruth Ryan Sally Sam Sandra Sarah Scott
Sean Sharon Simon Sophie Stella Steve Sue Susan Ted Teresa Thomas Tina Todd Tom Tony Tracy Vera Victor Walter Wanda Wendy Zoe
""".split()

LAST_NAMES = """
Adams Baker Bell Brooks Brown Carter Clark Cook Cooper Davis Evans Fisher Foster Gray Green Hall Harris Hill Hunt Jones King Lee
Lewis Miller Moore Morgan Parker Reed Rivera Scott Smith Stone Taylor Turner Walker Ward Watson West White Young
""".split()

COMPANY_WORDS = """
Maple Silver Harbor Golden River Summit Bright Green Blue North South West East Oak Cedar Pine Sunset Sunrise Lake Ocean Valley
Mountain Star Moon Eagle Lion Royal Crown Liberty Union Central Metro City Village Garden Rose Lily Apple Cherry Honey Crystal
Diamond Pearl Copper Iron Stone Rocky Happy Lucky Smart Quick Swift Rapid Prime First Modern Classic Pioneer Falcon Dolphin
Tiger Panda Rainbow Thunder Winter Spring Autumn Delta Nova Atlas Apex Echo
""".split()

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
STREETS = ("Main", "Park", "Oak", "River", "Church", "Market", "Hill", "Lake", "Station", "Bridge", "Garden", "King")
COLORS = ("red", "blue", "green", "black", "white", "yellow", "brown", "gray", "pink", "orange", "purple", "silver")

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
HOLD_OUT_ONE_IN = 8


def number(value: int) -> str:
    """`value` from 0 to 9,999 in words: `two hundred fifteen`."""
    if value < 20:
        return _ONES[value]
    if value < 100:
        return _TENS[value // 10] + (f" {_ONES[value % 10]}" if value % 10 else "")
    size, unit = (100, "hundred") if value < 1000 else (1000, "thousand")
    return f"{number(value // size)} {unit}" + (f" {number(value % size)}" if value % size else "")


def held_out(*parts: object) -> bool:
    """Whether a combination of facts belongs to the test split; the same in every process and version."""
    text = "|".join(str(part) for part in parts)
    return zlib.crc32(text.encode()) % HOLD_OUT_ONE_IN == 0


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of `options`, uniformly."""
    return options[int(rng.integers(len(options)))]


def pick_split(rng: np.random.Generator, options: Sequence[T], split: str, *context: object) -> T:
    """One of `options` whose combination with `context` belongs to `split`."""
    for _ in range(200):
        choice = pick(rng, options)
        if held_out(choice, *context) == (split == "test"):
            return choice
    raise ValueError(f"None of {len(options)} options belongs to split {split!r}; offer more of them.")


def person(rng: np.random.Generator, split: str, company: str) -> str:
    """An agent's name, one in four with a family name; its pairing with the company's first word is held out."""
    first = pick_split(rng, FIRST_NAMES, split, company.split()[0])
    return f"{first} {pick(rng, LAST_NAMES)}" if rng.random() < 0.25 else first


def company(rng: np.random.Generator, split: str, suffixes: tuple[str, ...]) -> str:
    """A company's name: one or two free words and the trade's own."""
    suffix = pick(rng, suffixes)
    first = pick_split(rng, COMPANY_WORDS, split, suffix.split()[0])
    second = f" {pick(rng, COMPANY_WORDS)}" if rng.random() < 0.2 else ""
    return f"{first}{second} {suffix}"


def price(rng: np.random.Generator, split: str, item: str, low: int, high: int) -> int:
    """A price in dollars, round where it is large; its pairing with the item is held out."""
    values = [
        v for v in range(low, high + 1) if v < 20 or (v < 100 and v % 5 in (0, 4, 9)) or v % 10 == 0 or v % 25 == 0
    ]
    choices = [v for v in values if held_out(v, item) == (split == "test")]
    return int(pick(rng, choices or values))
