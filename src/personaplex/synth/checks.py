"""Whether turns that somebody else wrote may take the place of a script's own: speakable, of like length, true to it.

Knows what can be checked without understanding: words, numbers, days, facts, forms of refusal. It can not tell whether
a question still asks for the same thing; whoever writes is trusted with that.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from personaplex.speech.tts import display_words, words_of
from personaplex.spelling import number
from personaplex.synth.scripts import Line, Script, sentence
from personaplex.synth.words import DAYS

_PLAIN = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201c": "", "\u201d": "", '"': "", "\u2013": " ", "\u2014": ", ", "-": " ",
    "!": ".", ";": ",", ":": ",", "\u2026": ".", "\n": " ",
})  # fmt: skip
_SPEAKABLE = re.compile(r"[A-Za-z' ,.?]+")
_SPELT = re.compile(r"\b(?:[A-Z]{2,}|[B-HJ-Z])\b")  # initials: engines differ in how many words they make of them
# What a number or a day is said with; `one` is also what things are called.
_FIGURES = ({part for value in range(100) for part in number(value).split()} | {"hundred", "thousand"} | {
    day.lower() for day in DAYS
}) - {"one"}  # fmt: skip
_ANYWHERE = ("yes", "no", "open", "closed")  # facts that a question may well contain
_FORMS = {
    "refusal": re.compile(
        r"\b(not|no|n't|cannot|unable|afraid|unsure)\b.*\b(know|information|sure|tell|say|details?|idea|help|look)\b"
    ),
    "rule": re.compile(r"\b(sorry|not|no|n't|only|cannot|never|unfortunately)\b"),
    "steer": re.compile(r"\b(sorry|not|no|n't|only|cannot|here|instead)\b"),
    "correction": re.compile(r"\b(no|not|n't|actually|sorry|wrong)\b"),
    "calm": re.compile(r"\b(sorry|apologi[sz]e|apologies|understand|hear you)\b"),
}  # fmt: skip
_LONGER = {"user": 12, "agent": 8}  # words by which a turn may be longer than the script's own, and half as much again


class Refused(Exception):
    """Turns that may not be spoken.

    Attributes:
        why: one word for statistics: `json`, `turns`, `words`, `length`, `fact`, `figures` or `form`.
    """

    def __init__(self, why: str, sentence: str) -> None:
        super().__init__(sentence)
        self.why = why


def fixed(line: Line) -> bool:
    """Whether an answer's truth can not be checked, so that the script's own words stay."""
    return line.who == "agent" and (line.intent.startswith("fact:") or any(not says(line.text, f) for f in facts(line)))


def facts(line: Line) -> list[str]:
    """The facts of a line, in lower case."""
    return [fact for fact in line.fact.split("|") if fact]


def adopt(script: Script, answer: str) -> Script:
    """`script` with the words of `answer`.

    Args:
        script: what the turns are to say; its `fixed` lines stay.
        answer: a JSON object `{"turns": [{"who": "user" or "agent", "text": …}, …]}`, perhaps with text around it.

    Raises:
        Refused: with a sentence that tells the writer what is wrong.
    """
    turns = _turns(answer)
    if [who for who, _ in turns] != [line.who for line in script.lines]:
        raise Refused("turns", f"There must be {len(script.lines)} turns, by the same speakers in the same order.")
    lines: list[Line] = []
    for line, (_, text) in zip(script.lines, turns, strict=True):
        if fixed(line):
            lines.append(line)
            continue
        spoken = _speakable(text)
        _check(line, spoken, " ".join([script.role, *(before.text for before in lines[-1:])]))
        lines.append(replace(line, text=spoken))
    return replace(script, lines=tuple(lines))


def _turns(answer: str) -> list[tuple[str, str]]:
    for start in re.finditer(r"\{", answer):
        try:
            found: Any = json.JSONDecoder().raw_decode(answer, start.start())[0]
            return [(turn["who"], str(turn["text"])) for turn in found["turns"]]
        except (ValueError, LookupError, TypeError):
            continue
    raise Refused("json", 'The answer must be a JSON object {"turns": [{"who": "user" or "agent", "text": "..."}]}.')


def _speakable(text: str) -> str:
    plain = text.translate(_PLAIN)
    words = display_words(plain)
    if not words or not _SPEAKABLE.fullmatch(plain) or _SPELT.search(plain) or len(words_of(plain)) != len(words):
        raise Refused("words", f"{text!r} can not be spoken: plain English words only, numbers in words, no initials.")
    spoken = sentence(" ".join(words))
    return spoken if spoken[-1] in ".?" else spoken.rstrip(",") + "."


def _check(line: Line, text: str, known: str) -> None:
    """Refused unless `text` may replace `line`; `known` is what the speaker has read and just heard."""
    most = len(words_of(line.text)) * 3 // 2 + _LONGER[line.who]
    if len(words_of(text)) > most:
        raise Refused("length", f"{text!r} is too long: {most} words at most.")
    for fact in facts(line):
        if says(line.text, fact) and not says(text, fact):
            raise Refused("fact", f"{text!r} must say {fact!r}.")
        if line.who == "user" and fact not in _ANYWHERE and says(text, fact) and not says(line.text, fact):
            raise Refused("fact", f"{text!r} gives the answer {fact!r} away.")
    own, said = _figures(line.text), _figures(text)
    if line.who == "user" and said != own:
        raise Refused("figures", f"{text!r} must have the same numbers and days as {line.text!r}.")
    if extra := said - own - _figures(known):
        raise Refused("figures", f"{text!r} must not speak of {', '.join(sorted(extra))}.")
    if line.who == "agent" and _is(line.kind, line.text) and not _is(line.kind, text):
        raise Refused("form", f"{text!r} is no {line.kind} like {line.text!r}.")


def _is(kind: str, text: str) -> bool:
    """Whether `text` has the form that an agent's line of such a kind has, where there is one to look for."""
    return kind in _FORMS and bool(_FORMS[kind].search(text.lower().replace("n't", " n't")))


def says(text: str, fact: str) -> bool:
    """Whether `text` has the words of `fact`, in a row."""
    return f" {' '.join(words_of(fact))} " in f" {' '.join(words_of(text))} "


def _figures(text: str) -> set[str]:
    return _FIGURES.intersection(words_of(text))
