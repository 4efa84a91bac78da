"""The mini set in folders: where its parts lie, and how they are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from personaplex.audio import write_wav
from personaplex.bench import service, voice
from personaplex.bench.mini import duplex, texts
from personaplex.speech.engines import Voices
from personaplex.speech.speakers import AGENTS
from personaplex.synth import teacher
from personaplex.synth.scenarios import draw_script

SEED = 3
SERVICE_COUNT = 14  # questions: each of the seven kinds twice
VOICE_COUNT = 4  # voices to be cloned
SENTENCES = "sentences.txt"  # of the domain, one a line
_SCRIPTS = 300  # drawn for them
_BABBLER = "NATF1"


@dataclass(frozen=True)
class MiniSet:
    """Where the parts of a data folder lie: the unpacked mini set, or anything else that is laid out like it.

    Attributes:
        folder: the whole.
    """

    folder: Path

    @property
    def duplex(self) -> Path:
        """In Full-Duplex-Bench's layout."""
        return self.folder / "duplex"

    @property
    def ground_truth(self) -> Path:
        """Backchannels of the mini set's own stories."""
        return self.duplex / duplex.GROUND_TRUTH

    @property
    def service(self) -> Path:
        """In the service runner's layout."""
        return self.folder / "service"

    @property
    def voice(self) -> Path:
        """Voice samples and questions."""
        return self.folder / "voice"

    @property
    def talk(self) -> Path:
        """Whole conversations."""
        return self.folder / "talk"


def build(folder: Path, seed: int = SEED) -> MiniSet:
    """Speak the set anew.

    Args:
        folder: where to.
        seed: of speakers, gaps and hesitations.

    Raises:
        SpeechError: when flite or espeak-ng is absent.
    """
    made, voices = MiniSet(folder), Voices()
    duplex.build(made.duplex, voices, np.random.default_rng([seed, 1]))
    service.cases(made.service, SERVICE_COUNT, seed)
    voice.cases(made.voice, VOICE_COUNT, seed)
    speaker = AGENTS[_BABBLER]
    write_wav(folder / "babble.wav", np.concatenate([voices.say(line, speaker).pcm for line in texts.BABBLE]))
    (folder / SENTENCES).write_text("\n".join(_domain()) + "\n", encoding="utf-8")
    return made


def _domain() -> list[str]:
    """What is said in our own sets, and by models trained on our dialogues.

    They are packed, so that a recogniser restricted to them stays the same while the grammar of `synth` grows.
    """
    rng = np.random.default_rng(0)
    lines = service.domain() + [text for topic in teacher.FACTS for text in (*topic.asks, *topic.answers)]
    lines += [line.text for _ in range(_SCRIPTS) for line in draw_script(rng, "train").lines]
    spoken = [*texts.BABBLE, *texts.STORIES, *texts.TURNS, *texts.SYNTHETIC_PAUSES, *texts.CANDOR_PAUSES]
    pairs = [*texts.INTERRUPTIONS, *(pair for pairs in texts.OVERLAPS.values() for pair in pairs)]
    return list(dict.fromkeys(lines + [*spoken, *(text for pair in pairs for text in pair)]))
