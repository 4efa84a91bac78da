"""The role text: cleaned, so that it cannot forge the prompt's tags, and wrapped as models were trained to see it."""

from __future__ import annotations

import re
import unicodedata
from typing import Protocol

from personaplex.spelling import spell_out

TAG = "<system>"
_TAGS = re.compile(r"<\s*/?\s*system\s*>", re.IGNORECASE)


def clean_role(role: str) -> str:
    """A role as plain text: control characters become spaces, `<system>` tags go, runs of blanks become one.

    A role that comes wrapped already is thereby unwrapped, so wrapping never doubles, and a tag inside it cannot end
    the prompt early. A tag in letters that a tokenizer may take for plain ones (`＜system＞`) goes too.
    """
    plain = "".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Cs") else char for char in role)
    if _TAGS.search(folded := unicodedata.normalize("NFKC", plain)):
        plain = folded
    while _TAGS.search(plain):  # a removal may join the halves of another tag
        plain = _TAGS.sub(" ", plain)
    return " ".join(plain.split())


def wrap_role(role: str, spoken: bool = False) -> str:
    """The role between its tags, the closing one being the same word; "" for an empty role.

    Args:
        role: plain text.
        spoken: write its figures in words, as the agent will say them: for models that were trained so.
    """
    plain = clean_role(role)
    plain = spell_out(plain) if spoken else plain
    return f"{TAG} {plain} {TAG}" if plain else ""


class _Pieces(Protocol):
    def encode(self, text: str) -> list[int]: ...

    def piece(self, token: int) -> str: ...


def tag_pieces(tokenizer: _Pieces) -> list[int]:
    """The ids that stand for a whole tag, which an agent must not say.

    A tokenizer may have one of its own for the tag. Where it is spelt in several pieces, words are made of them too,
    and there is none.
    """
    return [token for token in tokenizer.encode(TAG) if tokenizer.piece(token).strip() == TAG]
