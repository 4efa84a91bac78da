"""Scores of whole conversations. What the figures mean, one by one, is in docs/benchmarks.md.

Figures are made of sums over all dialogues of a task, turns and words weighing alike wherever they stand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from personaplex.audio import read_audio
from personaplex.bench.duplex.listening import answer_error, side_transcript
from personaplex.bench.ears import Ear, Heard, OwnText, own_words, transcript, words_in
from personaplex.bench.records import OUTPUT_WAV, TOKENS_JSON, Case, Event, Figure, Result, Sample, Span
from personaplex.bench.service.score import first_reply
from personaplex.bench.statistics import figure, pooled, share
from personaplex.bench.talk.folders import BENCHMARK, LONG, TASKS, TTS_WAV
from personaplex.bench.talk.measures import EARLY, Held, held, overlap, tells, word_errors
from personaplex.bench.verdicts import Judge
from personaplex.errors import UserError
from personaplex.speech.vad import speech_segments, vad_name

LAST = 3  # judged questions of a talk that are its end
Errors = tuple[int, int]  # wrong words, words of the reference
Facts = tuple[float, float]  # facts found, facts to be told


@dataclass
class _Talk:
    """What was measured of one case; None for what it has none of."""

    case: Case
    problems: list[str] = field(default_factory=list)
    seconds: tuple[float, float] | None = None  # the user's in which the agent is silent, all of the user's
    turns: list[Held] = field(default_factory=list)
    tts_turns: list[Held] = field(default_factory=list)
    facts: list[tuple[float, float]] = field(default_factory=list)  # right and asked, in order
    tts_facts: list[tuple[float, float]] = field(default_factory=list)
    written: Facts | None = None
    said: Facts | None = None
    tts_said: Facts | None = None
    heard: Errors | None = None
    own: Errors | None = None
    tts: Errors | None = None
    speech: list[Span] = field(default_factory=list)
    words: list[Heard] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def sample(self) -> Sample:
        rate = {name: _rate(errors) for name, errors in self._errors().items()}
        count = max(len(self.turns), 1)
        whole = sum(turn.whole for turn in self.turns) / count
        measured: dict[str, float | None] = {} if self.seconds is None else {
            "silent": _rate(self.seconds),
            "silent_turns": sum(turn.silent for turn in self.turns) / count,
            "answered": sum(turn.latency is not None for turn in self.turns) / count,
            "held_turns": whole,
            "facts": _rate(_sum(self.facts)),
            **rate,
        }  # fmt: skip
        theirs = [(str(text), float(start), float(end)) for text, start, end in self.case.truth["user_words"]]
        problem = " ".join(self.problems) or None
        return Sample(
            self.case.id, measured, 1 - whole, self.words, theirs, self.events, self.speech, self.notes, problem
        )

    def _errors(self) -> dict[str, Errors | None]:
        return {"heard_wer": self.heard, "own_wer": self.own, "tts_wer": self.tts}


def score(cases: Sequence[Case], outputs: Callable[[Case], Path], ear: Ear, judge: Judge, seed: int = 0) -> Result:
    """Score one system's talks.

    Args:
        cases: of `read_cases` and `recording`.
        outputs: where a case's output files are.
        ear: hears the system, and the synthesiser in its place.
        judge: of the answers to questions whose right answer is known.
        seed: of the bootstrap intervals.

    Returns:
        `scores`: task → figure → value, and `by_turn`: task → the share of turns held, first turn first. A figure that
        the system gives nothing for (no stream of heard words, no text of its own) is None, and `ears` says so. What
        could not be measured at all counts in `problems` only.
    """
    talks = [_measure(case, outputs(case), ear, judge) for case in cases]
    figures: dict[str, dict[str, Figure]] = {}
    scores: dict[str, Any] = {"by_turn": {}}
    for task in TASKS:
        own = [talk for talk in talks if talk.case.task == task and talk.seconds is not None]
        if not own:
            continue
        figures[task] = _figures(own, task, seed)
        places = _by_turn(own, seed)
        figures[f"{task}: held, by turn"] = {f"turn {number}": item for number, item in enumerate(places, 1)}
        scores[task] = {name: item.value for name, item in figures[task].items()}
        scores["by_turn"][task] = [item.value for item in places]
    ears = {
        "ear": ear.name,
        "vad": vad_name(),
        "judge": judge.name,
        "stream of heard words": "its own" if any(talk.heard for talk in talks) else "none",
        "text stream": "its own" if any(talk.own for talk in talks) else "none",
    }
    return Result(BENCHMARK, scores, figures, [talk.sample() for talk in talks], ears)


def _figures(talks: Sequence[_Talk], task: str, seed: int) -> dict[str, Figure]:
    def counted(of: Callable[[Held], bool], tts: bool = False) -> Figure:
        rows = [talk.tts_turns if tts else talk.turns for talk in talks]
        return pooled([(sum(map(of, row)), len(row)) for row in rows if row], share, seed=seed)

    def errors(of: Callable[[_Talk], Errors | None]) -> Figure:
        return pooled([of(talk) for talk in talks], share, better="lower", seed=seed)

    latencies = [turn.latency for talk in talks for turn in talk.turns if turn.latency is not None]
    both = [(*talk.own, *talk.tts) if talk.own and talk.tts else None for talk in talks]
    out = {
        "silent": pooled([talk.seconds for talk in talks], share, seed=seed),
        "silent_turns": counted(lambda turn: turn.silent),
        "answered": counted(lambda turn: turn.latency is not None),
        "speaks": counted(lambda turn: turn.spoke),
        "held_turns": counted(lambda turn: turn.whole),
        "latency_s": figure(latencies, "s", "lower", seed),
        "median_latency_s": Figure(float(np.median(latencies)) if latencies else None, None, None, len(latencies), "s",
                                   "lower"),
        "heard_wer": errors(lambda talk: talk.heard),
        "own_wer": errors(lambda talk: talk.own),
        "tts_wer": errors(lambda talk: talk.tts),
        "beyond_tts": pooled(both, lambda sums: share(sums[..., :2]) - share(sums[..., 2:]), better="lower", seed=seed),
        "relative_accuracy": pooled(both, lambda sums: (1 - share(sums[..., :2])) / (1 - share(sums[..., 2:])),
                                    seed=seed),
        "facts_written": pooled([talk.written for talk in talks], share, seed=seed),
        "facts_said": pooled([talk.said for talk in talks], share, seed=seed),
        "tts_facts_said": pooled([talk.tts_said for talk in talks], share, seed=seed),
        "tts_silent_turns": counted(lambda turn: turn.silent, tts=True),
        "tts_answered": counted(lambda turn: turn.latency is not None, tts=True),
    }  # fmt: skip
    if task == LONG:
        out["facts"] = pooled([_sum(talk.facts) for talk in talks if talk.facts], share, seed=seed)
        out["facts_at_the_end"] = pooled([_sum(talk.facts[-LAST:]) for talk in talks if talk.facts], share, seed=seed)
        out["tts_facts"] = pooled([_sum(talk.tts_facts) for talk in talks if talk.tts_facts], share, seed=seed)
    return out


def _by_turn(talks: Sequence[_Talk], seed: int) -> list[Figure]:
    """Of the first, second, … turns the share held, as far as any talk goes."""
    longest = max(len(talk.turns) for talk in talks)
    return [
        figure([float(talk.turns[at].whole) for talk in talks if at < len(talk.turns)], seed=seed)
        for at in range(longest)
    ]


def _measure(case: Case, folder: Path, ear: Ear, judge: Judge) -> _Talk:
    talk = _Talk(case)
    if not folder.is_dir():
        talk.problems.append("There is no output: the case's folder is missing.")
    elif error := answer_error(folder):
        talk.problems.append(error)
    else:
        try:
            _listen(talk, folder, ear, judge)
        except UserError as error:
            talk.problems.append(str(error))
    return talk


def _listen(talk: _Talk, folder: Path, ear: Ear, judge: Judge) -> None:
    truth = talk.case.truth
    agent = read_audio(folder / OUTPUT_WAV)
    talk.speech = speech_segments(agent)
    turns = [(float(turn["start"]), float(turn["end"])) for turn in truth["turns"]]
    theirs = [*turns, *((start, end) for start, end in truth["asides"])]
    total = sum(end - start for start, end in theirs)
    talk.seconds = (total - overlap(theirs, talk.speech), total)
    talk.turns = held(turns, talk.speech)
    for (start, end), turn in zip(turns, talk.turns, strict=True):
        talk.events.append(Event("turn held" if turn.whole else "turn", start, end))
    own = _own(folder)
    tts = talk.case.source.with_name(TTS_WAV)
    spoken = bool(truth["agent_words"]) and tts.is_file()
    if spoken:
        talk.tts_turns = held(turns, speech_segments(read_audio(tts)))
    talk.words = words_in(transcript(folder, ear)) if talk.speech else []
    heard = " ".join(text for text, _, _ in talk.words)
    talk.notes["said"] = heard or "nothing"
    if own is not None:
        talk.written = _found(talk.case, own_words(folder))
    if not isinstance(ear, OwnText):  # which would be compared with itself
        talk.said = _found(talk.case, talk.words)
        if own is not None:
            talk.own = word_errors(own["text"], heard)
        if spoken:
            meant = " ".join(word[0] for word in truth["agent_words"])
            there = side_transcript(tts.stem, [folder, tts.parent], ear)
            theirs_heard = words_in(there) if there else []
            talk.tts = word_errors(meant, there["text"] if there else "")
            talk.tts_said = _found(talk.case, theirs_heard)
            talk.tts_facts = [verdict[:2] for verdict in _facts(talk.case, turns, theirs_heard, judge)]
    _heard(talk, own)
    for right, asked, at, told in _facts(talk.case, turns, talk.words, judge):
        talk.facts.append((right, asked))
        talk.notes[f"turn {at + 1}"] = told


def _own(folder: Path) -> dict[str, Any] | None:
    """The system's own text stream; None where it has none."""
    path = folder / TOKENS_JSON
    if not path.is_file():
        return None
    try:
        own = json.loads(path.read_text(encoding="utf-8"))
        heard = own.get("heard")
        if isinstance(own["text"], str) and (heard is None or isinstance(heard["text"], str)):
            return dict(own)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged: it needs a text, and heard, where it is there, one too.") from error
    raise UserError(f"{path} is damaged: its texts are none.")


def _heard(talk: _Talk, own: dict[str, Any] | None) -> None:
    truth = talk.case.truth
    said = truth.get("said") or " ".join(word[0] for word in truth["user_words"])
    if own is None or own.get("heard") is None:
        talk.notes["heard of the user"] = "no stream for it"
        return
    talk.notes["heard of the user"] = own["heard"]["text"] or "nothing"
    if said:
        talk.heard = word_errors(said, own["heard"]["text"])
        talk.notes["the user said"] = said
    else:
        talk.notes["the user said"] = "not known, so there is no word error rate"


def _found(case: Case, words: Sequence[Heard]) -> Facts | None:
    """How many of the facts that the turns ask for are told, from a turn's end to the next one's; None without any."""
    found = asked = 0
    turns = case.truth["turns"]
    for at, turn in enumerate(turns):
        until = turns[at + 1]["end"] if at + 1 < len(turns) else float("inf")
        told = " ".join(text for text, start, _ in words if turn["end"] - EARLY <= start < until)
        facts = turn.get("facts", ())
        found, asked = found + sum(tells(told, fact) for fact in facts), asked + len(facts)
    return (found, asked) if asked else None


def _facts(
    case: Case, turns: Sequence[Span], words: Sequence[Heard], judge: Judge
) -> list[tuple[float, float, int, str]]:
    """The first reply to each question whose right answer is known: whether right, 1, the turn, and why."""
    out = []
    for at, turn in enumerate(case.truth["turns"]):
        if "question" in turn:
            until = turns[at + 1][0] if at + 1 < len(turns) else float("inf")
            reply = first_reply([word for word in words if word[1] < until], turns[at][1])
            said = " ".join(text for text, _, _ in reply)
            verdict = judge.service(turn["question"], said, case.role)
            told = f"{turn['question']['text']} {said or 'no reply'}: {verdict.why}"
            out.append((float(verdict.adherent), 1.0, at, told))
    return out


def _sum(rows: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(row[0] for row in rows), sum(row[1] for row in rows)


def _rate(parts: tuple[float, float] | None) -> float | None:
    return parts[0] / parts[1] if parts and parts[1] else None
