"""What the frozen mini set lacks: whole conversations, and voices enough to choose among twenty."""

from __future__ import annotations

import tempfile
from pathlib import Path

from personaplex.bench import talk, voice
from personaplex.bench.mini.build import VOICE_COUNT, MiniSet
from personaplex.bench.suites import grammar_sentences
from personaplex.speech.engines import Voices
from personaplex.synth.corpus import Plan, write_dialogue
from personaplex.synth.files import MANIFEST, begin, entry

SEED = 11
DIALOGUES, LONG_TALKS = 4, 1


def supplement(folder: Path, seed: int = SEED) -> None:
    """Speak it anew, beside or without the mini set.

    Args:
        folder: where to.
        seed: of dialogues, talks and voices.

    Raises:
        SpeechError: when flite or espeak-ng is absent.
    """
    made = MiniSet(folder)
    with tempfile.TemporaryDirectory() as place:
        plan = Plan(Path(place), seed, "test")
        begin(plan.folder, plan.as_dict())
        made_of = [(f"audio/{index:06d}.flac", write_dialogue(plan, index)) for index in range(1, DIALOGUES + 1)]
        (plan.folder / MANIFEST).write_text("".join(entry(name, seconds) for name, seconds in made_of))
        talk.from_corpus(plan.folder, made.talk)
    talk.compose(made.talk, LONG_TALKS, Voices(), seed)
    (made.talk / talk.SENTENCES).write_text("\n".join(grammar_sentences()) + "\n", encoding="utf-8")
    voice.speak_others(made.voice, voice.CHOICE - VOICE_COUNT, VOICE_COUNT, seed)
