"""The parts of a tiny model, for the tests of this room."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch

from personaplex.checkpoints import save_model
from personaplex.codec.base import Codec
from personaplex.codec.build import build_codec
from personaplex.lm.config import LMConfig
from personaplex.lm.model import LanguageModel

CODEC = {"type": "nano", "codebooks": 4, "card": 32, "codebook_dim": 16, "dim": 32, "fast_dim": 16}


def train_tokenizer(prefix: Path, size: int) -> Path:
    """A SentencePiece model of exactly that many pieces, bytes included."""
    lines = [
        "hello how can I help you today",
        "the quick brown fox jumps over the lazy dog",
        "good morning, please help me with this thing",
    ] * 4
    prefix.with_suffix(".txt").write_text("\n".join(lines))
    sentencepiece.SentencePieceTrainer.train(
        input=str(prefix.with_suffix(".txt")), model_prefix=str(prefix), vocab_size=size, byte_fallback=True,
        unk_id=0, bos_id=1, eos_id=2, pad_id=3, minloglevel=2, num_threads=1,
    )  # fmt: skip
    return prefix.with_suffix(".model")


@dataclass
class Parts:
    """What goes into a model directory."""

    lm: LanguageModel
    codec: Codec
    tokenizer: Path
    silence: list[int] = field(default_factory=lambda: [1, 2, 3, 4])
    sine: list[int] = field(default_factory=lambda: [5, 6, 7, 8])
    voice: torch.Tensor = field(default_factory=lambda: torch.arange(40).view(4, 10) % 32)

    def save(self, directory: Path, **changes: Any) -> None:
        """Write it."""
        given: dict[str, Any] = {
            "lm": self.lm, "codec": self.codec, "tokenizer": self.tokenizer, "silence": torch.tensor(self.silence),
            "sine": torch.tensor(self.sine), "voices": {"NATF0": self.voice},
        }  # fmt: skip
        save_model(directory, **given | changes)


def tiny_config(**changes: Any) -> LMConfig:
    """Four codebooks, 290 pieces."""
    sizes: dict[str, Any] = dict(
        dim=32, num_layers=2, num_heads=2, context=32, n_q=8, dep_q=4, card=32, text_card=290,
        delays=(0, *(0, 1, 1, 1) * 2), depformer_dim=16, depformer_dim_feedforward=48, depformer_num_heads=2,
        depformer_num_layers=2,
    )  # fmt: skip
    return LMConfig(**sizes | changes)


def tiny_model_parts(folder: Path) -> Parts:
    """A tiny model with random weights; its tokenizer is made in `folder`."""
    return make_parts(train_tokenizer(folder / "tokenizer", 290))


def make_parts(tokenizer: Path) -> Parts:
    """A tiny model with random weights."""
    torch.manual_seed(0)
    return Parts(LanguageModel(tiny_config()).eval(), build_codec(CODEC).eval(), tokenizer)


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory) -> Path:
    """A tokenizer of 290 pieces."""
    return train_tokenizer(tmp_path_factory.mktemp("spm") / "tokenizer", 290)


@pytest.fixture(scope="session")
def small_tokenizer(tmp_path_factory) -> Path:
    """One of 292."""
    return train_tokenizer(tmp_path_factory.mktemp("spm") / "small", 292)


@pytest.fixture
def parts(tokenizer_file) -> Parts:
    """A tiny model with random weights."""
    return make_parts(tokenizer_file)
