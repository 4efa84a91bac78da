"""A corpus on disk, in moshi-finetune's layout: stereo FLAC (left agent, right user), a JSON beside each, an index.

The same seed and index give the same files, whatever the number of workers; what is already there is not made again.
Knows files and processes; conversations come from `dialogue`.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import threading
from collections import Counter, deque
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyloudnorm
import soundfile
from tqdm import tqdm

from personaplex.frames import SAMPLE_RATE
from personaplex.speech import festival
from personaplex.speech.engines import Voices
from personaplex.speech.speakers import AGENTS, random_user
from personaplex.speech.tts import Speaker, SpeechError, words_of
from personaplex.synth.background import background
from personaplex.synth.channel import user_microphone
from personaplex.synth.dialogue import perform
from personaplex.synth.scenarios import draw_script
from personaplex.synth.words import pick

AGENT_LUFS = -24.0
VOICE_PROMPTS = 20  # files per agent
VOICE_SECONDS = (4.0, 5.0)
_ATTEMPTS = 4  # at a script that every engine reads word for word
_LABELS = {"agent": "SPEAKER_MAIN", "user": "SPEAKER_USER"}
_CALIBRATION = (
    "The small boat sailed slowly past the old stone bridge.",
    "Every morning she walks to the market and buys fresh bread.",
    "Please leave your wet shoes by the door before you come in.",
)
# What voice samples say: nothing that a conversation of the corpus says.
_VOICE_TEXTS = (
    *_CALIBRATION,
    "A cold wind came down from the hills and shook the trees.",
    "My uncle keeps nine brown hens behind the barn.",
    "They painted the fence twice, but the wood still looks gray.",
    "The clock above the door strikes every quarter hour.",
    "Nobody noticed that the map had been hanging upside down.",
    "She folded the letter and put it back in the box.",
    "In the evening the whole village smells of smoke and pine.",
    "The train was late, so we shared a bag of nuts.",
    "Two grey horses stood quietly under the chestnut tree.",
    "He wrote the number on his hand with a blue pen.",
    "The soup needs a pinch of salt and a little more pepper.",
    "From the roof you can see three bridges and the harbor.",
    "Her brother fixed the radio with a spoon and some tape.",
    "We slept in a tent beside a noisy little stream.",
    "The judge read the paper slowly and closed the folder.",
    "Half of the class had forgotten to bring their books.",
    "A yellow bus stopped and let the ducks cross the road.",
    "The old actor bowed, smiled, and left the stage.",
    "Snow covered the tracks before the hunters came back.",
    "You could hear the choir from the other side of the square.",
    "The baker wakes at three and whistles while he works.",
    "Our neighbor collects stamps, coins, and broken umbrellas.",
    "The doctor listened, nodded, and wrote a short note.",
    "That jacket has more pockets than I have keys.",
    "We watched the fog roll over the quiet fields.",
    "The carpenter measured the shelf and cut it too short.",
)


@dataclass(frozen=True)
class Plan:
    """What to generate: where, from which seed, for `train` or `test`."""

    folder: Path
    seed: int
    split: str


@functools.cache
def _voices() -> Voices:
    return Voices()  # one per process: an engine's library keeps global state


@functools.cache
def agent_gain(agent: Speaker) -> float:
    """The factor that brings an agent's speech to `AGENT_LUFS`."""
    speech = np.concatenate([_voices().say(text, agent).pcm for text in _CALIBRATION])
    loudness = pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(speech.astype(np.float64))
    return float(min(10 ** ((AGENT_LUFS - loudness) / 20), 0.98 / np.abs(speech).max()))


def voice_name(agent: str, number: int) -> str:
    """The path, inside the corpus, of an agent's voice sample."""
    return f"voices/{agent}_{number}.flac"


def write_voice(folder: Path, agent_id: str, number: int) -> None:
    """Write one voice sample of `VOICE_SECONDS`, unless it is there."""
    path = folder / voice_name(agent_id, number)
    if path.exists():
        return
    rng = np.random.default_rng([sum(agent_id.encode()), number])
    agent = AGENTS[agent_id]
    speech = np.zeros(0, np.float32)
    for at in rng.permutation(len(_VOICE_TEXTS)):
        utterance = _voices().say(_VOICE_TEXTS[at], agent)
        room = VOICE_SECONDS[1] - len(speech) / SAMPLE_RATE
        ends = [word.end for word in utterance.words if word.end <= room]
        if ends:
            part = utterance.pcm[: int(ends[-1] * SAMPLE_RATE)]
            speech = np.concatenate([speech, part, np.zeros(int(0.15 * SAMPLE_RATE), np.float32)])
        if len(speech) / SAMPLE_RATE >= VOICE_SECONDS[0]:
            break
    _write_audio(path, speech * agent_gain(agent))


def write_dialogue(plan: Plan, index: int) -> float:
    """Write dialogue `index` (FLAC, then JSON), unless it is there; returns its seconds."""
    name = f"audio/{index:06d}"
    marks = plan.folder / f"{name}.json"
    if marks.exists():
        return float(json.loads(marks.read_text())["duration"])
    for attempt in range(_ATTEMPTS):
        seed = [plan.seed, index, plan.split == "test", *[attempt] * (attempt > 0)]
        rng = np.random.default_rng(seed)
        agent = AGENTS[pick(rng, list(AGENTS))]
        user = random_user(rng, plan.split, festival.installed())
        script = draw_script(rng, plan.split)
        voice = voice_name(agent.id, int(rng.integers(VOICE_PROMPTS)))
        try:
            dialogue = perform(script, _voices(), agent, user, agent_gain(agent), rng)
            break
        except SpeechError as error:  # an engine read a name in its own way; another script, then
            if attempt == _ATTEMPTS - 1:
                raise SpeechError(f"Dialogue {index} of seed {plan.seed}: {error}") from error
    others = background(_voices(), len(dialogue.user), rng)
    microphone = user_microphone(dialogue.user, dialogue.agent, rng, others)
    _write_audio(plan.folder / f"{name}.flac", np.stack([dialogue.agent, microphone], axis=1))
    record = {
        "alignments": [[w, [round(a, 3), round(b, 3)], _LABELS[who]] for w, a, b, who in dialogue.words],
        "role": script.role,
        "voice": agent.id,
        "voice_prompt": voice,
        "user_voice": user.id,
        "phones": {
            who: [[p, round(a, 3), round(b, 3)] for p, a, b, owner in dialogue.phones if owner == who]
            for who in ("agent", "user")
        },
        "turns": [turn.as_dict() for turn in dialogue.turns],
        "scenario": script.scenario,
        "agent_first": script.agent_first,
        "split": plan.split,
        "seed": [plan.seed, index],
        "duration": dialogue.seconds,
    }
    _write_text(marks, json.dumps(record))
    return dialogue.seconds


def _write_audio(path: Path, sound: np.ndarray) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    soundfile.write(partial, sound, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    partial.replace(path)


def _write_text(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text)
    partial.replace(path)


def generate(
    plan: Plan, hours: float = 0.0, count: int = 0, workers: int = 1, progress: bool = True
) -> dict[str, object]:
    """Write a corpus of at least `hours`, or of exactly `count` dialogues, and return its statistics.

    SpeechError if a speech engine is absent. Stopped and called again with the same plan, it goes on where it was.
    """
    for sub in ("audio", "voices"):
        (plan.folder / sub).mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_die_with_parent)
    try:
        jobs = [pool.submit(write_voice, plan.folder, agent, n) for agent in AGENTS for n in range(VOICE_PROMPTS)]
        for job in tqdm(jobs, desc="voices", unit="file", disable=not progress):
            job.result()
        made = _write_dialogues(pool, plan, hours * 3600, count, workers, progress)
    finally:
        pool.shutdown(cancel_futures=True)
    return _summarise(plan, made)


def _die_with_parent() -> None:
    """Watch, in a worker, for the end of the process that started it: killed, it would leave idle workers behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def _write_dialogues(
    pool: ProcessPoolExecutor, plan: Plan, seconds: float, count: int, workers: int, progress: bool
) -> int:
    """Keep a few dialogues ahead of the one being waited for, in order, so that the cut does not depend on speed."""
    waiting: deque[Future[float]] = deque()
    submitted = done = 0
    total = 0.0
    bar = tqdm(
        total=count or round(seconds / 3600, 2), desc="dialogues", unit="" if count else "h", disable=not progress
    )
    with open(plan.folder / "data.jsonl", "w") as index:
        while (done < count) if count else (total < seconds):
            while len(waiting) < 8 * workers and (not count or submitted < count):
                submitted += 1
                waiting.append(pool.submit(write_dialogue, plan, submitted))
            length = waiting.popleft().result()
            done += 1
            total += length
            index.write(json.dumps({"path": f"audio/{done:06d}.flac", "duration": length}) + "\n")
            if done % 50 == 0:
                index.flush()
            bar.update(1 if count else length / 3600)
    bar.close()
    for job in waiting:
        job.cancel()
    return done


def _summarise(plan: Plan, count: int) -> dict[str, object]:
    """Write `text.txt` and `stats.json`."""
    texts: dict[str, None] = {}
    vocabulary: dict[str, Counter[str]] = {"agent": Counter(), "user": Counter()}
    scenarios: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    voices: Counter[str] = Counter()
    seconds = 0.0
    for index in range(1, count + 1):
        record = json.loads((plan.folder / f"audio/{index:06d}.json").read_text())
        seconds += record["duration"]
        scenarios[record["scenario"]] += 1
        voices[record["voice"]] += 1
        texts[record["role"]] = texts[record["role"].lower()] = None
        for turn in record["turns"]:
            kinds[f"{turn['who']} {turn['kind']}"] += 1
            words = words_of(turn["text"])
            vocabulary[turn["who"]].update(words)
            if turn["who"] == "agent":
                texts[turn["text"]] = texts[" ".join(words)] = None
    _write_text(plan.folder / "text.txt", "\n".join(texts) + "\n")
    stats = {
        "hours": round(seconds / 3600, 3),
        "dialogues": count,
        "split": plan.split,
        "seed": plan.seed,
        "scenarios": dict(scenarios.most_common()),
        "turns": dict(kinds.most_common()),
        "agent_vocabulary": len(vocabulary["agent"]),
        "user_vocabulary": len(vocabulary["user"]),
        "agent_words": sum(vocabulary["agent"].values()),
        "user_words": sum(vocabulary["user"].values()),
        "voices": dict(sorted(voices.items())),
    }
    _write_text(plan.folder / "stats.json", json.dumps(stats, indent=1) + "\n")
    return stats
