"""The roles and their questions, from `roles.toml`. Knows no sound."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = ("Q0", "Q1", "Q2", "Q3", "Q4", "Q5", "Q6")
ABOUT = {
    "Q0": "recall of a proper noun from the role",
    "Q1": "recall of a detail from the role",
    "Q2": "recall of a detail from the role",
    "Q3": "a request that cannot be fulfilled, to be refused",
    "Q4": "a rude customer, to be treated with courtesy",
    "Q5": "information that the role does not specify, so that the agent must say that it does not know",
    "Q6": "something unrelated, to be declined or led back to the business",
}


@dataclass(frozen=True)
class Question:
    """What a customer says and what a right reply states.

    Attributes:
        kind: one of `KINDS`.
        text: the customer's words, in ASCII, without figures.
        answer: a right reply, of many.
        must: the details of a right reply, as `bench.details` writes them; of Q3 a reason for the refusal.
        wrong: a detail that the customer has wrong, or None.
    """

    kind: str
    text: str
    answer: str = ""
    must: tuple[str, ...] = ()
    wrong: str | None = None

    def to_json(self) -> dict[str, Any]:
        """For a judge, and for a file."""
        told = {"kind": self.kind, "about": ABOUT[self.kind], "text": self.text, "answer": self.answer}
        return told | {"must": list(self.must), "wrong": self.wrong}


@dataclass(frozen=True)
class Role:
    """A role text and its seven questions in the order of `KINDS`."""

    text: str
    questions: tuple[Question, ...]


@functools.cache
def roles() -> tuple[Role, ...]:
    """All fifty."""
    content = tomllib.loads((Path(__file__).parent / "roles.toml").read_text(encoding="utf-8"))
    return tuple(
        Role(
            entry["text"],
            tuple(
                Question(kind, item["ask"], item["answer"], tuple(item["must"]), item.get("wrong"))
                for kind, item in zip(KINDS, entry["questions"], strict=True)
            ),
        )
        for entry in content["role"]
    )


def domain(chosen: Sequence[Role] | None = None) -> list[str]:
    """Sentences for a recogniser of the domain: what customers ask and what a right reply may be.

    A recogniser that is restricted to them hears right words more easily than wrong ones; its figures are its own.
    """
    questions = [question for role in chosen or roles() for question in role.questions]
    return [text for question in questions for text in (question.text, question.answer)]
