"""A corpus of four short noise dialogues, packed and encoded by a tiny codec: what the trainers read, made by code."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from personaplex.codec.nano import NanoCodec
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE
from personaplex.text import Tokenizer
from personaplex.train.__main__ import PRESETS, main
from personaplex.train.dialogues import DialoguePack, Drawing
from personaplex.train.encode import encode_corpus
from tests.helpers import HEARD, TINY_CODEC, tiny_lm, tiny_tokenizer

ROLE = "You are a wise teacher."
FRAMES = 40


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(0)
    (folder / "audio").mkdir()
    (folder / "voices").mkdir()
    lines = []
    for index in range(4):
        sound = random.normal(0, 0.05, (FRAMES * FRAME_SAMPLES, 2))
        soundfile.write(folder / f"audio/{index}.flac", sound, SAMPLE_RATE)
        words = [["hello", [1.0, 1.4], "SPEAKER_MAIN"], ["answer", [1.6, 2.0], "SPEAKER_MAIN"]]
        meta = {
            "role": ROLE,
            "voice_prompt": "voices/NATF0_0.flac",
            "alignments": [["what", [0.2, 0.6], "SPEAKER_USER"], *words],
            "phones": {"agent": [["hh", 1.0, 1.2], ["ow", 1.2, 1.4]], "user": []},
        }
        (folder / f"audio/{index}.json").write_text(json.dumps(meta))
        lines.append(json.dumps({"path": f"audio/{index}.flac", "duration": FRAMES * 0.08}))
    soundfile.write(folder / "voices/NATF0_0.flac", random.normal(0, 0.05, 20 * FRAME_SAMPLES), SAMPLE_RATE)
    (folder / "data.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="session")
def codec():
    torch.manual_seed(3)
    return NanoCodec(replace(TINY_CODEC, codebooks=8)).eval()


@pytest.fixture(scope="session")
def codes(corpus, codec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("codes")
    encode_corpus(corpus, codec, folder, batch=2)
    return folder


@pytest.fixture(scope="session")
def lm_run(codes, tmp_path_factory):
    """A run of three steps, begun by the command."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "tiny", PRESETS["tiny"] | {"card": 32})
        options = f"--preset tiny --batch 2 --steps 3 --length 96 --voice-frames 6 --lead 2 --no-bf16 --codes {codes}"
        main(["lm", "--run", str(folder), "--tokenizer", str(tiny_tokenizer()), *options.split()])
    return folder


@pytest.fixture
def tokenizer():
    return Tokenizer(tiny_tokenizer())


@pytest.fixture
def model(tokenizer):
    return tiny_lm(text_card=tokenizer.size)


@pytest.fixture
def hearing(tokenizer):
    """A model with the stream of the user's words."""
    return tiny_lm(text_card=tokenizer.size, **HEARD)


@pytest.fixture
def pack(codes, tokenizer, model):
    return DialoguePack(codes, tokenizer, model.layout, Drawing(length=96, voice_frames=12, lead=2, reading=0.0))
