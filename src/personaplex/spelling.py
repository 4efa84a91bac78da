"""Figures as they are spoken: `$125` is `one hundred twenty five dollars`. English; knows no networks and no sound.

Spelt here and not by a library, since training reads roles on machines that have torch and little else, and since the
dialogues' grammar says its numbers by the same rule: without "and", without hyphens.
"""

from __future__ import annotations

import re

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_CURRENCIES = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny")}
_LARGEST = 9_999
_MONEY = re.compile(r"([$€£])\s?(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d\d))?(?!\d)")
_CLOCK = re.compile(r"\b(\d{1,2}):(\d\d)\b")
_SHARE = re.compile(r"(\d)\s?%")
_THOUSANDS = re.compile(r"\b\d{1,3}(?:,\d{3})+\b")
_FIGURES = re.compile(r"\d+(?:\.\d+)?")
_DIALLED = re.compile(r"\b\d{3,}(?:-\d+)+\b")
_HALF_DAY = re.compile(r"(?<=\d)\s?([ap])\.?m\b\.?", re.IGNORECASE)


def number(value: int) -> str:
    """`value` from 0 to 9,999 in words: `two hundred fifteen`."""
    if value < 20:
        return _ONES[value]
    if value < 100:
        return _TENS[value // 10] + (f" {_ONES[value % 10]}" if value % 10 else "")
    size, unit = (100, "hundred") if value < 1000 else (1000, "thousand")
    return f"{number(value // size)} {unit}" + (f" {number(value % size)}" if value % size else "")


def spell_out(text: str) -> str:
    """A text with its sums of money, shares, times and other figures in words; longer numbers digit by digit.

    `$60 per hour` → `sixty dollars per hour`; `15%` → `fifteen percent`; `9:30 am` → `nine thirty a m`;
    `555-0142` → `five five five zero one four two`.
    """
    text = _DIALLED.sub(lambda match: " ".join(_ONES[int(digit)] for digit in match[0] if digit != "-"), text)
    text = _MONEY.sub(_money, text)
    text = _HALF_DAY.sub(lambda match: f" {match[1].lower()} m", text)
    text = _CLOCK.sub(_clock, text)
    text = _SHARE.sub(r"\1 percent", text)
    text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    return _FIGURES.sub(lambda match: _figures(match[0]), text)


def _figures(figures: str) -> str:
    whole, _, part = figures.partition(".")
    plain = len(whole) == 1 or not whole.startswith("0")
    words = number(int(whole)) if plain and int(whole) <= _LARGEST else " ".join(_ONES[int(digit)] for digit in whole)
    return f"{words} point {' '.join(_ONES[int(digit)] for digit in part)}" if part else words


def _money(match: re.Match[str]) -> str:
    unit, small = _CURRENCIES[match[1]]
    whole, part = match[2].replace(",", ""), int(match[3] or 0)
    words = f"{_figures(whole)} {unit}{'' if int(whole) == 1 else 's'}"
    if not part:
        return words
    coins = small if part == 1 else {"penny": "pence"}.get(small, f"{small}s")
    return f"{words} and {number(part)} {coins}"


def _clock(match: re.Match[str]) -> str:
    hour, minutes = number(int(match[1])), int(match[2])
    if not minutes:
        return hour
    return f"{hour} {'oh ' if minutes < 10 else ''}{number(minutes)}"
