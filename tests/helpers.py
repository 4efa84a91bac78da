"""Tiny models with random weights, for tests that need a whole one."""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import sentencepiece
import torch

from personaplex.checkpoints.model import Model, load_model
from personaplex.checkpoints.save import save_model
from personaplex.codec.nano import NanoCodec, NanoCodecConfig
from personaplex.lm.config import LMConfig
from personaplex.lm.model import LanguageModel

TINY_LM = LMConfig(
    dim=48, num_layers=2, num_heads=4, context=160, card=32, text_card=320,
    depformer_dim=32, depformer_dim_feedforward=64, depformer_num_heads=2, depformer_num_layers=2,
)  # fmt: skip

HEARD = {"heard": True, "delays": (*TINY_LM.delays, 0)}  # changes that add the stream of the user's words

TINY_CODEC = NanoCodecConfig(
    card=32, codebook_dim=16, dim=24, fast_dim=16, encoder_layers=1, latent_layers=1, decoder_layers=1, expansion=2
)

VOICES = [
    f"{kind}{number}" for kind, count in (("NATF", 4), ("NATM", 4), ("VARF", 5), ("VARM", 5)) for number in range(count)
]


@contextmanager
def one_thread() -> Iterator[None]:
    """Sizes this small only lose by threads, and much when other processes want the same cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def tiny_lm(seed: int = 0, **changes) -> LanguageModel:
    """A random language model, with embeddings large enough for every token to matter to the logits."""
    torch.manual_seed(seed)
    lm = LanguageModel(replace(TINY_LM, **changes)).eval()
    with torch.no_grad():
        for name, parameter in lm.named_parameters():
            if "emb." in name or "_gains" in name or "pointer" in name or "voiceprint" in name:
                parameter.copy_(torch.randn_like(parameter))
    return lm


def random_frames(lm: LanguageModel, batch: int, length: int) -> torch.Tensor:
    """Random frames int64 `[B, S, T]`."""
    config = lm.config
    text = torch.randint(config.text_card, (batch, 1, length))
    frames = torch.cat([text, torch.randint(config.card, (batch, config.n_q, length))], dim=1)
    if not config.heard:
        return frames
    return torch.cat([frames, torch.randint(config.text_card, (batch, 1, length))], dim=1)


@functools.cache
def tiny_tokenizer() -> Path:
    """A SentencePiece model of at most 320 pieces, with byte fallback; trained once a session."""
    folder = Path(tempfile.mkdtemp(prefix="tiny-tokenizer-"))
    words = [
        "you",
        "are",
        "a",
        "wise",
        "and",
        "friendly",
        "teacher",
        "the",
        "answer",
        "is",
        "hello",
        "system",
        "<system>",
    ]
    lines = [" ".join(pair) for pair in itertools.product(words, words)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(folder / "tokenizer"), vocab_size=320, model_type="bpe",
        byte_fallback=True, hard_vocab_limit=False, unk_id=0, bos_id=1, eos_id=2, pad_id=3, minloglevel=2,
    )  # fmt: skip
    return folder / "tokenizer.model"


def tiny_model(
    tmp_path: Path,
    seed: int = 0,
    voice_seconds: float | None = 2.0,
    text_lead: int = 2,
    voices: bool = True,
    **changes,
) -> Model:
    """A real model directory in `tmp_path / "tiny"` with random weights, loaded. `changes` are fields of LMConfig."""
    size = sentencepiece.SentencePieceProcessor(model_file=str(tiny_tokenizer())).get_piece_size()
    lm = tiny_lm(seed, text_card=size, **changes)
    layout = lm.layout
    codec = NanoCodec(replace(TINY_CODEC, codebooks=layout.codebooks, card=layout.card)).eval()
    frame = torch.randint(layout.card, (20, layout.codebooks))
    save_model(
        tmp_path / "tiny",
        lm=lm,
        codec=codec,
        tokenizer=tiny_tokenizer(),
        silence=frame[0],
        sine=frame[1],
        voices={name: torch.randint(layout.card, (layout.codebooks, 6)) for name in (VOICES if voices else ())},
        voice_seconds=voice_seconds,
        text_lead=text_lead,
        heard_lag=2,
    )
    return load_model(tmp_path / "tiny")
