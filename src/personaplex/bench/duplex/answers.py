"""What a right answer to an interrupting question states, where the set's own annotation does not tell it.

The mini set is frozen, and Full-Duplex-Bench's layout has no field for it: its answers are here. Knows no sound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Details as `bench.details` reads them, by the mini set's questions without their opening.
_EXPECTED: Mapping[str, str] = {
    "what is the capital of spain": "Madrid",
    "what is a good breakfast": "eggs | fruit | bread | porridge | oats | cereal | yogurt | toast",
    "which season comes after winter": "spring",
    "how many legs does a dog have": "4",
    "what do cows eat": "grass | hay",
    "what color is a ripe banana": "yellow",
}
_OPENING = re.compile(r"^(sorry|wait|actually|excuse me|hold on)\b\W*")


def expected(annotation: Mapping[str, Any]) -> str | None:
    """The detail that answers an interruption: its `answer` where the annotation has one, else of our own questions."""
    told = annotation.get("answer")
    if isinstance(told, str) and told.strip():
        return told
    question = _OPENING.sub("", str(annotation.get("interrupt", "")).lower()).strip(" ?.!")
    return _EXPECTED.get(question)
