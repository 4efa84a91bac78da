"""All samples of Full-Duplex-Bench to its table: means, their intervals, and the published shape of the JSON.

Knows which metric is better high or low. Does not know how a metric comes about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from personaplex.bench.duplex.folders import (
    BACKCHANNEL,
    BENCHMARK,
    INTERRUPTION,
    OVERLAPS,
    PAUSES,
    TASKS,
    TURN,
    clean_case,
    is_clean,
    read_distribution,
)
from personaplex.bench.duplex.listening import Draft, answer_error
from personaplex.bench.duplex.v1 import Distribution, score_v1
from personaplex.bench.duplex.v15 import WANTED, score_overlap
from personaplex.bench.ears import Ear
from personaplex.bench.records import Case, Figure, Result, Sample
from personaplex.bench.statistics import figure
from personaplex.bench.verdicts import BEHAVIOURS, Judge
from personaplex.speech.vad import vad_name

_TIME, _SHARE = ("s", "lower"), ("", "higher")
_LISTENING = {"tor": ("", "lower"), "frequency_hz": ("/s", "higher"), "jsd": ("", "lower")}
_CORRECTED = "corrected_"
_OURS = ("answered", "stops_within_s")  # figures beyond the published ones, one level down in the JSON
METRICS: dict[str, dict[str, tuple[str, str]]] = {  # task → metric → unit, better
    **{task: {"tor": ("", "lower")} for task in PAUSES},
    TURN: {"tor": _SHARE, "latency_s": _TIME},
    BACKCHANNEL: _LISTENING | {_CORRECTED + name: value for name, value in _LISTENING.items()},
    INTERRUPTION: {
        "tor": _SHARE,
        "latency_s": _TIME,
        "score": ("of 5", "higher"),
        "answered": _SHARE,
        "stops_within_s": _TIME,
    },
    **{
        task: {"stop_latency_s": _TIME, "response_latency_s": _TIME, "as_wanted": _SHARE}
        | {label: ("", "higher" if label == WANTED[task] else "lower") for label in BEHAVIOURS}
        for task in OVERLAPS
    },
}


def score(
    cases: Sequence[Case],
    outputs: Callable[[Case], Path],
    ear: Ear,
    judge: Judge,
    ground_truth: Path | None = None,
    seed: int = 0,
    progress: Callable[[Sample], None] | None = None,
) -> Result:
    """Score what a system answered to the cases of `read_cases`.

    A sample with a fault names it; one that cannot be measured has no metrics and is in no mean.

    Args:
        cases: v1 and v1.5 in any order; each `clean_case` is used for its other half and gives no sample.
        outputs: a case's folder, with `output.wav` or `output.json` (which is taken as the transcript).
        ear: transcribes where there is no `output.json`, and writes one.
        judge: of answers to interruptions and of v1.5's behaviour.
        ground_truth: the backchannel distributions; without them there is no JSD.
        seed: of the intervals.
        progress: called with each sample.

    Raises:
        UserError: when the ground truth is no distribution, or silero-vad is not installed.
    """
    truth = None if ground_truth is None else read_distribution(ground_truth)
    vad = vad_name()
    samples: dict[str, list[Sample]] = {}
    heard_by: set[str] = set()
    for case in cases:
        if not is_clean(case):
            draft = _draft(case, outputs, ear, judge, truth)
            heard_by |= {draft.heard_by} if draft.heard_by else set()
            samples.setdefault(case.task, []).append(draft.sample())
            if progress is not None:
                progress(samples[case.task][-1])
    figures = {task: _figures(task, samples[task], seed) for task in TASKS if task in samples}
    ears = {"asr": ", ".join(sorted(heard_by)) or ear.name, "vad": vad, "judge": judge.name}
    if BACKCHANNEL in samples:
        ears["backchannel ground truth"] = ground_truth.name if ground_truth else "none given, so there is no JSD"
    scores = {task: _scores(task, row) for task, row in figures.items()}
    return Result(BENCHMARK, scores, figures, [sample for row in samples.values() for sample in row], ears)


def _draft(case: Case, outputs: Callable[[Case], Path], ear: Ear, judge: Judge, truth: Distribution | None) -> Draft:
    draft = Draft(case, outputs(case))
    if not draft.folder.is_dir():
        draft.problems.append("There is no output: the case's folder is missing.")
    elif error := answer_error(draft.folder):
        draft.problems.append(error)
    elif case.task in OVERLAPS:
        score_overlap(draft, ear, judge, outputs(clean_case(case)))
    else:
        score_v1(draft, ear, judge, truth)
    return draft


def _figures(task: str, samples: Sequence[Sample], seed: int) -> dict[str, Figure]:
    return {
        name: figure([sample.metrics.get(name) for sample in samples], unit, better, seed)
        for name, (unit, better) in METRICS[task].items()
    }


def _scores(task: str, figures: dict[str, Figure]) -> dict[str, Any]:
    """The means of one task in the published shape: what is corrected or ours, and the labels, one level down."""
    values = {name: item.value for name, item in figures.items() if name not in _OURS}
    if task == BACKCHANNEL:
        return {name: values[name] for name in _LISTENING} | {
            "corrected": {name: values[_CORRECTED + name] for name in _LISTENING}
        }
    if task == INTERRUPTION:
        return values | {"ours": {name: figures[name].value for name in _OURS}}
    if task in OVERLAPS:
        behaviour = {label: values.pop(label) for label in BEHAVIOURS}
        return values | {"behaviour": behaviour}
    return values
