"""The training commands, on the standard library's parser so that they run where only torch and numpy are installed.

`personaplex train …` and `python -m personaplex.train …` are the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from personaplex.errors import UserError
from personaplex.train.options import add_options, read_options
from personaplex.train.presets import PRESETS, WISHES, sizes

_A_CODEC = "run folder of the codec, or a model's directory or name, such as nano"


def _budget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run", type=Path, required=True, help="folder for checkpoints and logs; a run there is resumed"
    )
    parser.add_argument("--minutes", type=float, help="stop (resumably) after so many minutes")
    parser.add_argument("--save-every", type=float, default=4.0, metavar="MINUTES", help="between checkpoints [4]")
    parser.add_argument("--device", default="cpu", help="cpu or cuda [cpu]")


def _start_from(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="RUN",
        help="begin a new run with the weights of another, or of a model directory or a model's name, such as nano",
    )


def _parser() -> argparse.ArgumentParser:
    from personaplex.codec.nano import NanoCodecConfig
    from personaplex.lm.sampling import Sampling
    from personaplex.train.codec import CodecTraining
    from personaplex.train.dialogues import Drawing
    from personaplex.train.settings import LMTraining

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
    sound.add_argument(
        "--teacher",
        default="phones",
        metavar="MODEL",
        help="store a speech encoder's features too: a name on the Hugging Face hub, or a folder [phones: none]",
    )
    sound.add_argument("--pitch", action="store_true", help="track the voices' pitch too, for `train codec --pitch`")

    codec = commands.add_parser("codec", help="train the small codec on packed sound")
    codec.add_argument("--sound", type=Path, required=True, help="folder that `train sound` wrote")
    _start_from(codec)
    codec.add_argument(
        "--teacher",
        default="phones",
        metavar="MODEL",
        help="what codebook 0 learns to hold: the synthesiser's phones, or features that `train sound` stored [phones]",
    )
    _budget(codec)
    add_options(codec, CodecTraining)
    add_options(codec, NanoCodecConfig)

    listen = commands.add_parser("listen", help="measure a codec by its copies: words, voices, codebooks")
    listen.add_argument("--codec", type=Path, required=True, metavar="RUN", help=_A_CODEC)
    listen.add_argument("--corpus", type=Path, required=True, help="folder that `personaplex synth` wrote")
    listen.add_argument("--count", type=int, default=40, metavar="N", help="utterances of each channel [40]")
    listen.add_argument("--json", action="store_true", help="print the figures as JSON")

    encode = commands.add_parser("encode", help="encode a corpus with a trained codec")
    encode.add_argument("--corpus", type=Path, required=True, help="folder that `personaplex synth` wrote")
    encode.add_argument("--codec", type=Path, required=True, metavar="RUN", help=_A_CODEC)
    encode.add_argument("--out", type=Path, required=True, help="folder to write")
    encode.add_argument("--hours", type=float, help="stop after so much dialogue")

    lm = commands.add_parser("lm", help="train the language model on encoded dialogues")
    lm.add_argument(
        "--codes",
        type=Path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="folder that `train encode` wrote, or several of one codec",
    )
    lm.add_argument("--tokenizer", type=Path, required=True, help="file that `train tokenizer` wrote")
    lm.add_argument("--preset", choices=sorted(PRESETS), default="nano", help="sizes of the model [nano]")
    _start_from(lm)
    lm.add_argument(
        "--recoded",
        type=Path,
        nargs=2,
        metavar=("OLD", "NEW"),
        help="what it starts from knows another codec's codes: one corpus, encoded with that one and with the new one",
    )
    lm.add_argument(
        "--heard",
        action=argparse.BooleanOptionalAction,
        help="a stream of the user's words, predicted and read back [a new run has it, a resumed one what it had]",
    )
    lm.add_argument(
        "--short-conv",
        type=int,
        metavar="N",
        help="reach of the short convolutions in frames, 0 for none [the preset's, or what the run has begun with]",
    )
    lm.add_argument(
        "--recall",
        type=int,
        metavar="N",
        help="last word pieces of each text stream read again at every frame, 0 for none [as --short-conv]",
    )
    lm.add_argument(
        "--shared-words",
        action=argparse.BooleanOptionalAction,
        help="the user's words are read by the embeddings of the agent's text too, so that they are found in the role "
        "[as --short-conv]",
    )
    lm.add_argument(
        "--pointer",
        type=int,
        metavar="N",
        help="width of the keys by which pieces of the role are found and copied, 0 for none [as --short-conv]",
    )
    lm.add_argument(
        "--echo",
        type=int,
        metavar="N",
        help="last word pieces of the user's that the pointer finds too, to repeat them, 0 for none [as --short-conv]",
    )
    lm.add_argument(
        "--lookup",
        action=argparse.BooleanOptionalAction,
        help="the pointer also looks up in the role what the coming answer is about [as --short-conv]",
    )
    lm.add_argument(
        "--voiceprint",
        type=int,
        metavar="N",
        help="columns at the prompt's beginning in which the voice sample is looked up at every frame, 0 for none "
        "[as --short-conv]",
    )
    lm.add_argument(
        "--scripts",
        type=Path,
        metavar="FILE",
        help="a JSON object a line (role, turns of who and text) for --text-only [the dialogues' own words]",
    )
    lm.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="processes that draw examples ahead, so that a GPU need not wait for them; the examples are the same [0]",
    )
    _budget(lm)
    add_options(lm, LMTraining)
    add_options(lm, Drawing)

    export = commands.add_parser("export", help="write a model directory from the trained parts")
    export.add_argument("--codec", type=Path, required=True, metavar="RUN", help=_A_CODEC)
    export.add_argument(
        "--lm",
        required=True,
        nargs="+",
        metavar="RUN",
        help="run folder of the language model; of several, the mean, also with models' directories or names",
    )
    export.add_argument("--tokenizer", type=Path, required=True, help="file that `train tokenizer` wrote")
    export.add_argument("--corpus", type=Path, required=True, help="where the voice samples are")
    export.add_argument("--out", type=Path, required=True, help="the model directory to write")
    export.add_argument("--int8", action=argparse.BooleanOptionalAction, default=True, help="the LM in 8 bits")
    export.add_argument(
        "--quiet",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="a frame of the agent's whose first code is silence's is silent, and not asked for further",
    )
    export.add_argument(
        "--voice",
        type=float,
        default=1.0,
        metavar="N",
        help="how strongly the sound is told of the voice sample, times what it was in training [1.0]",
    )
    for field in fields(Sampling):
        if field.name != "greedy":
            kind = float if isinstance(field.default, float) else int
            export.add_argument(
                "--" + field.name.replace("_", "-"),
                type=kind,
                metavar="N",
                help=f"how the model chooses where nothing else is asked for [{field.default}, as published]",
            )

    measure = commands.add_parser("measure", help="losses, words and turn decisions of a run on held-out dialogues")
    measure.add_argument("--run", type=Path, required=True, help="run folder of the language model")
    measure.add_argument("--codes", type=Path, required=True, help="what `train encode` made of a held-out corpus")
    measure.add_argument("--tokenizer", type=Path, required=True, help="file that `train tokenizer` wrote")
    measure.add_argument("--scripts", type=Path, metavar="FILE", help="held-out scripts: measure talks in writing too")
    measure.add_argument("--batches", type=int, metavar="N", help="stop after so many [every dialogue once]")
    measure.add_argument(
        "--questions", type=int, metavar="N", help="answers in writing to ask for [as many as there are dialogues]"
    )
    measure.add_argument("--batch", type=int, default=4, metavar="N", help="dialogues in each [4]")
    measure.add_argument("--seed", type=int, default=0, metavar="N", help="draws the voice samples and the order [0]")
    measure.add_argument("--raw", action="store_true", help="the weights as trained, not their moving average")
    measure.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    measure.add_argument("--device", default="cpu", help="cpu or cuda [cpu]")

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

    pack_sound(arguments.corpus, arguments.out, arguments.hours, arguments.teacher, arguments.pitch)


def _codec(arguments: argparse.Namespace) -> None:
    from dataclasses import asdict

    from personaplex.codec.nano import NanoCodecConfig
    from personaplex.train.codec import CodecTraining, grown, train_codec
    from personaplex.train.start import codec_to_start_from

    config, start = read_options(arguments, NanoCodecConfig), None
    if arguments.start_from is not None:
        start, begun = codec_to_start_from(arguments.start_from)
        deeper = grown(config, begun)
        if deeper is None:
            raise UserError(
                f"A codec keeps the widths that {arguments.start_from} began with, and no fewer layers; leave those "
                "options out."
            )
        config = deeper
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
        arguments.teacher,
    )


def _listen(arguments: argparse.Namespace) -> None:
    from personaplex.train.export import read_codec
    from personaplex.train.listen import listen, table

    figures = listen(read_codec(arguments.codec), arguments.corpus, arguments.count)
    print(json.dumps(figures, indent=1) if arguments.json else table(figures))


def _encode(arguments: argparse.Namespace) -> None:
    from personaplex.train.encode import encode_corpus
    from personaplex.train.export import read_codec

    encode_corpus(arguments.corpus, read_codec(arguments.codec), arguments.out, arguments.hours)


def _lm(arguments: argparse.Namespace) -> None:
    from personaplex.text import Tokenizer
    from personaplex.train.dialogues import DialoguePack, Drawing
    from personaplex.train.lm import LMTraining, train_lm
    from personaplex.train.packed import read_packed
    from personaplex.train.recode import recoded
    from personaplex.train.start import lm_to_start_from

    tokenizer = Tokenizer(arguments.tokenizer)
    config = sizes(
        arguments.run,
        arguments.preset,
        tokenizer.size,
        {name: getattr(arguments, name) for name in WISHES},
    )
    drawing, settings = read_options(arguments, Drawing), read_options(arguments, LMTraining)
    if settings.deaf and not config.heard:
        raise UserError("--deaf leaves an agent only the words that it heard; it needs a stream of them (--heard).")
    if drawing.dictation and not config.heard:
        raise UserError("--dictation teaches to write down what was heard; it needs a stream for that (--heard).")
    if settings.sound_only and (drawing.text_only or drawing.dictation):
        raise UserError(
            "--sound-only learns how the agent sounds; examples of --text-only and --dictation hold nothing of that."
        )
    if settings.new_codes and not settings.sound_only:
        raise UserError("--new-codes is for --sound-only; without it all of the model learns, its embeddings too.")
    if arguments.scripts is not None and not drawing.text_only:
        raise UserError("--scripts is for examples without sound; say how many with --text-only, such as 0.15")
    start = None if arguments.start_from is None else lm_to_start_from(arguments.start_from)
    if arguments.recoded is not None:
        if start is None:
            raise UserError("--recoded is for a model that knows another codec's codes; name it with --start-from.")
        start = recoded(start, config.layout, *arguments.recoded)
    arguments.run.mkdir(parents=True, exist_ok=True)
    pack = DialoguePack(read_packed(*arguments.codes), tokenizer, config.layout, drawing, arguments.scripts)
    extra: dict[str, Any] = {"voice_frames": drawing.voice_frames, "text_lead": drawing.lead}
    extra |= {"spoken_roles": True} if drawing.spoken_roles else {}
    if config.heard:
        extra["heard_lag"] = drawing.heard_lag
    extra |= {"silence": pack.silence.tolist(), "sine": pack.sine.tolist()}
    (arguments.run / "config.json").write_text(json.dumps(config.to_dict() | {"personaplex": extra}))
    train_lm(
        pack,
        arguments.run,
        config,
        settings,
        arguments.minutes,
        arguments.save_every,
        start,
        arguments.device,
        arguments.workers,
    )


def _export(arguments: argparse.Namespace) -> None:
    from personaplex.lm.sampling import Sampling
    from personaplex.train.export import export_model

    wishes = {field.name: getattr(arguments, field.name, None) for field in fields(Sampling)}
    try:
        sampling = None if set(wishes.values()) == {None} else Sampling().but(**wishes)
    except ValueError as error:
        raise UserError(f"The model cannot choose its tokens so: {error}.") from error
    export_model(
        arguments.codec,
        arguments.lm,
        arguments.tokenizer,
        arguments.corpus,
        arguments.out,
        arguments.int8,
        sampling,
        arguments.quiet,
        arguments.voice,
    )


def _measure(arguments: argparse.Namespace) -> None:
    from personaplex.text import Tokenizer
    from personaplex.train.measure import measure_run, table

    result = measure_run(
        arguments.run,
        arguments.codes,
        Tokenizer(arguments.tokenizer),
        scripts=arguments.scripts,
        batches=arguments.batches,
        questions=arguments.questions,
        batch=arguments.batch,
        seed=arguments.seed,
        raw=arguments.raw,
        device=arguments.device,
    )
    print(table(result))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


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
