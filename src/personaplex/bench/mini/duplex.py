"""The mini set's part of Full-Duplex-Bench: all five tasks of v1 and all four categories of v1.5, in its folder layout.

Knows when things are said and what is annotated. Voices are held out from all training, sentences stand in `texts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from personaplex.audio import write_wav
from personaplex.bench.mini import texts
from personaplex.bench.mini.scene import SPEECH_DB, Scene
from personaplex.bench.records import write_json
from personaplex.speech.speakers import random_user
from personaplex.speech.tts import TTS, Speaker

GROUND_TRUTH = "gt_distribution.json"  # beside the task folders
ANSWER = 6.0  # s after a question in which to answer it
_LEAD = (0.4, 1.0)  # s before the first word
_PAUSE = (0.8, 1.5)  # s, as in the published synthetic set
_HESITATION = (0.45, 1.1)
_CLAUSE = (0.35, 0.7)
_ANSWERING = (2.0, 2.6)  # s from a question's end to what breaks into the answer: most answers have begun by then
_BACKGROUND = -12.0  # dB from the user to somebody else in the room
_TAIL = 0.1  # s after a last word that is not answered
# When people murmur: about a third of a second after a clause, and after a sentence twice as often as after a comma.
_MURMUR_AFTER, _MURMUR_SPREAD, _BIN = 0.35, 0.35, 0.2


class Cast:
    """Speakers held out from training, men and women in turn.

    Args:
        rng: all chance comes from it.
    """

    def __init__(self, rng: np.random.Generator):
        self._rng, self._count = rng, 0

    def next(self) -> Speaker:
        """The next one."""
        sex = "MF"[self._count % 2]
        self._count += 1
        while (speaker := random_user(self._rng, "test")).sex != sex:
            pass
        return speaker


def build(folder: Path, tts: TTS, rng: np.random.Generator) -> None:
    """Write `v1_0/{task}/{ID}/`, `v1_5/{category}/{ID}/` and the backchannels' ground truth.

    Args:
        folder: where to.
        tts: who speaks.
        rng: all chance comes from it.

    Raises:
        SpeechError: when a speech engine is absent.
    """
    cast = Cast(rng)
    for task, lines, gap in (
        ("synthetic_pause_handling", texts.SYNTHETIC_PAUSES, _PAUSE),
        ("candor_pause_handling", texts.CANDOR_PAUSES, _HESITATION),
    ):
        for number, line in enumerate(lines):
            _pause(folder / "v1_0" / task / str(number), line, gap, tts, cast.next(), rng)
    for number, line in enumerate(texts.TURNS):
        _turn(folder / "v1_0/candor_turn_taking" / str(number), line, tts, cast.next(), rng)
    for number, pair in enumerate(texts.INTERRUPTIONS):
        _interruption(folder / "v1_0/synthetic_user_interruption" / str(number), *pair, tts, cast.next(), rng)
    truth = {}
    for number, line in enumerate(texts.STORIES):
        truth[str(number)] = _story(folder / "v1_0/icc_backchannel" / str(number), line, tts, cast.next(), rng)
    write_json(folder / GROUND_TRUTH, truth)
    for category, pairs in texts.OVERLAPS.items():
        for number, pair in enumerate(pairs):
            voices = (cast.next(), cast.next())
            _overlap(folder / "v1_5" / category / str(number), category, *pair, tts, voices, rng)


def _begin(tts: TTS, rng: np.random.Generator) -> Scene:
    return Scene(tts).wait(rng.uniform(*_LEAD))


def _phrases(
    scene: Scene, line: str, gap: tuple[float, float], speaker: Speaker, rng: np.random.Generator
) -> list[list[float]]:
    """Say the parts of a line with gaps between; the gaps, `[start, end]` each."""
    gaps: list[list[float]] = []
    for number, part in enumerate(line.split(" | ")):
        if number:
            start = scene.now
            gaps.append([round(start, 3), round(scene.wait(rng.uniform(*gap)).now, 3)])
        scene.say(part, speaker)
    return gaps


def _pause(at: Path, line: str, gap: tuple[float, float], tts: TTS, speaker: Speaker, rng: np.random.Generator) -> None:
    """A turn with hesitations, which ends where the recording does: whatever is answered is a take-over too early."""
    scene = _begin(tts, rng)
    gaps = _phrases(scene, line, gap, speaker, rng)
    _write(at, scene.wait(_TAIL), {"pause.json": [{"text": "[PAUSE]", "timestamp": span} for span in gaps]})


def _turn(at: Path, line: str, tts: TTS, speaker: Speaker, rng: np.random.Generator) -> None:
    """A whole turn and silence to answer it in."""
    scene = _begin(tts, rng)
    _, end = scene.say(line, speaker)
    marks = [{"text": "[TURN-TAKING]", "timestamp": [round(end, 3), round(end + 0.4, 3)]}]
    _write(at, scene.wait(ANSWER), {"turn_taking.json": marks})


def _interruption(at: Path, context: str, line: str, tts: TTS, speaker: Speaker, rng: np.random.Generator) -> None:
    """A question, and another one while it should be answered."""
    scene = _begin(tts, rng)
    first = scene.say(context, speaker)
    scene.wait(rng.uniform(*_ANSWERING))
    second = scene.say(line, speaker)
    write_wav(at / "context.wav", scene.cut(first))
    write_wav(at / "interrupt.wav", scene.cut(second))
    marks = [{"context": context, "interrupt": line, "timestamp": [round(time, 3) for time in second]}]
    _write(at, scene.wait(ANSWER), {"interrupt.json": marks})


def _story(at: Path, line: str, tts: TTS, speaker: Speaker, rng: np.random.Generator) -> list[float]:
    """A long story; when listeners would murmur, as a histogram in bins of 0.2 s."""
    scene = _begin(tts, rng)
    gaps = _phrases(scene, line, _CLAUSE, speaker, rng)
    weights = [1.0 if part.endswith(".") else 0.5 for part in line.split(" | ")]
    _write(at, scene.wait(_TAIL), {})
    return listeners([start for start, _ in gaps], weights, scene.now)


def listeners(ends: Sequence[float], weights: Sequence[float], seconds: float) -> list[float]:
    """Where backchannels are expected: a distribution over the bins of a recording.

    Args:
        ends: of clauses, in seconds.
        weights: of each, relative; more of them than ends are ignored.
        seconds: of the recording.

    Returns:
        `[int(seconds / 0.2) + 1]`, positive, with sum 1.
    """
    centres = (np.arange(int(seconds / _BIN) + 1) + 0.5) * _BIN
    shares = np.full(len(centres), 1e-10)
    for end, weight in zip(ends, weights, strict=False):
        shares += weight * np.exp(-0.5 * ((centres - end - _MURMUR_AFTER) / _MURMUR_SPREAD) ** 2)
    return [float(share) for share in shares / shares.sum()]


def _overlap(
    at: Path,
    category: str,
    context: str,
    line: str,
    tts: TTS,
    voices: tuple[Speaker, Speaker],
    rng: np.random.Generator,
) -> None:
    """A question, and speech over its answer; beside it the same recording without that speech."""
    background = category == "background_speech"
    lead, answering = rng.uniform(*_LEAD), rng.uniform(*_ANSWERING)
    clean, noisy = Scene(tts).wait(lead), Scene(tts).wait(lead)
    clean.say(context, voices[0])
    noisy.say(context, voices[0])
    noisy.wait(answering)
    span = noisy.say(line, voices[background], SPEECH_DB + _BACKGROUND * background)
    noisy.wait(ANSWER)
    clean.wait(noisy.now - clean.now)
    marks = {
        "context_text": context,
        "current_turn_text": line,
        "timestamps": [round(time, 3) for time in span],
    }
    write_wav(at / "clean_input.wav", clean.sound())
    write_json(at / "clean_input.json", clean.transcript())
    write_json(at / "input.json", noisy.transcript())
    write_wav(at / "input.wav", noisy.sound())
    write_json(at / "metadata.json", marks)


def _write(at: Path, scene: Scene, annotations: dict[str, Any]) -> None:
    write_wav(at / "input.wav", scene.sound())
    write_json(at / "transcription.json", scene.transcription())
    for name, content in annotations.items():
        write_json(at / name, content)
