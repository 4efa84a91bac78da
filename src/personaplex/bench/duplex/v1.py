"""One sample of Full-Duplex-Bench v1 at a time: its files, its annotation and `rules` make its metrics.

Knows the five tasks. Does not average.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from personaplex.bench.details import mentions
from personaplex.bench.duplex import rules
from personaplex.bench.duplex.folders import BACKCHANNEL, INTERRUPTION, PAUSES, TURN
from personaplex.bench.duplex.listening import Draft, read_output, read_words
from personaplex.bench.duplex.v15 import MODEL_GAP, merge
from personaplex.bench.ears import Ear
from personaplex.bench.records import OUTPUT_JSON, Event
from personaplex.bench.verdicts import TOP, Judge
from personaplex.errors import UserError
from personaplex.speech.vad import speech_segments

_FITS = 3.0  # of the judge's 5: "fairly related"
_LATE_SECONDS = 3.0  # a latency that is as bad as not to answer

Distribution = Mapping[str, Sequence[float]]


def score_pause(draft: Draft, ear: Ear) -> None:
    """Whether the system took the turn while the user only paused: `tor`."""
    pauses = draft.case.truth.get("pauses", [])
    draft.events += [Event("pause", start, end) for start, end in pauses]
    sound = read_output(draft, needed=not _transcribed(draft))
    said = read_words(draft, ear, sound, until=max((end for _, end in pauses), default=0.0))
    if said is not None and (taken := _take_over(draft, said[0])) is not None:
        draft.metrics["tor"] = float(taken)
        draft.badness = float(taken)


def score_turn(draft: Draft, ear: Ear) -> None:
    """Whether and how soon the system answered: `tor`, `latency_s`."""
    start, end = draft.case.truth["turn"]
    draft.events.append(Event("turn end", start, end))
    sound = read_output(draft, needed=not _transcribed(draft))
    if (said := read_words(draft, ear, sound, until=start)) is not None:
        _answer(draft, said[0], start)


def score_interruption(draft: Draft, ear: Ear, judge: Judge) -> None:
    """Whether, how soon and how well the system answered a user who interrupted it: `tor`, `latency_s`, `score`.

    And, which is not published, `stops_within_s`: from the interruption's start until the system is silent, where it
    was speaking then; and `answered`: whether what it says then states the right answer (`answers.expected`) or, where
    the set tells none, whether the judge finds it fitting (`_FITS`).
    """
    truth = draft.case.truth
    start, end = truth["span"]
    draft.events.append(Event("interruption", start, end, truth["interrupt"]))
    sound = read_output(draft, needed=not _transcribed(draft))
    said = read_words(draft, ear, sound, start=end, until=end)
    if said is None:
        return
    draft.metrics["stops_within_s"] = _stops(draft, start)
    if not _answer(draft, said[0], end):
        if "tor" in draft.metrics:
            draft.metrics["answered"] = 0.0
        return
    if truth.get("answer"):
        draft.metrics["answered"] = float(mentions(truth["answer"], said[1]))
        draft.notes["expected"] = truth["answer"]
    draft.metrics["score"] = None
    try:
        grade = float(judge.relevance(truth["context"], truth["interrupt"], said[1]))
    except UserError as error:
        draft.problems.append(str(error))
        return
    if not (math.isfinite(grade) and 0 <= grade <= TOP):
        draft.problems.append(f"The judge gave {grade}, which is not in 0 to {TOP:g}, so there is no score.")
        return
    draft.metrics["score"] = grade
    draft.metrics.setdefault("answered", float(grade >= _FITS))
    draft.notes["judge"] = f"{grade:g} of {TOP:g}"
    draft.badness = max(draft.badness, 1 - grade / TOP)


def score_backchannel(draft: Draft, ear: Ear, truth: Distribution | None) -> None:
    """How the system listens: `tor`, `frequency_hz`, `jsd`, and the same as `corrected_*`.

    The published script gives the file's samples to the VAD as they are, which takes them for 16 kHz: at 24 kHz all its
    times are 1.5 times too late. The corrected figures differ in that alone.
    """
    sound = read_output(draft, needed=True)
    if sound is None or (said := read_words(draft, ear, sound)) is None:
        return
    shares = None if truth is None else truth.get(draft.case.name)
    if truth is None:
        draft.notes["jsd"] = "no ground truth was given, so there is no JSD"
    elif shares is None:
        draft.problems.append(f"The ground truth has no entry {draft.case.name!r}, so there is no JSD.")
    readings = {
        "": speech_segments(sound.raw, misread=True, decimals=1),
        "corrected_": speech_segments(sound.pcm, decimals=1),
    }
    for prefix, segments in readings.items():
        found = rules.backchannels(segments, said[0])
        draft.metrics[f"{prefix}tor"] = float(found.take_over)
        draft.metrics[f"{prefix}frequency_hz"] = len(found.spans) / sound.seconds
        apart = None if shares is None else rules.divergence(found.spans, sound.seconds, shares)
        draft.metrics[f"{prefix}jsd"] = apart
    draft.events += [Event("backchannel", start, end) for start, end in found.spans]  # the corrected ones
    taken, apart = draft.metrics["corrected_tor"], draft.metrics["corrected_jsd"]
    draft.badness = 1.0 if taken else 0.5 * (apart or 0.0)


def score_v1(draft: Draft, ear: Ear, judge: Judge, truth: Distribution | None) -> None:
    """Score one sample of any v1 task into its draft."""
    task = draft.case.task
    if task in PAUSES:
        score_pause(draft, ear)
    elif task == TURN:
        score_turn(draft, ear)
    elif task == BACKCHANNEL:
        score_backchannel(draft, ear, truth)
    else:
        assert task == INTERRUPTION, task
        score_interruption(draft, ear, judge)


def _transcribed(draft: Draft) -> bool:
    return (draft.folder / OUTPUT_JSON).exists()


def _take_over(draft: Draft, words: list[rules.Chunk]) -> bool | None:
    try:
        taken = rules.take_over(words)
    except UserError as error:
        draft.problems.append(str(error))
        return None
    if taken:
        draft.events.append(Event("take-over", words[0][1] or 0.0, words[-1][2]))
    return taken


def _answer(draft: Draft, words: list[rules.Chunk], after: float) -> bool:
    """TOR and latency of a sample where the system should speak; whether it did."""
    taken = _take_over(draft, words)
    if taken is None:
        return False
    seconds = rules.latency(words, after) if taken else None
    draft.metrics |= {"tor": float(taken), "latency_s": seconds}
    draft.badness = 1.0 if seconds is None else min(seconds / _LATE_SECONDS, 1.0)
    return taken


def _stops(draft: Draft, moment: float) -> float | None:
    """Seconds from a moment until the system is silent for longer than a breath; None if it was silent."""
    spans = [(start, end) for start, end in merge(draft.speech, MODEL_GAP) if start <= moment < end]
    return spans[0][1] - moment if spans else None
