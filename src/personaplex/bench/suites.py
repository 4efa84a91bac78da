"""The benchmarks as suites: data folders, ears and judges put together. Knows what belongs to what, and no figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from personaplex.bench import duplex, service, talk, voice
from personaplex.bench.ears import Ear, Recogniser, make_ear
from personaplex.bench.judges import Judge
from personaplex.bench.mini import MiniSet
from personaplex.bench.mini.archive import packed_bytes
from personaplex.bench.mini.build import SENTENCES
from personaplex.bench.records import Case, Result, System
from personaplex.bench.run import Outputs, Suite
from personaplex.errors import UserError
from personaplex.speech.asr import Pocketsphinx
from personaplex.speech.similarity import make_encoder
from personaplex.synth.scenarios import draw_script

DOMAIN_EAR = "pocketsphinx-domain"
GRAMMAR_EAR = "pocketsphinx-grammar"
_SCRIPTS = 3000  # drawn for the latter


@dataclass(frozen=True)
class Measure:
    """With what is measured.

    Attributes:
        ear: hears the systems.
        judge: judges what they said.
        encoder: tells voices apart, by its name.
        seed: of the intervals.
        chosen: whether that ear was asked for: it then hears all, also what brings sentences for an ear of its own.
    """

    ear: Ear
    judge: Judge
    encoder: str = "resemblyzer"
    seed: int = 0
    chosen: bool = False


def listen(name: str) -> Ear:
    """An ear by its name.

    Beside those of `ears.make_ear` there are `pocketsphinx-domain`, restricted to `domain_sentences`, and
    `pocketsphinx-grammar`, restricted to what agents say in scripts that `synth` draws for training now.

    Raises:
        UserError: when there is none of that name, or what it needs is not installed.
    """
    if name == GRAMMAR_EAR:
        return grammar_ear(grammar_sentences())
    return make_ear("pocketsphinx", domain_sentences()) if name == DOMAIN_EAR else make_ear(name)


def grammar_ear(sentences: Sequence[str]) -> Ear:
    """The ear of `grammar_sentences`, which does not know the test split's names."""
    told = f"pocketsphinx, bigram model of what agents say in training ({len(sentences)} lines)"
    return Recogniser(told, Pocketsphinx(sentences), True)


def grammar_sentences() -> list[str]:
    """What agents say in scripts of the training split, as often as they say it."""
    rng = np.random.default_rng(77)
    return [line.text for _ in range(_SCRIPTS) for line in draw_script(rng, "train").lines if line.who == "agent"]


def domain_sentences() -> list[str]:
    """What is said in our own sets, and by models trained on our dialogues, as packed with the mini set.

    Raises:
        UserError: when the package is damaged.
    """
    return packed_bytes(SENTENCES).decode().splitlines()


def duplex_suite(data: Path, measure: Measure, ground_truth: Path | None = None, sound: bool = True) -> Suite:
    """Full-Duplex-Bench.

    Args:
        data: holds the task folders.
        measure: with what is measured.
        ground_truth: of the backchannels.
        sound: whether the recordings are needed.

    Raises:
        UserError: when there is no task folder.
    """
    cases, problems = duplex.read_cases(data, sound)

    def score(system: System, outputs: Outputs) -> Result:
        return duplex.score(cases, outputs, measure.ear, measure.judge, ground_truth, measure.seed)

    return Suite("duplex", cases, score, problems)


def service_suite(data: Path, measure: Measure) -> Suite:
    """The service questions of a folder in the runner's format.

    Raises:
        UserError: when there is no case in it.
    """
    cases = service.read_cases(data)

    def score(system: System, outputs: Outputs) -> Result:
        return service.score(cases, outputs, measure.ear, measure.judge, measure.seed)

    return Suite("service", cases, score)


def voice_suite(data: Path, measure: Measure) -> Suite:
    """Voices to be cloned, from a folder.

    Raises:
        UserError: when there is no case in it, or the speaker encoder is not installed.
    """
    cases, encoder = voice.read_cases(data), make_encoder(measure.encoder)

    def score(system: System, outputs: Outputs) -> Result:
        copy = getattr(system, "copy", None)  # its codec, where it has one
        return voice.score(cases, outputs, encoder, copy, measure.seed, voice.read_others(data))

    return Suite(voice.BENCHMARK, cases, score)


def talk_suite(data: Path, measure: Measure, recordings: Sequence[Case] = ()) -> Suite:
    """The talks of a folder, where there is one, and recordings beside them.

    A folder that brings `talk.SENTENCES` is heard by a recogniser restricted to them unless another ear was chosen:
    sets that are packed stay the same while the grammar of `synth` grows.

    Raises:
        UserError: when there is no talk in the folder.
    """
    cases = [*(talk.read_cases(data) if data.is_dir() or not recordings else []), *recordings]
    sentences = data / talk.SENTENCES
    own = sentences.is_file() and not measure.chosen
    ear = grammar_ear(sentences.read_text(encoding="utf-8").splitlines()) if own else measure.ear

    def score(system: System, outputs: Outputs) -> Result:
        return talk.score(cases, outputs, ear, measure.judge, measure.seed)

    return Suite(talk.BENCHMARK, cases, score)


def all_suites(data: Path, measure: Measure, ground_truth: Path | None = None, sound: bool = True) -> list[Suite]:
    """Every benchmark that a data folder has a part for: `duplex`, `service`, `voice`, `talk`.

    Raises:
        UserError: when it has none of them.
    """
    parts = MiniSet(data)
    truth = ground_truth or (parts.ground_truth if parts.ground_truth.is_file() else None)
    makers: list[tuple[Path, Callable[[Path], Suite]]] = [
        (parts.duplex, lambda folder: duplex_suite(folder, measure, truth, sound)),
        (parts.service, lambda folder: service_suite(folder, measure)),
        (parts.voice, lambda folder: voice_suite(folder, measure)),
        (parts.talk, lambda folder: talk_suite(folder, measure)),
    ]
    suites = [make(folder) for folder, make in makers if folder.is_dir()]
    if not suites:
        raise UserError(
            f"{data} has none of the folders duplex, service, voice and talk; --mini brings a set of its own."
        )
    return suites
