"""The project's own short recordings: two spoken questions by held-out voices, each with a role that can answer it.

`python -m personaplex.synth.assets assets` writes them again, the same to the sample.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile

from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.speech.engines import Voices
from personaplex.speech.tts import Speaker
from personaplex.synth import teacher

FRAMES = 120  # of a recording, 9.6 s: the question, then time to answer
_LEAD = 0.4  # s before the question
_SPEECH_DB, _NOISE_DB = -24.0, -70.0  # dBFS
_MAN = Speaker("held-out-man", "flite", "kal16", "M", split="test")
_WOMAN = Speaker("held-out-woman", "espeak", "en-us+f4", "F", split="test")
_ROLE = (
    "You work for Silver Home Service which is an appliance repair company and your name is Aaron. "
    "Dishwasher repair: sixty dollars. Labor cost is $99 per hour."
)
_SERVICE = "Good morning, my dishwasher broke last week. Please tell me what it costs to fix the dishwasher."
_TEACHER = "Hello. Can you tell me, what is the capital of France?"
_SEED, _DRAWN = 5, 21  # the noise goes on where a generator had come that first drew the words


def write_assets(folder: Path) -> None:
    """Write `question_*.wav` (24 kHz, 16-bit, mono) and `role_*.txt` for `service` and `teacher`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.Generator(np.random.PCG64(_SEED).advance(_DRAWN))
    _write(folder, "service", _ROLE, _SERVICE, _MAN, rng)
    _write(folder, "teacher", teacher.ROLE, _TEACHER, _WOMAN, rng)


def _write(folder: Path, name: str, role: str, question: str, speaker: Speaker, rng: np.random.Generator) -> None:
    pcm = Voices().say(question, speaker).pcm
    sound = np.zeros(FRAMES * FRAME_SAMPLES)
    at = int(_LEAD * SAMPLE_RATE)
    sound[at : at + len(pcm)] = pcm * 10 ** (_SPEECH_DB / 20) / np.sqrt(np.mean(pcm**2))
    sound += rng.standard_normal(len(sound)) * 10 ** (_NOISE_DB / 20)
    soundfile.write(folder / f"question_{name}.wav", np.clip(sound, -1, 1), SAMPLE_RATE, subtype="PCM_16")
    (folder / f"role_{name}.txt").write_text(role + "\n")


if __name__ == "__main__":
    try:
        write_assets(Path(sys.argv[1] if len(sys.argv) > 1 else "assets"))
    except UserError as error:
        sys.exit(str(error))
