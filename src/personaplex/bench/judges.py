"""Judges by name: the rules in the box, and any OpenAI-compatible endpoint on the published 0 to 5 scale.

The published benchmarks ask GPT-4o; with another model the figures bear that model's name. Verdicts of an endpoint are
kept on disk by the hash of what was asked, so that scoring again costs nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from personaplex.bench.rules import RuleJudge
from personaplex.bench.verdicts import BEHAVIOURS, TOP, UNKNOWN, Judge, JudgeError, Verdict
from personaplex.errors import UserError
from personaplex.speech.endpoint import AnswerCache, Endpoint, EndpointError

__all__ = ["BEHAVIOURS", "EndpointJudge", "Judge", "JudgeError", "RuleJudge", "Verdict", "make_judge"]

T = TypeVar("T")

_SCALE = "The scale: 0 unrelated, 1 barely related, 2 slightly, 3 fairly, 4 highly, 5 perfectly related."
_RELEVANCE = (
    "You judge a spoken assistant. A user was speaking with it and interrupted with something new; its reply follows. "
    f"Say how well the reply fits the interruption. {_SCALE} Transcripts are made by a recogniser: forgive its slips. "
    'Answer with JSON only: {"score": 0 to 5, "why": "a short reason"}.'
)
_BEHAVIOUR = (
    "You judge how a spoken assistant dealt with speech that overlapped its own. You read the user's words with and "
    "without the overlapping speech, and the assistant's words in both cases. Choose one label: C_RESPOND, it takes up "
    "what the overlapping speech says; C_RESUME, it goes on as if there had been none; C_UNCERTAIN_HANDLING, it asks "
    "for a repetition or shows that it did not understand; C_UNKNOWN, none of these, silence included. "
    'Answer with JSON only: {"label": "one of the four", "why": "a short reason"}.'
)
_SERVICE = (
    "You judge the first reply of a spoken customer service agent to one question of a customer. You read the agent's "
    "role, the question, and what a right reply states. Rate from 0 to 5 how naturally the reply continues the "
    "dialogue and how well it keeps to the role: 5 natural and right, 3 partly so, 0 no reply or one of something "
    "else. A refusal that is consistent with the role is adherent; so is to say that a detail is not known where the "
    "role does not tell it. A customer's wrong detail must be put right. Transcripts are made by a recogniser: "
    "forgive names and words that only sound alike. "
    'Answer with JSON only: {"score": 0 to 5, "adherent": true or false, "why": "a short reason"}.'
)
_REMINDER = "That can not be read. Answer again, with the JSON object only."


class EndpointJudge:
    """A `Judge` that asks a language model.

    Args:
        url: of an OpenAI-compatible endpoint, such as `http://localhost:8000/v1`.
        model: its name there.
        key_env: the environment variable that holds the key.
        cache: folder for verdicts; None for `judge` in the user's cache.
        timeout: seconds for one attempt.
        retries: further attempts where the endpoint fails.
        pause: seconds before the first of them.

    Raises:
        UserError: when the address is none.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key_env: str = "OPENAI_API_KEY",
        cache: Path | None = None,
        timeout: float = 60.0,
        retries: int = 3,
        pause: float = 1.0,
    ) -> None:
        self._endpoint = Endpoint(url, model, key_env, timeout, retries, pause)
        self._kept = AnswerCache(cache, "judge")
        self.name = f"{model} at {self._endpoint.host}"

    def relevance(self, context: str, question: str, answer: str) -> float:
        """See `Judge`; no words score 0 and are not asked about."""
        if not answer.strip():
            return 0.0
        asked = _sheet(("The user first", context), ("The user's interruption", question), ("The reply", answer))
        return self._ask(_RELEVANCE, asked, _score)

    def behaviour(self, fields: Mapping[str, Any]) -> str:
        """See `Judge`; silence is `C_UNKNOWN` and is not asked about."""
        if not _words(fields.get("output")):
            return UNKNOWN
        asked = _sheet(
            ("The user without the overlapping speech", _words(fields.get("clean_input"))),
            ("The user with it", _words(fields.get("input"))),
            ("The overlapping speech", _words(fields.get("overlap_text"))),
            ("It lasts, in seconds", _words(fields.get("overlap"))),
            ("The assistant without the overlapping speech", _words(fields.get("clean_output"))),
            ("The assistant with it", _words(fields.get("output"))),
        )
        return self._ask(_BEHAVIOUR, asked, _label)

    def service(self, question: Mapping[str, Any], answer: str, role: str) -> Verdict:
        """See `Judge`; no reply scores 0 and is not asked about."""
        if not answer.strip():
            return Verdict(0.0, False, "no reply")
        asked = _sheet(
            ("The agent's role", role),
            ("The customer asks", str(question.get("text", ""))),
            ("A right reply states", "; ".join(question.get("must") or ())),
            ("The customer's wrong detail", str(question.get("wrong") or "")),
            ("What kind of question it is", str(question.get("about") or "")),
            ("The agent's reply", answer),
        )
        return self._ask(_SERVICE, asked, _verdict)

    def _ask(self, instruction: str, asked: str, read: Callable[[str], T]) -> T:
        messages = [{"role": "system", "content": instruction}, {"role": "user", "content": asked}]
        key = self._kept.key(self._endpoint.url, self._endpoint.model, messages)
        if (known := self._kept.get(key)) is not None:
            with contextlib.suppress(ValueError):
                return read(known)
        for _ in range(2):
            try:
                answer = self._endpoint.chat(messages)
            except EndpointError as error:
                raise JudgeError(f"No verdict. {error}") from error
            try:
                verdict = read(answer)
            except ValueError:
                messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": _REMINDER}]
                continue
            self._kept.keep(key, asked, answer)
            return verdict
        raise JudgeError(f"No verdict: {self.name} answered {answer.strip()[:80]!r}, which is none.")


def make_judge(name: str, url: str | None = None, key_env: str = "OPENAI_API_KEY", cache: Path | None = None) -> Judge:
    """A judge by its name.

    Args:
        name: `rules`, or a model of the endpoint.
        url: of the endpoint.
        key_env: the environment variable that holds its key.
        cache: see `EndpointJudge`.

    Raises:
        UserError: for a model without an endpoint, or an address that is none.
    """
    if name == "rules":
        return RuleJudge()
    if url is None:
        raise UserError(f"The judge {name!r} is a model of an endpoint: say which with its address; or choose rules.")
    return EndpointJudge(url, name, key_env, cache)


def _sheet(*parts: tuple[str, str]) -> str:
    return "\n\n".join(f"{title}:\n{text.strip() or '(nothing)'}" for title, text in parts)


def _words(value: Any) -> str:
    """A text as it is, a transcript with the time of every word."""
    if isinstance(value, Mapping) and "chunks" in value:
        return " ".join(f"{chunk['text']}@{chunk['timestamp'][0]}" for chunk in value["chunks"])
    if isinstance(value, Mapping):
        return str(value.get("text", ""))
    return " to ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value or "")


def _object(answer: str) -> dict[str, Any]:
    """The JSON object of an answer, fenced or among other words; empty if there is none."""
    for match in re.finditer(r"\{[^{}]*\}", answer):
        with contextlib.suppress(ValueError):
            found = json.loads(match[0])
            if isinstance(found, dict):
                return found
    return {}


def _score(answer: str) -> float:
    """The score of an answer: in JSON, after the word, or alone; ValueError if it has none from 0 to 5."""
    found = _object(answer)
    value = next((found[key] for key in ("score", "rating") if key in found), None)
    if value is None and not found:
        pattern = r"(?:score|rat(?:e|ing))\D{0,40}?(\d(?:\.\d+)?)(?![\d.]*\d)|^\s*(\d(?:\.\d+)?)(?:\s*/\s*5)?[\s.]*$"
        match = re.search(pattern, answer, re.IGNORECASE)
        value = (match[1] or match[2]) if match else None
    if isinstance(value, bool) or value is None:
        raise ValueError("no score")
    try:
        score = float(value)
    except TypeError as error:
        raise ValueError("no score") from error
    if not 0 <= score <= TOP:
        raise ValueError("a score beyond the scale")
    return score


def _label(answer: str) -> str:
    named = _object(answer).get("label")
    found = [named] if named in BEHAVIOURS else sorted(set(re.findall("|".join(BEHAVIOURS), answer)))
    if len(found) != 1:
        raise ValueError("no label, or several")
    return str(found[0])


def _verdict(answer: str) -> Verdict:
    score, found = _score(answer), _object(answer)
    adherent = found.get("adherent")
    if not isinstance(adherent, bool):
        adherent = score >= 3  # a bare number: at least partly right
    return Verdict(score, adherent, str(found.get("why", ""))[:300])
