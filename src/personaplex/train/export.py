"""Makes a model directory of the trained parts: networks, tokenizer, and the packaged voices."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from personaplex.checkpoints.save import save_model
from personaplex.checkpoints.weights import store
from personaplex.codec.nano import NanoCodec, NanoCodecConfig
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, FRAME_SECONDS
from personaplex.lm.config import LMConfig
from personaplex.lm.model import LanguageModel
from personaplex.train.encode import encode_sounds, steady_codes
from personaplex.train.run import load_checkpoint

CODEC_STORAGE = "bf16"  # 8 bits change most codes of silence (benchmarks/storage.py)


def _config(run: Path) -> dict:
    path = run / "config.json"
    if not path.exists():
        raise UserError(f"{run} is not a training run: it has no config.json")
    return json.loads(path.read_text())


def read_codec(run: Path) -> NanoCodec:
    """The codec of a training run, in evaluation mode, its weights rounded as a model directory stores them.

    A corpus is encoded with it, so that the language model learns the very codes that it will hear: 8-bit storage, and
    for steady sounds even 16-bit storage, would choose others.
    """
    codec = NanoCodec(NanoCodecConfig.from_dict(_config(run)))
    weights = load_checkpoint(run)["codec"]
    codec.load_state_dict(
        {name: store(name, tensor, CODEC_STORAGE)[name].to(tensor.dtype) for name, tensor in weights.items()}
    )
    return codec.eval().requires_grad_(False)


def read_lm(*runs: Path) -> LanguageModel:
    """The language model of a training run (its moving average), in evaluation mode; of several runs, their mean.

    A run and one that went on from it with other settings average to what is good in both (arXiv 2203.05482).
    """
    model = LanguageModel(LMConfig.from_dict(_config(runs[0])))
    weights = [load_checkpoint(run)["average"] for run in runs]
    if any(each.keys() != weights[0].keys() for each in weights):
        raise UserError("The runs to average have models of different shapes; give runs that went on from one another.")
    model.load_state_dict({name: sum(each[name] for each in weights) / len(weights) for name in weights[0]})
    return model.eval().requires_grad_(False)


def export_model(
    codec_run: Path, lm_runs: Sequence[Path], tokenizer: Path, corpus: Path, out: Path, int8: bool = True
) -> None:
    """Write a model directory.

    The packaged voices are the corpus's agents: for each, the codes of its first voice sample.

    Args:
        codec_run: run folder of the codec.
        lm_runs: run folders of the language model, whose weights are averaged.
        tokenizer: the SentencePiece model.
        corpus: where the voice samples are.
        out: the directory to write; replaced once the new one is complete.
        int8: store the language model's matrices in 8 bits with a scale a row.
    """
    from personaplex.audio import read_pcm16  # audio libraries live there

    codec, own = read_codec(codec_run), _config(lm_runs[0])["personaplex"]
    samples = int(own["voice_frames"] * FRAME_SAMPLES)
    voices = {}
    for path in sorted((corpus / "voices").glob("*_0.flac")):
        sound = np.ascontiguousarray(read_pcm16(path)[:samples, 0])
        voices[path.name.removesuffix("_0.flac")] = encode_sounds(codec, [sound])[0]
    if not voices:
        raise UserError(f"{corpus} holds no voice samples; make a corpus with: personaplex synth --out {corpus}")
    save_model(
        out,
        lm=read_lm(*lm_runs),
        codec=codec,
        tokenizer=tokenizer,
        silence=steady_codes(codec, "silence"),
        sine=steady_codes(codec, "sine"),
        voices={name: torch.from_numpy(codes.astype(np.int64)) for name, codes in voices.items()},
        voice_seconds=own["voice_frames"] * FRAME_SECONDS,
        text_lead=own["text_lead"],
        heard_lag=own.get("heard_lag", 0),
        storage="int8" if int8 else "bf16",
        codec_storage=CODEC_STORAGE,
    )
