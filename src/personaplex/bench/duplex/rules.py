"""The rules of Full-Duplex-Bench v1, number for number as its published code has them (arXiv 2503.04721, section IV).

Pure functions of words, stretches of speech and annotations. The scripts named here are those of
github.com/DanielLin94144/Full-Duplex-Bench at d7336bd; where script and paper differ, the script is followed. Knows no
files and no models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from personaplex.bench.records import Span
from personaplex.errors import UserError

Chunk = tuple[str, float | None, float | None]  # a word of a transcript, its start and its end in seconds

TURN_SECONDS = 1.0  # speech as long as this is a turn, however few its words
TURN_WORDS = 3  # more words than these are a turn, however short (the paper says fewer than 2, the scripts 3)
SPEAKING_SECONDS = 3.0  # a stretch longer than this is no backchannel but speaking
BACKCHANNEL_WORDS = 2  # a short stretch of at most these is no take-over
BIN_SECONDS = 0.2  # of the histograms that JSD compares
_EPSILON = 1e-10  # added to each bin


def chunks_of(transcript: Mapping[str, Any]) -> list[Chunk]:
    """The words of an `output.json`, null times kept.

    Raises:
        UserError: when it is no transcript.
    """
    try:
        chunks = [(str(chunk["text"]), *chunk["timestamp"]) for chunk in transcript["chunks"]]
        return [(text, None if a is None else float(a), None if b is None else float(b)) for text, a, b in chunks]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError('The transcript is malformed: it needs "chunks", each with "text" and two times.') from error


def take_over(words: Sequence[Chunk]) -> bool:
    """Whether what was said is a turn (TOR of one sample).

    Not without words, nor where at most 3 words last less than 1 s from the first one's start to the last one's end.
    eval_pause_handling.py, eval_smooth_turn_taking.py and eval_user_interruption.py. A last end of null is replaced by
    that word's start: so does the first of these, where the other two stop with an error.

    Raises:
        UserError: when the first or the last word has no start.
    """
    if not words:
        return False
    first, last = words[0][1], words[-1][1] if words[-1][2] is None else words[-1][2]
    if first is None or last is None:
        raise UserError("The transcript's first or last word has no start time.")
    return last - first >= TURN_SECONDS or len(words) > TURN_WORDS


def latency(words: Sequence[Chunk], after: float) -> float:
    """Seconds from `after` to the first word, 0 if that came earlier; defined where `take_over` is true.

    eval_smooth_turn_taking.py, with `after` the start of the turn's annotation, and eval_user_interruption.py, with the
    end of the interruption's.
    """
    assert words and words[0][1] is not None, "latency without a take-over"
    return max(0.0, words[0][1] - after)


@dataclass(frozen=True)
class Backchannels:
    """What `backchannels` finds: whether the system took the turn, and every stretch that counts as a backchannel."""

    take_over: bool
    spans: list[Span]


def backchannels(segments: Sequence[Span], words: Sequence[Chunk]) -> Backchannels:
    """Walk along the stretches of speech of one sample (eval_backchannel.py).

    A stretch of more than 3 s is a take-over and ends the walk. Any other counts as a backchannel, whatever is said in
    it, and decides anew whether the turn was taken: it was, unless the stretch is shorter than 1 s with at most 2
    words. So the last stretch wins.
    """
    taken = False
    spans: list[Span] = []
    for start, end in segments:
        seconds = end - start
        if seconds > SPEAKING_SECONDS:
            return Backchannels(True, spans)
        taken = not (seconds < TURN_SECONDS and words_within(words, start, end) <= BACKCHANNEL_WORDS)
        spans.append((start, end))
    return Backchannels(taken, spans)


def words_within(words: Sequence[Chunk], start: float, end: float) -> int:
    """How many words eval_backchannel.py finds in a stretch of speech.

    Words without a start do not count, nor those without an end that start before the stretch's end. A word that
    surrounds or touches an edge counts; one that lies before the stretch or after it does not.
    """
    count = 0
    for _, begin, finish in words:
        if begin is None or (finish is None and begin < end):
            continue
        last = begin if finish is None else finish
        inside = begin >= start and last <= end
        count += inside or begin <= end < last or begin <= start < last
    return count


def histogram(spans: Sequence[Span], seconds: float) -> np.ndarray:
    """How backchannels are spread over a recording: float64 `[int(seconds / 0.2) + 1]`, of sum 1.

    Every bin from that of a span's start to that of its end counts 1; bins past the recording's end are dropped.
    """
    counts = np.zeros(int(seconds / BIN_SECONDS) + 1)
    for start, end in spans:
        counts[int(start / BIN_SECONDS) : int(end / BIN_SECONDS) + 1] += 1
    counts += _EPSILON
    return counts / counts.sum()


def divergence(spans: Sequence[Span], seconds: float, truth: Sequence[float]) -> float:
    """Jensen-Shannon distance between when a system gives backchannels and when people do (eval_backchannel.py).

    The square root of the divergence to base e, so from 0 to 0.83, but 1 for a system that gives none.

    Args:
        spans: the system's backchannels, in seconds.
        seconds: length of the recording.
        truth: people's histogram of any number of bins, resized linearly.
    """
    from scipy.spatial.distance import jensenshannon

    if not spans:
        return 1.0
    ours = histogram(spans, seconds)
    theirs = np.interp(np.linspace(0, 1, len(ours)), np.linspace(0, 1, len(truth)), truth)
    return float(jensenshannon(ours, theirs))
