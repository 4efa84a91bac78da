"""Command-line options made from a settings dataclass: one for each field, with the docstring's words as help."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from typing import Any, TypeVar

Settings = TypeVar("Settings")


def add_options(parser: argparse.ArgumentParser, settings: type, skip: tuple[str, ...] = ()) -> None:
    """Add an option for every field of `settings` that is not in `skip`."""
    helps = _field_help(settings)
    group = parser.add_argument_group(settings.__name__)
    for field in fields(settings):
        if field.name in skip:
            continue
        name = "--" + field.name.replace("_", "-")
        text = helps.get(field.name, "").replace("%", "%%")
        default: Any = field.default
        if isinstance(default, bool):
            group.add_argument(name, action=argparse.BooleanOptionalAction, default=default, help=text)
        else:
            kind = float if isinstance(default, float) else int
            group.add_argument(name, type=kind, default=default, metavar="N", help=f"{text} [{default}]")


def read_options(arguments: argparse.Namespace, settings: type[Settings], **fixed: Any) -> Settings:
    """The settings that the arguments give, `fixed` ones aside."""
    names = {field.name for field in fields(settings)}  # type: ignore[arg-type]
    given = {name: value for name, value in vars(arguments).items() if name in names}
    return settings(**given | fixed)


def _field_help(settings: type) -> dict[str, str]:
    """Read `name: what it is` lines out of a docstring's Attributes section."""
    section = (settings.__doc__ or "").partition("Attributes:")[2]
    entries = re.findall(r"^\s{8}(\w+): (.*(?:\n\s{12}.*)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()).rstrip(".") for name, text in entries}
