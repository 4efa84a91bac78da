"""`personaplex models`: which models there are, and what one of them is."""

from __future__ import annotations

import shutil
import textwrap

import click


@click.command()
@click.option("--model", metavar="NAME", help="Tell all about one: a model's name, its directory, or a hub id.")
def models(model: str | None) -> None:
    """List the models that --model takes by name, or tell all about one of them."""
    from personaplex.checkpoints.describe import Description, describe, describe_all, size

    def state(one: Description) -> str:
        if one.path is None:
            return one.where
        return f"{'ready' if one.ready else 'incomplete'} ({one.where})"

    width = max(60, min(shutil.get_terminal_size().columns, 120))
    if model is None:
        every = describe_all()
        columns = [(one.name, state(one), size(one.nbytes) if one.nbytes else "", one.licence) for one in every]
        widths = [max(map(len, column)) for column in zip(*columns, strict=True)]
        for one, row in zip(every, columns, strict=True):
            click.echo("  ".join(cell.ljust(pad) for cell, pad in zip(row, widths, strict=True)).rstrip())
            for note in filter(None, (one.about, one.hint)):
                click.echo(textwrap.fill(note, width, initial_indent="    ", subsequent_indent="    "))
        click.echo("\nAny of these after --model; so do a model directory and a hub id such as owner/name.")
        return
    one = describe(model)
    rows = {"name": one.name, "what": one.about, "state": state(one), "hint": one.hint, "licence": one.licence}
    rows |= {"directory": str(one.path or ""), "size": size(one.nbytes) if one.nbytes else ""} | one.facts
    pad = max(map(len, rows)) + 2
    for label, text in rows.items():
        if text:
            click.echo(textwrap.fill(text, width, initial_indent=label.ljust(pad), subsequent_indent=" " * pad))
