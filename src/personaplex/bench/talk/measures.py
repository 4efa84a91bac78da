"""What is counted in one talk: turns that were left to the user and then answered, and words that differ.

Plain numbers in, plain numbers out: knows no files, ears or systems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from personaplex.bench.records import Span
from personaplex.speech.tts import words_of

ANSWER_WITHIN = 2.0  # s after a turn's end
EARLY = 0.25  # s before a turn's end from which a beginning counts as its answer
TALKED_OVER = 0.2  # share of a turn up to which the agent may still be speaking: a turn left to the user


@dataclass(frozen=True)
class Held:
    """One turn of the user's.

    Attributes:
        silent: whether the agent spoke for no more than `TALKED_OVER` of it.
        latency: seconds from its end to the beginning of the answer, early ones as 0; None where none began in time.
        spoke: whether the agent was heard at all in the time for answers, though it had begun before.
    """

    silent: bool
    latency: float | None
    spoke: bool

    @property
    def whole(self) -> bool:
        """Silent while spoken to, and answered."""
        return self.silent and self.latency is not None


def overlap(spans: Sequence[Span], others: Sequence[Span]) -> float:
    """Seconds that lie in both."""
    return sum(max(0.0, min(end, e) - max(start, s)) for start, end in spans for s, e in others)


def held(turns: Sequence[Span], speech: Sequence[Span]) -> list[Held]:
    """Each turn of the user's against the agent's speech.

    An answer begins (a stretch of speech does) from `EARLY` before the turn's end to `ANSWER_WITHIN` after it, and
    before the next turn.
    """
    out = []
    for index, (start, end) in enumerate(turns):
        limit = min(end + ANSWER_WITHIN, turns[index + 1][0] if index + 1 < len(turns) else float("inf"))
        begun = [max(0.0, onset - end) for onset, _ in speech if end - EARLY <= onset <= limit]
        over = overlap([(start, end)], speech)
        spoke = overlap([(end, limit)], speech) > 0
        out.append(Held(over <= TALKED_OVER * (end - start), begun[0] if begun else None, spoke))
    return out


def tells(said: str, phrase: str) -> bool:
    """Whether a phrase's words stand in what is said, one after another."""
    return f" {' '.join(words_of(phrase))} " in f" {' '.join(words_of(said))} "


def word_errors(reference: str, heard: str) -> tuple[int, int]:
    """Substitutions, deletions and insertions, and the words of the reference; (0, 0) without any."""
    import jiwer

    words = words_of(reference)
    if not words:
        return 0, 0
    found = jiwer.process_words(" ".join(words), " ".join(words_of(heard)))
    return found.substitutions + found.deletions + found.insertions, len(words)
