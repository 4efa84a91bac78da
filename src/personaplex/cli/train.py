"""`personaplex train`: hands its arguments to the training room's own parser, which needs no click."""

from __future__ import annotations

import click


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def train(arguments: tuple[str, ...]) -> None:
    """Train a tokenizer, a codec or a language model; export a model directory."""
    from personaplex.train.__main__ import main

    main(arguments or ("--help",))
