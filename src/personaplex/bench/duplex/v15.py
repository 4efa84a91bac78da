"""Full-Duplex-Bench v1.5: what a system does about speech over its own (arXiv 2507.23159).

Stop and response latency from two speech activities as get_timing.py of the published code has them, and the four-way
label of a judge that is asked as eval_behavior.py asks. The published code lists intervals and does not say which of
them to average: here it is the first that belongs to the annotated overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from personaplex.audio import read_audio
from personaplex.bench.duplex.folders import CLEAN_OUTPUT, OVERLAPS
from personaplex.bench.duplex.listening import Draft, read_output, read_words, side_transcript
from personaplex.bench.ears import Ear, transcript
from personaplex.bench.records import OUTPUT_JSON, Event, Span
from personaplex.bench.verdicts import BEHAVIOURS, RESPOND, RESUME, Judge
from personaplex.errors import UserError
from personaplex.speech.vad import speech_segments

USER_GAP, MODEL_GAP = 0.6, 0.5  # seconds of silence up to which two stretches of speech are one
WANTED = {task: RESPOND if task == "user_interruption" else RESUME for task in OVERLAPS}
_CLEAN_INPUT = "clean_input"


def merge(segments: Sequence[Span], gap: float) -> list[Span]:
    """Join stretches of speech whose silence between is at most `gap` seconds."""
    merged: list[Span] = []
    for start, end in sorted(segments):
        if merged and start - merged[-1][1] <= gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def overlaps(user: Sequence[Span], model: Sequence[Span]) -> list[Span]:
    """Where both speak, to the millisecond, by end; of those that end in the same millisecond the shortest."""
    best: dict[int, Span] = {}
    for user_start, user_end in user:
        for model_start, model_end in model:
            start, end = max(user_start, model_start), min(user_end, model_end)
            key = round(end * 1000)
            if start < end and (key not in best or end - start < best[key][1] - best[key][0]):
                best[key] = (start, end)
    return [(round(start, 3), round(end, 3)) for start, end in sorted(best.values(), key=lambda span: span[1])]


def response_gaps(user: Sequence[Span], model: Sequence[Span]) -> list[Span]:
    """From each end of the user's speech to the model's next start, to the millisecond; one for each such start."""
    best: dict[int, Span] = {}
    for _, end in user:
        following = [start for start, _ in model if start > end]
        if following:
            gap = (round(end, 3), round(following[0], 3))
            key = round(following[0] * 1000)
            if key not in best or gap[0] > best[key][0]:
                best[key] = gap
    return sorted(best.values(), key=lambda span: span[1])


def stop_latency(shared: Sequence[Span], event: Span) -> float | None:
    """Seconds of the first of the `overlaps` that meets the annotated one; None if the model was not speaking."""
    return next((end - start for start, end in shared if end > event[0] and start < event[1]), None)


def response_latency(gaps: Sequence[Span], event: Span) -> float | None:
    """Seconds of the first of the `response_gaps` that opens after the annotated overlap began; None if none does."""
    return next((end - start for start, end in gaps if start > event[0]), None)


def score_overlap(draft: Draft, ear: Ear, judge: Judge, clean_folder: Path) -> None:
    """Score one v1.5 sample: `stop_latency_s`, `response_latency_s`, a share for each label, and `as_wanted`.

    Args:
        draft: of the case.
        ear: hears what is not transcribed: both answers and both inputs.
        judge: gives the label.
        clean_folder: where the answer to the clean recording is, if it does not lie beside the other as `clean_output`.
    """
    truth = draft.case.truth
    event = (truth["span"][0], truth["span"][1])
    draft.events.append(Event("interruption", *event, truth["overlap"]))
    sound = read_output(draft, needed=not (draft.folder / OUTPUT_JSON).exists())
    if sound is not None:
        model = merge(draft.speech, MODEL_GAP)
        user = _user_speech(draft, event)
        draft.metrics["stop_latency_s"] = stop_latency(overlaps(user, model), event)
        draft.metrics["response_latency_s"] = response_latency(response_gaps(user, model), event)
    elif not draft.problems:
        draft.problems.append("output.wav is missing, so there are no latencies.")
    said = read_words(draft, ear, sound)
    label = None if said is None else _label(draft, ear, judge, clean_folder)
    if label is None:
        return
    wanted = WANTED[draft.case.task]
    draft.metrics |= {name: float(name == label) for name in BEHAVIOURS}
    draft.metrics["as_wanted"] = float(label == wanted)
    draft.notes |= {"judge": label, "expected": wanted}
    draft.badness = float(label != wanted)


def _user_speech(draft: Draft, event: Span) -> list[Span]:
    """The user's speech; the annotated overlap alone where the input is not there, which is a problem."""
    try:
        return merge(speech_segments(read_audio(draft.case.source)), USER_GAP)
    except UserError as error:
        draft.problems.append(f"{error} The latencies take the annotated overlap for the user's speech.")
        return [event]


def _label(draft: Draft, ear: Ear, judge: Judge, clean_folder: Path) -> str | None:
    """The judge's label, or None and a problem."""
    try:
        label = judge.behaviour(_fields(draft, ear, clean_folder))
    except UserError as error:
        draft.problems.append(str(error))
        return None
    if label not in BEHAVIOURS:
        draft.problems.append(f"The judge gave {label!r}, which is no label, so there is none.")
        return None
    return label


def _fields(draft: Draft, ear: Ear, clean_folder: Path) -> dict[str, Any]:
    """The four transcripts that the judge is shown, with the overlap's time and text."""
    truth, folder, data = draft.case.truth, draft.folder, draft.case.source.parent
    clean = side_transcript(CLEAN_OUTPUT, [folder], ear)
    if clean is None:
        try:
            clean = transcript(clean_folder, ear)
        except UserError as error:
            raise UserError(f"There is no answer to the clean recording, so there is no label: {error}") from error
    context = {"text": truth["context"], "timestamp": [0.0, None]}
    spoken = {"text": truth["overlap"], "timestamp": list(truth["span"])}
    return {
        "input": _shown(_input("input", [context, spoken], folder, data, ear)),
        "clean_input": _shown(_input(_CLEAN_INPUT, [context], folder, data, ear)),
        "output": _shown(transcript(folder, ear)),
        "clean_output": _shown(clean),
        "overlap": list(truth["span"]),
        "overlap_text": truth["overlap"],
    }


def _shown(heard: dict[str, Any]) -> dict[str, Any]:
    """A transcript without our own remarks in it."""
    return {"text": heard["text"], "chunks": heard["chunks"]}


def _input(stem: str, known: list[dict[str, Any]], folder: Path, data: Path, ear: Ear) -> dict[str, Any]:
    """What the user says: a transcript, what the ear hears, or else the annotation's texts."""
    try:
        heard = side_transcript(stem, [folder, data], ear)
    except UserError:
        heard = None  # an ear for the system's own text alone
    return heard or {"text": " ".join(chunk["text"] for chunk in known), "chunks": known}
