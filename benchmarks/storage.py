"""What does storage cost? Held-out losses, codes and decoded sound of a model as it was trained and as it is stored.

python benchmarks/storage.py --model nano --codec work/nano/codec --lm work/nano/lm --data work/test
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from personaplex.checkpoints import load_model
from personaplex.codec.nano import NanoCodec
from personaplex.lm.model import LanguageModel
from personaplex.train.dialogues import DialoguePack, Drawing
from personaplex.train.encode import encode_corpus
from personaplex.train.export import read_codec, read_lm
from personaplex.train.lm import LMTraining, lm_losses
from personaplex.train.run import load_checkpoint

TERMS = ("text", "words", "semantic", "acoustic")


@torch.inference_mode()
def losses(model: LanguageModel, pack: DialoguePack, batches: int) -> dict[str, float]:
    """Mean loss terms over held-out batches, without corruption."""
    settings = LMTraining(corrupt=0.0, forget=0.0, silent=1.0, bf16=False)
    sums = dict.fromkeys(TERMS, 0.0)
    for step in range(batches):
        terms = lm_losses(model, pack.batch(99, step, 4), settings, torch.Generator().manual_seed(step))
        for name in TERMS:
            sums[name] += terms[name].item() / batches
    return sums


@torch.inference_mode()
def decoder_decibels(codes: np.ndarray, codec: NanoCodec, trained: Mapping[str, torch.Tensor]) -> float:
    """By how many dB the sound of codes `[N, K]` is above what storing the decoder changes of it."""
    whole = copy.deepcopy(codec)
    decoder = {name: tensor for name, tensor in trained.items() if name.startswith("decoder.")}
    whole.load_state_dict(codec.state_dict() | decoder)
    frames = torch.from_numpy(codes.T.astype(np.int64))[None]
    sound = whole.decode(frames)
    change = codec.decode(frames) - sound
    return float(10 * (sound.square().mean() / change.square().mean()).log10())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano", help="the stored model [nano]")
    parser.add_argument("--codec", type=Path, required=True, help="run folder of its codec")
    parser.add_argument("--lm", type=Path, required=True, help="run folder of its language model")
    parser.add_argument("--data", type=Path, required=True, help="corpus of the test split")
    parser.add_argument("--batches", type=int, default=5, help="batches of four dialogues [5]")
    arguments = parser.parse_args()
    stored = load_model(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        packs, codes = [], []
        for name, codec in (("trained", read_codec(arguments.codec)), ("stored", stored.codec)):
            out = Path(folder) / name
            encode_corpus(arguments.data, codec, out)
            codes.append(np.fromfile(out / "codes.i16", dtype=np.int16).reshape(-1, 2 * codec.codebooks))
            drawing = Drawing(reading=0.0, middle=0.0, lead=stored.text_lead)
            packs.append(DialoguePack(out, stored.tokenizer, stored.lm.layout, drawing))
        same = (codes[0] == codes[1]).mean(axis=0)
        print("codes equal, by codebook: agent", *(f"{x:.3f}" for x in same[: stored.codec.codebooks]))
        print("                          user ", *(f"{x:.3f}" for x in same[stored.codec.codebooks :]))
        codec, minute = read_codec(arguments.codec), codes[0][:750, : stored.codec.codebooks]
        decibels = decoder_decibels(minute, codec, load_checkpoint(arguments.codec)["codec"])
        print(f"what storing the decoder changes is {decibels:.1f} dB below its sound")
        for name, model, pack in (("trained", read_lm(arguments.lm), packs[0]), ("stored", stored.lm, packs[1])):
            terms = losses(model, pack, arguments.batches)
            print(f"{name:8}", *(f"{term} {value:.4f}" for term, value in terms.items()))


if __name__ == "__main__":
    main()
