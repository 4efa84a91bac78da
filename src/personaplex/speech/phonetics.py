"""Whether a name was meant when something that sounds like it was heard.

Knows the pronunciations of pocketsphinx's dictionary (CMU phones without stress) and, for words that are not in it,
their letters. Knows no context.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path

from rapidfuzz.distance import Levenshtein

ALIKE = 0.26  # edits for each phone up to which two names count as heard alike: one in four
_RUN = 3  # words into which a recogniser may break one name, more than the name has
# Letters of words without a pronunciation: what sounds the same is written the same.
_SPELLINGS = (("ph", "f"), ("ck", "k"), ("qu", "kw"), ("wr", "r"), ("kn", "n"), ("gh", "g"), ("c", "k"), ("z", "s"),
              ("y", "i"), ("ee", "i"), ("ea", "i"), ("ie", "i"), ("ei", "i"), ("oo", "u"), ("ou", "u"))  # fmt: skip


@functools.cache
def _dictionary() -> dict[str, tuple[str, ...]]:
    """Word → phones, the first pronunciation of each; empty without pocketsphinx."""
    try:
        import pocketsphinx
    except ImportError:
        return {}
    path = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {line[0]: tuple(line[1:]) for line in lines if line and not line[0].endswith(")")}


def phones(word: str) -> tuple[str, ...] | None:
    """CMU phones of a word, or None for one that the dictionary lacks."""
    bare = word.lower().strip("'")
    found = _dictionary().get(bare)
    if found is None and bare.endswith("'s"):
        stem = _dictionary().get(bare[:-2])
        found = stem and (*stem, "Z")
    return found


def sounds_alike(name: str, heard: Sequence[str]) -> bool:
    """Whether a name is among the heard words, or something that differs from it in one phone out of four.

    Up to `_RUN` words more than the name has are joined, as a recogniser that does not know a name breaks it up.

    Args:
        name: one word or several.
        heard: words in order.
    """
    words = re.findall(r"[a-z']+", name.lower())
    if not words:
        return False
    longest = len(words) + _RUN
    return any(
        _distance(words, heard[at : at + size]) <= ALIKE
        for at in range(len(heard))
        for size in range(1, min(longest, len(heard) - at) + 1)
    )


def _distance(one: Sequence[str], other: Sequence[str]) -> float:
    """Edits for each unit of the longer: of phones where all are known, else of letters."""
    spoken = [[phones(word) for word in words] for words in (one, other)]
    if all(found is not None for words in spoken for found in words):
        left, right = ([phone for found in words for phone in found or ()] for words in spoken)
        return Levenshtein.normalized_distance(left, right)
    return Levenshtein.normalized_distance(_simplified("".join(one)), _simplified("".join(other)))


def _simplified(letters: str) -> str:
    for written, sound in _SPELLINGS:
        letters = letters.replace(written, sound)
    return re.sub(r"(.)\1+", r"\1", letters.replace("'", ""))
