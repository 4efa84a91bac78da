"""The training commands, on the standard library's parser so that they run where only torch and numpy are installed.

`personaplex train …` and `python -m personaplex.train …` are the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from personaplex.errors import UserError
from personaplex.train.options import add_options, read_options

if TYPE_CHECKING:
    from personaplex.lm.config import LMConfig

PRESETS = {
    # The bundled model: Moshi's layout, small enough for one CPU core.
    "nano": {
        "dim": 320,
        "num_layers": 6,
        "num_heads": 5,
        "hidden_scale": 4.0,
        "context": 1500,
        "n_q": 16,
        "dep_q": 8,
        "card": 512,
        "depformer_dim": 256,
        "depformer_dim_feedforward": 1024,
        "depformer_num_heads": 4,
        "depformer_num_layers": 2,
        "depformer_weights_per_step_schedule": [0, 1, 1, 1, 1, 1, 1, 1],
        "short_conv": 3,
    },
    # For trying the pipeline out in a minute.
    "tiny": {
        "dim": 64,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_scale": 4.0,
        "context": 500,
        "n_q": 16,
        "dep_q": 8,
        "card": 512,
        "depformer_dim": 32,
        "depformer_dim_feedforward": 128,
        "depformer_num_heads": 2,
        "depformer_num_layers": 1,
        "depformer_weights_per_step_schedule": [0, 1, 1, 1, 1, 1, 1, 1],
        "short_conv": 3,
    },
}


def _budget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run", type=Path, required=True, help="folder for checkpoints and logs; a run there is resumed"
    )
    parser.add_argument("--minutes", type=float, help="stop (resumably) after so many minutes")
    parser.add_argument("--save-every", type=float, default=4.0, metavar="MINUTES", help="between checkpoints [4]")
    parser.add_argument("--device", default="cpu", help="cpu or cuda [cpu]")


def _parser() -> argparse.ArgumentParser:
    from personaplex.codec.nano import NanoCodecConfig
    from personaplex.train.codec import CodecTraining
    from personaplex.train.dialogues import Drawing
    from personaplex.train.lm import LMTraining

    parser = argparse.ArgumentParser(
        prog="personaplex train",
        description="Train a tokenizer, a codec and a language model; export a model directory.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    tokenizer = commands.add_parser("tokenizer", help="SentencePiece from a corpus's sentences")
    tokenizer.add_argument("--corpus", type=Path, required=True, help="folder that `personaplex synth` wrote")
    tokenizer.add_argument("--out", type=Path, required=True, help="the .model file to write")
    tokenizer.add_argument("--size", type=int, default=2048, help="entries at most [2048]")

    sound = commands.add_parser("sound", help="pack a corpus's sound for the codec's trainer")
    sound.add_argument("--corpus", type=Path, required=True, help="folder that `personaplex synth` wrote")
    sound.add_argument("--out", type=Path, required=True, help="folder to write")
    sound.add_argument("--hours", type=float, help="stop after so much sound")

    codec = commands.add_parser("codec", help="train the small codec on packed sound")
    codec.add_argument("--sound", type=Path, required=True, help="folder that `train sound` wrote")
    codec.add_argument("--start-from", type=Path, metavar="RUN", help="begin a new run with another run's weights")
    _budget(codec)
    add_options(codec, CodecTraining)
    add_options(codec, NanoCodecConfig)

    encode = commands.add_parser("encode", help="encode a corpus with a trained codec")
    encode.add_argument("--corpus", type=Path, required=True, help="folder that `personaplex synth` wrote")
    encode.add_argument("--codec", type=Path, required=True, metavar="RUN", help="run folder of the codec")
    encode.add_argument("--out", type=Path, required=True, help="folder to write")
    encode.add_argument("--hours", type=float, help="stop after so much dialogue")

    lm = commands.add_parser("lm", help="train the language model on encoded dialogues")
    lm.add_argument("--codes", type=Path, required=True, help="folder that `train encode` wrote")
    lm.add_argument("--tokenizer", type=Path, required=True, help="file that `train tokenizer` wrote")
    lm.add_argument("--preset", choices=sorted(PRESETS), default="nano", help="sizes of the model [nano]")
    lm.add_argument("--start-from", type=Path, metavar="RUN", help="begin a new run with another run's weights")
    lm.add_argument(
        "--heard",
        action=argparse.BooleanOptionalAction,
        help="a stream of the user's words, predicted and read back [a new run has it, a resumed one what it had]",
    )
    lm.add_argument(
        "--scripts",
        type=Path,
        metavar="FILE",
        help="a JSON object a line (role, turns of who and text) for --text-only [the dialogues' own words]",
    )
    _budget(lm)
    add_options(lm, LMTraining)
    add_options(lm, Drawing)

    export = commands.add_parser("export", help="write a model directory from the trained parts")
    export.add_argument("--codec", type=Path, required=True, metavar="RUN", help="run folder of the codec")
    export.add_argument(
        "--lm",
        type=Path,
        required=True,
        nargs="+",
        metavar="RUN",
        help="run folder of the language model; of several, the mean",
    )
    export.add_argument("--tokenizer", type=Path, required=True, help="file that `train tokenizer` wrote")
    export.add_argument("--corpus", type=Path, required=True, help="where the voice samples are")
    export.add_argument("--out", type=Path, required=True, help="the model directory to write")
    export.add_argument("--int8", action=argparse.BooleanOptionalAction, default=True, help="the LM in 8 bits")

    done = commands.add_parser("done", help="succeed if a run has taken its last step, else say how far it is")
    done.add_argument("--run", type=Path, required=True, help="run folder")
    done.add_argument("--steps", type=int, required=True, help="its last step")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run one training command.

    Raises:
        UserError: for what the user can mend.
    """
    arguments = _parser().parse_args(argv)
    globals()[f"_{arguments.command}"](arguments)


def _tokenizer(arguments: argparse.Namespace) -> None:
    from personaplex.train.tokenizer import train_tokenizer

    train_tokenizer(arguments.corpus / "text.txt", arguments.out, arguments.size)


def _sound(arguments: argparse.Namespace) -> None:
    from personaplex.train.sound import pack_sound

    pack_sound(arguments.corpus, arguments.out, arguments.hours)


def _codec(arguments: argparse.Namespace) -> None:
    from dataclasses import asdict

    from personaplex.codec.nano import NanoCodecConfig
    from personaplex.train.codec import CodecTraining, train_codec
    from personaplex.train.run import load_checkpoint

    config = read_options(arguments, NanoCodecConfig)
    start = None if arguments.start_from is None else load_checkpoint(arguments.start_from)["codec"]
    arguments.run.mkdir(parents=True, exist_ok=True)
    (arguments.run / "config.json").write_text(json.dumps(asdict(config)))
    settings = read_options(arguments, CodecTraining)
    train_codec(
        arguments.sound,
        arguments.run,
        config,
        settings,
        arguments.minutes,
        arguments.save_every,
        start,
        arguments.device,
    )


def _encode(arguments: argparse.Namespace) -> None:
    from personaplex.train.encode import encode_corpus
    from personaplex.train.export import read_codec

    encode_corpus(arguments.corpus, read_codec(arguments.codec), arguments.out, arguments.hours)


def _lm(arguments: argparse.Namespace) -> None:
    from personaplex.text import Tokenizer
    from personaplex.train.dialogues import DialoguePack, Drawing
    from personaplex.train.lm import LMTraining, train_lm
    from personaplex.train.run import load_checkpoint

    tokenizer = Tokenizer(arguments.tokenizer)
    config = _lm_config(arguments, tokenizer.size)
    drawing = read_options(arguments, Drawing)
    if arguments.scripts is not None and not drawing.text_only:
        raise UserError("--scripts is for examples without sound; say how many with --text-only, such as 0.15")
    start = None if arguments.start_from is None else load_checkpoint(arguments.start_from)["model"]
    arguments.run.mkdir(parents=True, exist_ok=True)
    extra = {"voice_frames": drawing.voice_frames, "text_lead": drawing.lead}
    if config.heard:
        extra["heard_lag"] = drawing.heard_lag
    pack = DialoguePack(arguments.codes, tokenizer, config.layout, drawing, arguments.scripts)
    (arguments.run / "config.json").write_text(json.dumps(config.to_dict() | {"personaplex": extra}))
    settings = read_options(arguments, LMTraining)
    train_lm(pack, arguments.run, config, settings, arguments.minutes, arguments.save_every, start, arguments.device)


def _lm_config(arguments: argparse.Namespace, text_card: int) -> LMConfig:
    """The sizes that the options mean; a run that has begun keeps its stream of heard words, or its lack of one.

    Raises:
        UserError: when the run has begun with other sizes.
    """
    from personaplex.lm.config import LMConfig
    from personaplex.train.run import has_checkpoint

    config = LMConfig.from_dict(PRESETS[arguments.preset] | {"text_card": text_card})
    path, begun = arguments.run / "config.json", None
    if has_checkpoint(arguments.run) and path.exists():
        begun = LMConfig.from_dict(json.loads(path.read_text()))
    heard = arguments.heard
    if heard is None:
        heard = True if begun is None else begun.heard
    config = config.with_heard() if heard else config
    if begun is not None and begun != config:
        if begun.heard != config.heard:
            raise UserError(f"{arguments.run} has begun {'with' if begun.heard else 'without'} --heard; leave it so")
        raise UserError(f"{arguments.run} has begun with another preset or tokenizer; give those, or another --run")
    return config


def _export(arguments: argparse.Namespace) -> None:
    from personaplex.train.export import export_model

    export_model(arguments.codec, arguments.lm, arguments.tokenizer, arguments.corpus, arguments.out, arguments.int8)


def _done(arguments: argparse.Namespace) -> None:
    from personaplex.train.run import load_checkpoint

    step = load_checkpoint(arguments.run)["step"]
    if step < arguments.steps:
        raise UserError(
            f"{arguments.run} has taken {step} of {arguments.steps} steps; run the same command again to go on"
        )


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"personaplex train: {error}")
