"""Spoken questions as folders, ours and anybody's: `{N}/input.wav` and `{N}/metadata.json`.

The format is that of NVIDIA-NeMo/Skills' runner: `prompt_text`, `question_text`, `question_index`, `speaker_index`.
Ours adds `question` (what a right reply states), `question_end` in seconds and `speaker`. Knows nothing of scores.
"""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from scipy import signal

from personaplex.audio import pad_to_frames, write_wav
from personaplex.bench.records import Case, write_json
from personaplex.bench.service.roles import KINDS, Question, roles
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.speech.engines import Voices
from personaplex.speech.speakers import HELD_OUT, random_user
from personaplex.speech.tts import TTS, Speaker

BENCHMARK = "service"
LEAD = 0.6  # s of quiet before the question
ROOM = 8.0  # s of quiet after it, for the answer
BREATH = 0.3  # s between two sentences
SPEAKERS = 12  # that take turns
LEVEL_DB = -24.0  # dBFS, root mean square of the speech
NOISE_DB = (-68.0, -58.0)  # of the room
_STOP = re.compile(r"(?<=[.?!]) ")


def cases(folder: Path, count: int | None = None, seed: int = 0) -> list[Case]:
    """Speak the questions, by voices that no training set uses, into a good microphone in a quiet room.

    What is there already with the same seed is kept.

    Args:
        folder: `{N}/input.wav` and `{N}/metadata.json` are written there, N = 7 * role + question.
        count: how many, spread evenly over the kinds of questions and over the roles; None for all 350.
        seed: of speakers and microphones.

    Raises:
        UserError: when `count` is out of range, or a speech engine is absent.
    """
    total = len(roles()) * len(KINDS)
    if count is not None and not 1 <= count <= total:
        raise UserError(f"The set has {total} questions, so a part of it has 1 to {total}, not {count}.")
    voices, made = Voices(), []
    for number in _spread(total, count or total):
        at = folder / str(number)
        if not _is_made(at, number, seed):
            _make(at, number, seed, voices)
        made.append(_case(at))
    return made


def read_cases(data: Path) -> list[Case]:
    """The cases of a folder in the runner's format, whoever made it, in numeric order.

    Where `metadata.json` has no `question`, only an endpoint judge can score them. A case of which something is wrong
    has the sentence about it as `truth["problem"]`.

    Raises:
        UserError: when there is no such folder, or no case in it.
    """
    if not data.is_dir():
        raise UserError(f"There is no folder {data}; it should hold {{N}}/input.wav and {{N}}/metadata.json.")
    found = [path for path in data.iterdir() if path.is_dir() and not path.name.startswith(".")]
    found = [path for path in found if (path / "metadata.json").exists() or (path / "input.wav").exists()]
    if not found:
        raise UserError(f"{data} holds no case: {{N}}/input.wav and {{N}}/metadata.json are looked for.")
    return [
        _case(path)
        for path in sorted(found, key=lambda p: (not p.name.isdigit(), int(p.name) if p.name.isdigit() else 0, p.name))
    ]


def _case(at: Path) -> Case:
    """One folder as a case."""
    problem, data = None, {}
    try:
        data = _metadata(at / "metadata.json")
    except UserError as error:
        problem = str(error)
    index = data.get("question_index")
    kind = KINDS[index] if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 7 else ""
    if not problem and not kind:
        problem = f"{at / 'metadata.json'} has no question_index from 0 to 6."
    if not problem and not at.name.isdigit():
        problem = f"{at} has no number for a name."
    if not problem and not (at / "input.wav").exists():
        problem = f"{at / 'input.wav'} is missing."
    question = {"kind": kind, "text": data.get("question_text", "")}
    if isinstance(data.get("question"), dict):
        question |= data["question"]
    truth = {"question": question, "question_end": data.get("question_end"), "speaker_index": data.get("speaker_index")}
    role = data.get("prompt_text", "")
    return Case(
        BENCHMARK,
        kind or "Q?",
        at.name,
        at / "input.wav",
        role,
        None,
        truth | ({"problem": problem} if problem else {}),
    )


def _metadata(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} is missing or can not be read.") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged: it is no JSON.") from error
    texts = ("prompt_text", "question_text")
    if not isinstance(data, dict) or not all(isinstance(data.get(name), str) for name in texts):
        raise UserError(f"{path} needs prompt_text and question_text.")
    end = data.get("question_end")
    if end is not None and (isinstance(end, bool) or not isinstance(end, (int, float)) or not 0 <= end < 1e6):
        raise UserError(f"{path} has a question_end that is no time in seconds.")
    return data


def _spread(total: int, count: int) -> list[int]:
    """`count` of the numbers below `total`, in order: one question of each kind in turn, each from another role."""
    kinds, size = len(KINDS), total // len(KINDS)
    rounds = -(-count // kinds)
    step = max(size // rounds, 1)
    # Within a round the kinds come from neighbouring roles where there is room, so that few roles do not decide.
    order = [
        ((turn * step + (kind % step if step > 1 else 0)) % size) * kinds + kind
        for turn in range(rounds)
        for kind in range(kinds)
    ]
    return sorted(order[:count])


def _speaker(number: int, seed: int) -> tuple[int, Speaker]:
    """One of `SPEAKERS`, whose engine voices take turns."""
    index = int(np.random.default_rng([seed, number, 1]).integers(SPEAKERS))
    rng, voice = np.random.default_rng([seed, index, 2]), sorted(HELD_OUT)[index % len(HELD_OUT)]
    while (speaker := random_user(rng, "test")).voice != voice:
        pass
    return index, speaker


def _is_made(at: Path, number: int, seed: int) -> bool:
    try:
        data = _metadata(at / "metadata.json")
    except UserError:
        return False
    return (at / "input.wav").exists() and data.get("made_from") == _origin(number, seed)


def _origin(number: int, seed: int) -> str:
    """What a recording depends on."""
    role, question = _question(number)
    text = repr((role, question, _speaker(number, seed), seed, LEAD, ROOM, BREATH, SPEAKERS, LEVEL_DB, NOISE_DB))
    return f"{zlib.crc32(text.encode()):08x}"


def _question(number: int) -> tuple[str, Question]:
    role = roles()[number // len(KINDS)]
    return role.text, role.questions[number % len(KINDS)]


def _make(at: Path, number: int, seed: int, tts: TTS) -> None:
    role, question = _question(number)
    index, speaker = _speaker(number, seed)
    clean, end = speak(question.text, speaker, tts)
    heard = quiet_room(clean, np.random.default_rng([seed, number, 3]))
    write_wav(at / "input.wav", heard)
    metadata = {
        "prompt_text": role,
        "question_text": question.text,
        "question_index": KINDS.index(question.kind),
        "speaker_index": index,
        "speaker": speaker.id,
        "question_end": round(end, 3),
        "question": question.to_json(),
        "made_from": _origin(number, seed),
    }
    write_json(at / "metadata.json", metadata)


def quiet_room(clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Speech at `LEVEL_DB` over brownish noise of `NOISE_DB`: conditions of its own, so that training's may change.

    Args:
        clean: float32 mono `[n]` at 24 kHz, with digital silence in its pauses.
        rng: draws the noise.
    """
    active = clean[np.abs(clean) > 1e-4]
    gain = 10 ** (LEVEL_DB / 20) / max(float(np.sqrt(np.mean(active**2))), 1e-6) if len(active) else 1.0
    noise = signal.lfilter([1.0], [1.0, -0.9], rng.standard_normal(len(clean)))
    noise *= 10 ** (rng.uniform(*NOISE_DB) / 20) / np.sqrt(np.mean(noise**2))
    return np.clip(clean * gain + noise, -1, 1).astype(np.float32)


def speak(text: str, speaker: Speaker, tts: TTS, room: float = ROOM) -> tuple[np.ndarray, float]:
    """Say a text sentence by sentence with quiet around it.

    Returns:
        Float32 mono `[n]` at 24 kHz in whole frames, clean, and the second in which the last word ends.

    Raises:
        SpeechError: when the engine cannot.
    """
    parts = [np.zeros(round(LEAD * SAMPLE_RATE), np.float32)]
    for sentence in _STOP.split(text):
        parts += [tts.say(sentence, speaker).pcm, np.zeros(round(BREATH * SAMPLE_RATE), np.float32)]
    parts.pop()
    end = sum(map(len, parts)) / SAMPLE_RATE
    parts.append(np.zeros(round(room * SAMPLE_RATE), np.float32))
    return pad_to_frames(np.concatenate(parts)), end
