"""What a judge is asked and answers, whoever it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from personaplex.errors import UserError

TOP = 5.0  # best score; 0 is the worst, as published
RESPOND, RESUME, UNCERTAIN, UNKNOWN = BEHAVIOURS = ("C_RESPOND", "C_RESUME", "C_UNCERTAIN_HANDLING", "C_UNKNOWN")


class JudgeError(UserError):
    """A judge gave no verdict; the message is one sentence that says why."""


@dataclass(frozen=True)
class Verdict:
    """Of one answer at a service desk.

    Attributes:
        score: 0 to 5.
        adherent: whether the answer keeps to the role.
        why: a short reason.
    """

    score: float
    adherent: bool
    why: str


class Judge(Protocol):
    """Someone who judges answers by their words. Every method may raise `JudgeError`."""

    @property
    def name(self) -> str:
        """As it stands beside every figure."""

    def relevance(self, context: str, question: str, answer: str) -> float:
        """How well an answer after an interruption fits it: 0 unrelated to 5 perfectly related.

        Args:
            context: what the user had said before.
            question: what the user interrupted with.
            answer: what the system said then.
        """

    def behaviour(self, fields: Mapping[str, Any]) -> str:
        """What a system did about speech that overlapped its own (Full-Duplex-Bench v1.5): one of `BEHAVIOURS`.

        Args:
            fields: `input`, `clean_input` (the user with and without the overlapping speech), `output` and
                `clean_output` (the system's answers to these): each a text, or a transcript with `chunks`. Optional
                `overlap`: `[start, end]` of the overlapping speech in seconds, and `overlap_text`: its words.
        """

    def service(self, question: Mapping[str, Any], answer: str, role: str) -> Verdict:
        """Judge the first reply to a question at a service desk.

        Args:
            question: as `bench.service.Question.to_json` gives it: `kind`, `text`, and where they are known `must`,
                `must_not`, `wrong`.
            answer: "" for no reply, which scores 0.
            role: the role text.
        """
