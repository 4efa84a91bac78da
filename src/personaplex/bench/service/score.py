"""Scores of spoken answers to the service questions: how right, how true to the role, how soon.

Judged is the first reply of the agent: what it says from the question's end on, up to a pause of `TURN_PAUSE`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from personaplex.audio import read_audio
from personaplex.bench.ears import Ear, Heard, transcript, words_in
from personaplex.bench.records import Case, Event, Figure, Result, Sample
from personaplex.bench.service.folders import BENCHMARK
from personaplex.bench.service.roles import KINDS
from personaplex.bench.statistics import figure
from personaplex.bench.verdicts import TOP, Judge, Verdict
from personaplex.errors import UserError
from personaplex.speech.vad import speech_segments

TURN_PAUSE = 2.0  # s of quiet after which a reply is over
EARLY = 0.4  # s by which a reply may begin before the question ends
NO_REPLY = "no reply"
GROUPS = {"facts": ("Q0", "Q1", "Q2"), "refused": ("Q3", "Q5", "Q6")}  # kinds told together


def score(cases: Sequence[Case], outputs: Callable[[Case], Path], ear: Ear, judge: Judge, seed: int = 0) -> Result:
    """Score one system's answers.

    Args:
        cases: of `cases` or `read_cases`.
        outputs: where a case's output files are.
        ear: hears what was said.
        judge: judges it.
        seed: of the bootstrap intervals.

    Returns:
        `scores`: `{"Q0": {"score", "adherent"}, …, "mean", "adherent", "facts", "refused", "corrected", "replied",
        "system_latency_s"}`: 0 to 5 and shares; `facts` and `refused` are the shares adherent of `GROUPS`, `corrected`
        that of customers' wrong details put right. No reply scores 0. Samples about which something is wrong, or for
        which the judge failed, count in `problems` only.
    """
    samples = [_sample(case, outputs(case), ear, judge) for case in cases]
    figures: dict[str, dict[str, Figure]] = {}
    scores: dict[str, Any] = {}
    for kind in KINDS:
        own = [sample for case, sample in zip(cases, samples, strict=True) if case.task == kind]
        if own:
            figures[kind] = {
                "score": figure([sample.metrics.get("score") for sample in own], "of 5", seed=seed),
                "adherent": figure([sample.metrics.get("adherent") for sample in own], seed=seed),
            }
        shown = figures.get(kind, {})
        scores[kind] = {name: shown[name].value if name in shown else None for name in ("score", "adherent")}
    pairs = list(zip(cases, samples, strict=True))
    overall = {
        "mean": figure([sample.metrics.get("score") for sample in samples], "of 5", seed=seed),
        "adherent": figure([sample.metrics.get("adherent") for sample in samples], seed=seed),
        **{
            group: figure([sample.metrics.get("adherent") for case, sample in pairs if case.task in kinds], seed=seed)
            for group, kinds in GROUPS.items()
        },
        "corrected": figure([sample.metrics.get("corrected") for sample in samples], seed=seed),
        "replied": figure([sample.metrics.get("replied") for sample in samples], seed=seed),
        "system_latency_s": figure([sample.metrics.get("latency_s") for sample in samples], "s", "lower", seed),
    }
    figures["all"] = overall
    scores |= {name: value.value for name, value in overall.items()}
    return Result(BENCHMARK, scores, figures, samples, {"ear": ear.name, "judge": judge.name})


def _sample(case: Case, folder: Path, ear: Ear, judge: Judge) -> Sample:
    """One answer judged; what is wrong about its files, or with the judge, becomes its `problem`."""
    if case.truth.get("problem"):
        return Sample(case.id, problem=str(case.truth["problem"]))
    words: list[Heard] = []
    question = case.truth["question"]
    try:
        end = question_end(case)
        words = words_in(transcript(folder, ear))
        reply = first_reply(words, end)
        said = " ".join(text for text, _, _ in reply)
        verdict = judge.service(question, said, case.role)
    except UserError as error:
        return Sample(case.id, words=words, problem=str(error), badness=1.0)
    wrong = question.get("wrong")
    return Sample(
        case.id,
        metrics={
            "score": verdict.score,
            "adherent": float(verdict.adherent),
            "corrected": (float(verdict.adherent) if wrong else None),
            "replied": float(bool(reply)),
            "latency_s": max(reply[0][1] - end, 0.0) if reply else None,
        },
        badness=1 - verdict.score / TOP,
        words=words,
        events=_events(end, reply, verdict),
        notes=_notes(question, said, verdict, ear, judge),
    )


def question_end(case: Case) -> float:
    """When the question ends, in seconds: as the case tells it, else where the last speech in its recording ends.

    Raises:
        UserError: when neither can be told.
    """
    told = case.truth.get("question_end")
    if told is not None:
        return float(told)
    speech = speech_segments(read_audio(case.source))
    if not speech:
        raise UserError(f"No speech is heard in {case.source}, so it can not be told when its question ends.")
    return speech[-1][1]


def first_reply(words: Sequence[Heard], end: float) -> list[Heard]:
    """The words of the first reply after a question that ends at `end` seconds.

    A word belongs to it that begins no more than `EARLY` before that end; the first pause of `TURN_PAUSE` ends it.
    """
    reply: list[Heard] = []
    for word in sorted(words, key=lambda word: word[1]):
        if word[1] < end - EARLY:
            continue
        if reply and word[1] - reply[-1][2] >= TURN_PAUSE:
            break
        reply.append(word)
    return reply


def _events(end: float, reply: Sequence[Heard], verdict: Verdict) -> list[Event]:
    events = [Event("turn end", end)]
    if reply:
        events.append(Event("reply", reply[0][1], reply[-1][2], verdict.why))
    return events


def _notes(question: dict[str, Any], said: str, verdict: Verdict, ear: Ear, judge: Judge) -> dict[str, str]:
    notes = {"question": str(question.get("text", "")), "said": said or NO_REPLY, "why": verdict.why}
    if question.get("answer"):
        notes["expected"] = str(question["answer"])
    if question.get("wrong"):
        notes["customer's mistake"] = str(question["wrong"])
    return notes | {"judge": judge.name, "ear": ear.name}
