"""Makes a model directory of the trained parts: networks, tokenizer, and the packaged voices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from personaplex.checkpoints.save import save_model
from personaplex.checkpoints.weights import kept
from personaplex.codec.nano import NanoCodec
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, FRAME_SECONDS
from personaplex.lm.config import LMConfig
from personaplex.lm.model import LanguageModel
from personaplex.lm.sampling import Sampling
from personaplex.train.encode import encode_sounds, steady_codes
from personaplex.train.run import has_checkpoint, load_checkpoint, run_config
from personaplex.train.start import codec_to_start_from, lm_to_start_from


def codec_storage(name: str) -> str:
    """How a model directory stores a tensor of the codec.

    In 8 bits the encoder and the codebooks would change most codes of silence (`benchmarks/storage.py`). The decoder
    chooses no codes: what 8 bits change of its sound is 41 to 45 dB below it.
    """
    return "int8" if name.startswith("decoder.") and ".conv." not in name else "bf16"


def read_codec(place: Path | str) -> NanoCodec:
    """A codec of ours, in evaluation mode, its weights rounded as a model directory stores them.

    A corpus is encoded with it, so that the language model learns the very codes that it will hear: for steady sounds
    even 16-bit storage chooses others.

    Args:
        place: a run's folder, a model directory, or the name of a model.

    Raises:
        UserError: when it is none of these, or its codec is not one of ours.
    """
    weights, config = codec_to_start_from(place)
    codec = NanoCodec(config)
    codec.load_state_dict({name: kept(name, tensor, codec_storage(name)) for name, tensor in weights.items()})
    return codec.eval().requires_grad_(False)


def lm_weights(run: Path, raw: bool = False) -> dict[str, torch.Tensor]:
    """The language model's weights in a run's last checkpoint.

    Args:
        run: its folder.
        raw: as they are trained, rather than their moving average.

    Raises:
        UserError: when there are none.
    """
    checkpoint = load_checkpoint(run)
    if "model" not in checkpoint:
        raise UserError(f"{run} is no run of a language model.")
    if raw or "average" in checkpoint:
        return checkpoint["model" if raw else "average"]
    raise UserError(
        f"{run} is from before training kept a moving average of the weights: measure it with --raw, or go on from it "
        f"with: train lm --start-from {run}"
    )


def read_lm(run: Path, *others: Path | str) -> LanguageModel:
    """The language model of a training run (its moving average), in evaluation mode; of several, their mean.

    A run and one that went on from it with other settings average to what is good in both (arXiv 2203.05482). So do a
    run and the model that it began with (arXiv 2109.01903), so the others may be model directories, or models' names.
    """
    weights = [lm_weights(run)]
    for other in others:
        weights.append(lm_weights(Path(other)) if has_checkpoint(Path(other)) else lm_to_start_from(other))
    model = LanguageModel(LMConfig.from_dict(run_config(run)))
    shapes = [{name: tensor.shape for name, tensor in each.items()} for each in weights]
    if any(each != shapes[0] for each in shapes):
        raise UserError("The runs to average have models of different shapes; give runs that went on from one another.")
    model.load_state_dict({name: sum(each[name] for each in weights) / len(weights) for name in weights[0]})
    return model.eval().requires_grad_(False)


def export_model(
    codec_from: Path | str,
    lm_runs: Sequence[Path | str],
    tokenizer: Path,
    corpus: Path,
    out: Path,
    int8: bool = True,
    sampling: Sampling | None = None,
    quiet: bool = True,
    voice: float = 1.0,
) -> None:
    """Write a model directory.

    The packaged voices are the corpus's agents: for each, the codes of its first voice sample.

    Args:
        codec_from: run folder of the codec, or a model's directory or name.
        lm_runs: what the language model is the mean of: a run's folder, then more, or models' directories or names.
        tokenizer: the SentencePiece model.
        corpus: where the voice samples are.
        out: the directory to write; replaced once the new one is complete.
        int8: store the language model's matrices in 8 bits with a scale a row.
        sampling: how the model chooses tokens where nothing else is asked for; None for the published settings.
        quiet: a frame of the agent's whose first code is silence's is silent. Codebook 0 is taught phones, and
            silence is one.
        voice: factor of what the depth transformer is told of the voice sample, where the model has a voiceprint; more
            than in training brings the voice nearer to the sample's.
    """
    from personaplex.audio import read_pcm16  # audio libraries live there

    run, *others = lm_runs
    codec, own = read_codec(codec_from), run_config(Path(run))["personaplex"]
    samples = int(own["voice_frames"] * FRAME_SAMPLES)
    voices = {}
    for path in sorted((corpus / "voices").glob("*_0.flac")):
        sound = np.ascontiguousarray(read_pcm16(path)[:samples, 0])
        voices[path.name.removesuffix("_0.flac")] = encode_sounds(codec, [sound])[0]
    if not voices:
        raise UserError(f"{corpus} holds no voice samples; make a corpus with: personaplex synth --out {corpus}")
    # The frames that the language model was trained with: two codes of silence can be so near that rounding chooses.
    steady = {
        name: torch.tensor(own[name]) if name in own else steady_codes(codec, name) for name in ("silence", "sine")
    }
    lm = read_lm(Path(run), *others)
    if lm.voiceprint is not None:
        lm.voiceprint.told.weight.mul_(voice)
    save_model(
        out,
        lm=lm,
        codec=codec,
        tokenizer=tokenizer,
        silence=steady["silence"],
        sine=steady["sine"],
        voices={name: torch.from_numpy(codes.astype(np.int64)) for name, codes in voices.items()},
        voice_seconds=own["voice_frames"] * FRAME_SECONDS,
        text_lead=own["text_lead"],
        heard_lag=own.get("heard_lag", 0),
        spoken_roles=own.get("spoken_roles", False),
        quiet=quiet,
        storage="int8" if int8 else "bf16",
        codec_storage=codec_storage,
        sampling=sampling,
    )
