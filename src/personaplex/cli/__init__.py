"""The command line: commands that parse, call and print, and nothing else.

Knows which commands there are and what a mistake of the user's looks like on a terminal. A command's module is imported
only when that command is asked for, so that `personaplex --help` answers before torch would have been loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from personaplex import __version__
from personaplex.errors import UserError

COMMANDS = {
    "offline": ("personaplex.cli.offline:offline", "Play recorded speech to a persona: sound in, sound and text out."),
    "serve": ("personaplex.cli.serve:serve", "Talk with a persona in the browser, or from any Moshi client."),
    "replay": ("personaplex.cli.replay:replay", "Hold a conversation that `serve --trace` wrote down again."),
    "voices": ("personaplex.cli.voices:voices", "List the voices of a model."),
    "models": ("personaplex.cli.models:models", "List the models that --model takes by name."),
    "bench": ("personaplex.cli.bench:bench", "Measure how well a system listens, yields, speaks and keeps its role."),
    "synth": ("personaplex.cli.synth:synth", "Make two-channel dialogues to learn from and to measure on."),
    "train": ("personaplex.cli.train:train", "Train a tokenizer, codec or language model; export a model directory."),
}


class LazyGroup(click.Group):
    """A group of commands that are imported only when they are called.

    It turns what goes wrong on purpose into what a terminal should show: a `UserError` is one line on stderr and
    status 2, an interruption is status 130. Anything else is a bug of ours and keeps its traceback.
    """

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table  # name → ("module:attribute", help in one line)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command, or say which package it lacks."""
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        try:
            command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package in ("", "personaplex"):
                raise
            raise UserError(
                f"`{ctx.command_path} {cmd_name}` needs the Python package {package}, which is not installed; "
                "`make install` installs all that are needed."
            ) from error
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"personaplex: {' '.join(str(error).split())}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo(err=True)  # the next prompt starts on its own line, not behind ^C
            ctx.exit(130)


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="personaplex", message="%(prog)s %(version)s")
def main() -> None:
    """Talk with a persona: a role and a voice of your choice, listening while it speaks."""
