"""Who thinks up the cascade's answers: rules that look into the role text, or a language model behind an endpoint."""

from __future__ import annotations

import re
from typing import Protocol

from personaplex.bench.details import content
from personaplex.errors import UserError
from personaplex.persona.persona import DEFAULT_ROLE
from personaplex.speech.endpoint import Endpoint
from personaplex.synth.words import number

_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
_LABEL = re.compile(r"^(information|facts)\s*:\s*", re.IGNORECASE)
_GREETING = re.compile(r"^\W*(hi|hello|hey|good (morning|afternoon|evening))\W*(there)?\W*$", re.IGNORECASE)
_MINE = {"you": "I", "your": "my", "yours": "mine", "are": "am"}
_REFUSAL = "I am sorry, I do not have that information."
_WELCOME = "Hello, how can I help you?"
_MANNER = "Answer what was just said to you in one or two short spoken sentences, without lists, with numbers in words."


class Answerer(Protocol):
    """Text to text."""

    @property
    def name(self) -> str:
        """For the description of the system."""

    def answer(self, role: str, heard: str) -> str:
        """What an agent of that role says to the user's words.

        Raises:
            UserError: when there is no answer to be had.
        """


class RuleAnswerer:
    """Says the sentence of the role that shares most with the question, or that it does not know."""

    name = "rules on the role text"

    def answer(self, role: str, heard: str) -> str:
        """See `Answerer`."""
        if _GREETING.match(heard):
            return _WELCOME
        asked = content(heard)
        best, shared = "", 0
        for sentence in _SENTENCE.split(role):
            sentence = _LABEL.sub("", sentence).strip(" ;")
            common = len(content(sentence) & asked)
            if common > shared:
                best, shared = sentence, common
        return spoken(_of_oneself(best)) if best else _REFUSAL


class EndpointAnswerer:
    """Asks a language model.

    Args:
        endpoint: where.
    """

    def __init__(self, endpoint: Endpoint):
        self._endpoint = endpoint
        self.name = f"{endpoint.model} at {endpoint.host}"

    def answer(self, role: str, heard: str) -> str:
        """See `Answerer`."""
        messages = [
            {"role": "system", "content": f"{role or DEFAULT_ROLE} {_MANNER}"},
            {"role": "user", "content": heard},
        ]
        return spoken(self._endpoint.chat(messages, max_tokens=120))


def make_answerer(model: str | None = None, url: str | None = None, key_env: str = "OPENAI_API_KEY") -> Answerer:
    """Rules, or a model of an endpoint.

    Raises:
        UserError: when the address is none, or a model has none.
    """
    if model is None:
        return RuleAnswerer()
    if url is None:
        raise UserError(f"The answers are to come from {model!r}; say at which address with --endpoint.")
    return EndpointAnswerer(Endpoint(url, model, key_env))


def spoken(text: str) -> str:
    """A text as a simple synthesiser can say it: in ASCII, figures as words."""
    text = text.encode("ascii", "ignore").decode()
    text = re.sub(r"\$\s?(\d+)", r"\1 dollars", text)
    text = re.sub(r"\b(\d{1,2})\s?([ap])(?:\.m\.|m\b)", lambda m: f"{m[1]} {_part(m[2])}", text, flags=re.IGNORECASE)
    text = re.sub(r"(\d)\s?%", r"\1 percent", text)
    text = re.sub(r"\d+", lambda match: f" {_number(match[0])} ", text)
    return " ".join(re.sub(r"[^A-Za-z'.,?! ]", " ", text).split()).replace(" .", ".").replace(" ,", ",")


def _part(letter: str) -> str:
    return "in the morning" if letter.lower() == "a" else "in the evening"


def _number(figures: str) -> str:
    """As one number, or figure by figure where it is a code."""
    if len(figures) > 4 or (figures[0] == "0" and len(figures) > 1):
        return " ".join(number(int(figure)) for figure in figures)
    return number(int(figures))


def _of_oneself(sentence: str) -> str:
    """A sentence of the role, which speaks to the agent, as the agent would say it of itself."""
    words = sentence.split()
    return " ".join(_MINE.get(word.lower(), word) for word in words).rstrip(".;") + "."
