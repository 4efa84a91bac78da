"""`personaplex voices`: what a model can sound like."""

from __future__ import annotations

import click


@click.command()
@click.option("--model", "name", default="nano", show_default=True, help="A model's name, directory or hub id.")
def voices(name: str) -> None:
    """List the voices of a model, one a line."""
    from personaplex.checkpoints.archive import unpack_voices
    from personaplex.checkpoints.names import fetch, locate
    from personaplex.persona.voices import VoiceLibrary

    directory, repo = locate(name)
    if repo is not None:  # the voices alone, not the gigabytes beside them
        directory = fetch(repo, ["voices.tgz", "voices/*"])
    folder, archive = directory / "voices", directory / "voices.tgz"
    if archive.is_file() and not folder.is_dir():
        folder = unpack_voices(archive)
    names = VoiceLibrary(folder).names()
    for voice in names:
        click.echo(voice)
    if not names:
        click.echo(f"The model {name} has no voices; give --voice-prompt a recording instead.", err=True)
