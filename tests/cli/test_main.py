"""The command group itself, with commands that exist only here."""

import re
import subprocess
import sys
import types

import click
import pytest
from click.testing import CliRunner

from personaplex.cli import COMMANDS, LazyGroup, main
from personaplex.errors import UserError

FAKE = "personaplex_fake_commands"


@pytest.fixture
def group(monkeypatch):
    """A group of one command per way to end."""
    module = types.ModuleType(FAKE)

    def add(name, body):
        setattr(module, name, click.command(name)(body))

    def mistake():
        raise UserError("There is no file talk.wav;\n  give a WAV file.")

    def interrupt():
        raise KeyboardInterrupt

    def bug():
        raise ZeroDivisionError("ours")

    add("fine", lambda: click.echo("done"))
    add("mistake", mistake)
    add("interrupt", interrupt)
    add("bug", bug)
    monkeypatch.setitem(sys.modules, FAKE, module)
    table = {name: (f"{FAKE}:{name}", f"Try {name}.") for name in ("fine", "mistake", "interrupt", "bug")}
    table["absent"] = ("personaplex_no_such_module:absent", "Cannot be imported.")
    return LazyGroup("personaplex", table=table)


def test_help_lists_every_command_without_importing_any(group):
    result = CliRunner().invoke(group, ["--help"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.partition("Commands:\n")[2].splitlines()] == list(group.table)


def test_a_command_runs(group):
    result = CliRunner().invoke(group, ["fine"])
    assert (result.exit_code, result.output) == (0, "done\n")


def test_a_mistake_of_the_users_is_one_line_on_stderr_and_status_2(group):
    result = CliRunner().invoke(group, ["mistake"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "personaplex: There is no file talk.wav; give a WAV file.\n"


def test_an_interruption_is_status_130(group):
    result = CliRunner().invoke(group, ["interrupt"])
    assert (result.exit_code, result.output) == (130, "\n")


def test_a_bug_of_ours_keeps_its_traceback(group):
    assert isinstance(CliRunner().invoke(group, ["bug"]).exception, ZeroDivisionError)


def test_a_missing_package_is_named(group):
    result = CliRunner().invoke(group, ["absent"])
    assert result.exit_code == 2
    assert "needs the Python package personaplex_no_such_module" in result.stderr


def test_an_unknown_command_is_status_2(group):
    result = CliRunner().invoke(group, ["sing"])
    assert result.exit_code == 2
    assert "No such command 'sing'" in result.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_of_the_program_answers_help(name):
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert re.match(f"usage: [a-z]+ {name}", result.output, re.IGNORECASE)


def test_asking_for_help_loads_no_network():
    code = (
        "import sys; from personaplex.cli import main; main(['--help'], standalone_mode=False); "
        "sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
