"""A corpus on disk, in moshi-finetune's layout: stereo FLAC (left agent, right user), a JSON beside each, an index.

The same seed, index, engines and writer give the same files, whatever the number of workers; what is already there is
not made again. Knows which conversation is played by whom; `dialogue` plays it and `summary` sums up.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from personaplex.speech import engines
from personaplex.speech.engines import Voices
from personaplex.speech.speakers import AGENTS, random_agent, random_user
from personaplex.speech.tts import MissingEngine, Speaker, SpeechError
from personaplex.synth.background import background
from personaplex.synth.channel import Conditions, user_microphone
from personaplex.synth.dialogue import Dialogue, perform
from personaplex.synth.files import AGENT, MANIFEST, USER, begin, entry, read_json, write_audio, write_text
from personaplex.synth.samples import VOICE_PROMPTS, agent_gain, process_voices, voice_name, write_voice
from personaplex.synth.scenarios import USUAL, draw_script
from personaplex.synth.summary import summarise
from personaplex.synth.words import pick
from personaplex.synth.workers import Pool, workers
from personaplex.synth.writer import Model, Writer, Written

_ATTEMPTS = 4  # at a script that every engine reads word for word


@dataclass(frozen=True)
class Plan:
    """What to generate.

    Attributes:
        folder: where.
        seed: all chance comes from it and from a dialogue's index.
        split: `train` or `test`.
        others: voices of further engines that users of `train` may have; by default those that are installed.
        model: which language model writes the words; None for the grammar alone.
        mix: share of each kind of conversation (`scenarios.KINDS`).
        only: no user of `train` has another voice than those of `others`.
        new_voices: share of the dialogues of `train` whose agent has a voice that is met nowhere else.
    """

    folder: Path
    seed: int
    split: str
    others: tuple[str, ...] = field(default_factory=engines.others)
    model: Model | None = None
    mix: Mapping[str, float] = field(default_factory=lambda: USUAL)
    only: bool = False
    new_voices: float = 0.0

    @property
    def engines(self) -> list[str]:
        """The engines that speak; those that are not everywhere with their voices, of which the test split has none."""
        return ["flite", "espeak", *(self.others if self.split == "train" else ())]

    def as_dict(self) -> dict[str, object]:
        """What the files depend on, for JSON."""
        writer = "grammar" if self.model is None else self.model.title
        mixed = {} if self.mix == USUAL else {"mix": dict(self.mix)}
        users = {"users": "no others"} if self.only else {}
        agents = {"new_voices": self.new_voices} if self.new_voices else {}
        usual = {"seed": self.seed, "split": self.split, "engines": self.engines, "writer": writer}
        return usual | users | mixed | agents


@dataclass(frozen=True)
class _Scene:
    """A conversation as drawn and played, before its channel; `redrawn` counts the drafts that no engine could read."""

    agent: Speaker
    user: Speaker
    written: Written
    voice: str
    dialogue: Dialogue
    redrawn: int


@functools.cache
def _writer(model: Model) -> Writer:
    return Writer(model)


def write_dialogue(plan: Plan, index: int) -> float:
    """Write dialogue `index` (FLAC, then JSON), unless it is there; returns its seconds.

    Raises:
        SpeechError: when an engine is absent, or none of several scripts could be spoken.
        UserError: when the model that is to write it is gone.
    """
    name = f"audio/{index:06d}"
    marks = plan.folder / f"{name}.json"
    if marks.exists():
        return float(read_json(marks)["duration"])
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([plan.seed, index, plan.split == "test", *[attempt] * (attempt > 0)])
        try:
            scene = _play(plan, rng, attempt)
            break
        except MissingEngine:
            raise
        except SpeechError as error:  # an engine read a name in its own way; another script, then
            if attempt == _ATTEMPTS - 1:
                raise SpeechError(f"Dialogue {index} of seed {plan.seed}: {error}") from error
    dialogue = scene.dialogue
    if scene.agent.id not in AGENTS:
        write_voice(plan.folder, scene.agent, 0)
    others = background(process_voices(), len(dialogue.user), rng)
    microphone, conditions = user_microphone(dialogue.user, dialogue.agent, rng, others)
    write_audio(plan.folder / f"{name}.flac", np.stack([dialogue.agent, microphone], axis=1))
    write_text(marks, json.dumps(_record(plan, index, scene, conditions)))
    return dialogue.seconds


def _play(plan: Plan, rng: np.random.Generator, attempt: int) -> _Scene:
    agent, count = AGENTS[pick(rng, list(AGENTS))], VOICE_PROMPTS
    if plan.new_voices and plan.split == "train" and rng.random() < plan.new_voices:
        agent, count = random_agent(rng, plan.others), 1
    user = random_user(rng, plan.split, plan.others, plan.only)
    script = draw_script(rng, plan.split, plan.mix)
    written = Written(script, "grammar") if plan.model is None else _writer(plan.model).write(script)
    voice = voice_name(agent, int(rng.integers(count)))
    dialogue = perform(written.script, process_voices(), agent, user, agent_gain(agent), rng)
    return _Scene(agent, user, written, voice, dialogue, attempt)


def _record(plan: Plan, index: int, scene: _Scene, conditions: Conditions) -> dict[str, object]:
    dialogue, script = scene.dialogue, scene.written.script
    labels = {"agent": AGENT, "user": USER}
    return {
        "alignments": [[w, [round(a, 3), round(b, 3)], labels[who]] for w, a, b, who in dialogue.words],
        "role": script.role,
        "voice": scene.agent.id,
        "voice_prompt": scene.voice,
        "user_voice": scene.user.id,
        "user_engine": scene.user.engine,
        "phones": {
            who: [[p, round(a, 3), round(b, 3)] for p, a, b, owner in dialogue.phones if owner == who]
            for who in ("agent", "user")
        },
        "turns": [turn.as_dict() for turn in dialogue.turns],
        "scenario": script.scenario,
        "agent_first": script.agent_first,
        "writer": scene.written.by,
        "refused": scene.written.refused,
        "redrawn": scene.redrawn,
        "channel": {k: round(v, 1) if isinstance(v, float) else v for k, v in asdict(conditions).items()},
        "split": plan.split,
        "seed": [plan.seed, index],
        "duration": dialogue.seconds,
    }


def generate(plan: Plan, hours: float = 0.0, count: int = 0, jobs: int = 1, progress: bool = True) -> dict[str, object]:
    """Write a corpus of at least `hours`, or of exactly `count` dialogues, and return its statistics.

    Stopped and called again with the same plan, it goes on where it was.

    Args:
        plan: what to write.
        hours: of sound, unless there is a `count`.
        count: of dialogues.
        jobs: processes.
        progress: show it.

    Raises:
        UserError: when a speech engine is absent, the folder holds a corpus of another plan, or the model is gone.
    """
    Voices().require(dict.fromkeys(engine.split()[0] for engine in plan.engines))
    begin(plan.folder, plan.as_dict())
    with workers(jobs) as pool:
        samples = [(agent, number) for agent in AGENTS.values() for number in range(VOICE_PROMPTS)]
        made = pool.in_order(functools.partial(_write_sample, plan.folder), samples)
        for _ in tqdm(made, total=len(samples), desc="voices", unit="file", disable=not progress):
            pass
        names = list(_write_dialogues(pool, plan, hours * 3600, count, progress))
    return summarise(plan.folder, names, plan.as_dict())


def _write_sample(folder: Path, sample: tuple[Speaker, int]) -> None:
    write_voice(folder, *sample)


def _write_dialogues(pool: Pool, plan: Plan, seconds: float, count: int, progress: bool) -> Iterator[str]:
    """Write and index them in order, so that where it ends does not depend on speed; yields their names."""
    total = 0.0
    unit, whole = ("", count) if count else ("h", round(seconds / 3600, 2))
    indices = range(1, count + 1) if count else itertools.count(1)
    with (
        open(plan.folder / MANIFEST, "w", encoding="utf-8") as manifest,
        tqdm(total=whole, desc="dialogues", unit=unit, disable=not progress) as bar,
    ):
        for done, length in enumerate(pool.in_order(functools.partial(write_dialogue, plan), indices), start=1):
            name = f"audio/{done:06d}.flac"
            manifest.write(entry(name, length))
            if done % 50 == 0:
                manifest.flush()
            total += length
            bar.update(1 if count else length / 3600)
            yield name
            if not count and total >= seconds:
                break
