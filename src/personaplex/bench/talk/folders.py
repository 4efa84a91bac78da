"""Talks as folders: `{task}/{N}/input.wav`, `tts.wav` and `talk.json`; and where they come from.

`talk.json`: `role`, `voice`, `turns` (`start`, `end`, `text`, where its answer is judged `question`, and where the role
tells what it has to hold `facts`, a list of phrases), `asides`
(`[start, end]`, what the user says to somebody else), `user_words` and `agent_words` (`[text, start, end]`). `tts.wav`
is what the synthesiser says in the agent's place. Times are seconds. Knows nothing of scores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from personaplex.audio import read_audio, write_wav
from personaplex.bench.records import Case, write_json
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.speech.vad import speech_segments
from personaplex.synth.files import AGENT, MANIFEST, USER

BENCHMARK = "talk"
DIALOGUE, LONG, RECORDING = TASKS = ("dialogue", "long", "recording")
TALK_JSON, TTS_WAV = "talk.json", "tts.wav"
SENTENCES = "sentences.txt"  # optional, in the folder of all: what an ear is to know, one a line
_TURN_GAP = 1.0  # s of silence that ends a turn of a recording
_VARIED_DB = (-9.0, 3.0)  # by which a recording's copies are louder


def from_corpus(corpus: Path, folder: Path, count: int | None = None) -> list[Path]:
    """Take the dialogues of a corpus of `personaplex synth`, or its first `count`, into `folder/dialogue/{name}`.

    What is there already is kept, where it is of the same dialogue.

    Raises:
        UserError: when there is no corpus, a file of it is missing or damaged, or nobody speaks in any of them.
    """
    try:
        lines = (corpus / MANIFEST).read_text(encoding="utf-8").splitlines()[:count]
        paths = [corpus / json.loads(line)["path"] for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{corpus} is no corpus: {MANIFEST} is missing or damaged; personaplex synth --split test makes one."
        ) from error
    made = []
    for path in paths:
        told = _read(path.with_suffix(".json"))
        talk = _talk(path, told)
        at = folder / DIALOGUE / path.stem
        if not (at / TALK_JSON).is_file() or _read(at / TALK_JSON) != talk:
            user, agent = _channels(path)
            write_wav(at / "input.wav", user)
            write_wav(at / TTS_WAV, agent)
            write_json(at / TALK_JSON, talk)
        made.append(at)
    if not any(_read(at / TALK_JSON)["turns"] for at in made):
        raise UserError(f"No user speaks in the dialogues of {corpus}.")
    return made


def _talk(path: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of a dialogue of a corpus; backchannels are no turns."""
    try:
        user: list[Mapping[str, Any]] = []
        turns: list[dict[str, Any]] = []
        for turn in told["turns"]:
            if turn["who"] != "user":
                if turns and turn["fact"]:
                    turns[-1].setdefault("facts", []).extend(turn["fact"].split("|"))
            elif turn["kind"] != "backchannel":
                user.append(turn)
                if turn["kind"] != "aside":
                    turns.append({name: turn[name] for name in ("start", "end", "text")})
        words = {
            who: [[text, *span] for text, span, speaker in told["alignments"] if speaker == who]
            for who in (USER, AGENT)
        }
        return {
            "role": told["role"],
            "voice": told["voice"],
            "speaker": told["user_voice"],
            "origin": told["seed"],
            "turns": turns,
            "asides": [[turn["start"], turn["end"]] for turn in user if turn["kind"] == "aside"],
            "user_words": words[USER],
            "agent_words": words[AGENT],
        }
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path.with_suffix('.json')} is not as personaplex synth writes it.") from error


def _channels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The user's and the agent's sound, float32 `[n]` at 24 kHz each."""
    try:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise UserError(f"{path} is missing or damaged.") from error
    if sound.shape[1] != 2 or rate != SAMPLE_RATE:
        raise UserError(f"{path} has {sound.shape[1]} channels at {rate} Hz, not two at {SAMPLE_RATE}.")
    return sound[:, 1], sound[:, 0]


def read_cases(data: Path) -> list[Case]:
    """The talks of a folder.

    Raises:
        UserError: when there is none, or one is damaged.
    """
    found = [path for task in (DIALOGUE, LONG) for path in sorted((data / task).glob(f"*/{TALK_JSON}"))]
    if not found:
        raise UserError(
            f"{data} holds no talk: {DIALOGUE}/{{N}}/{TALK_JSON} and {LONG}/{{N}}/{TALK_JSON} are looked for."
        )
    return [_case(path.parent) for path in found]


def _case(at: Path) -> Case:
    told = _read(at / TALK_JSON)
    names = ("role", "voice", "turns", "asides", "user_words", "agent_words")
    if not isinstance(told, dict) or not all(name in told for name in names):
        raise UserError(f"{at / TALK_JSON} is damaged: it needs {', '.join(names)}.")
    truth = {name: told[name] for name in ("turns", "asides", "user_words", "agent_words")}
    return Case(BENCHMARK, at.parent.name, at.name, at / "input.wav", told["role"], told["voice"], truth)


def recordings(path: Path, folder: Path, times: int = 1, role: str = "", voice: str | None = None) -> list[Case]:
    """A recorded user as cases: turns are what a second of silence divides, words stand in `{name}.txt` beside it.

    Of several, the first is the recording itself. The others are copies that begin a part of a frame later and are
    somewhat louder or quieter: a system that gets the very same sound hears it the very same way under every seed.

    Args:
        path: the recording.
        folder: where copies are written.
        times: how many cases; systems answer each with a seed of its own.
        role: of the agent.
        voice: of the agent; None for the system's own.

    Raises:
        UserError: when it cannot be read.
    """
    pcm, words = read_audio(path), path.with_suffix(".txt")
    said = words.read_text(encoding="utf-8").strip() if words.is_file() else None
    cases = []
    for time in range(1, times + 1):
        name, source, sound = path.stem, path, pcm
        if time > 1:
            name = f"{path.stem}-{time}"
            source, sound = folder / f"{name}.wav", _varied(pcm, time)
            write_wav(source, sound)
        turns = [{"start": start, "end": end, "text": ""} for start, end in _turns(sound)]
        truth = {"turns": turns, "asides": [], "user_words": [], "agent_words": [], "said": said}
        cases.append(Case(BENCHMARK, RECORDING, name, source, role, voice, truth))
    return cases


def _varied(pcm: np.ndarray, time: int) -> np.ndarray:
    rng = np.random.default_rng(time)
    late, gain = int(rng.integers(1, FRAME_SAMPLES)), 10 ** (rng.uniform(*_VARIED_DB) / 20)
    louder = pcm * min(gain, 0.99 / max(float(np.abs(pcm).max()), 1e-6))
    return np.concatenate([np.zeros(late, pcm.dtype), louder])[: len(pcm)]


def _turns(pcm: np.ndarray) -> Sequence[tuple[float, float]]:
    return speech_segments(pcm, min_silence=_TURN_GAP)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} is missing or cannot be read.") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged: it is no JSON.") from error
