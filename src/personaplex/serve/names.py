"""Names that people give to what they store here, and where it is stored.

A name is only ever shown and compared: files are called by random ids or digests, so no name becomes a path.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from personaplex.errors import UserError


def clean_name(name: object, what: str, longest: int) -> str:
    """A name as it is kept: composed (NFC), without blanks around it.

    Args:
        name: what came from the network.
        what: what it names, for messages.
        longest: in characters.

    Raises:
        UserError: when it is empty, too long, no text, holds a slash, or consists of dots.
    """
    text = unicodedata.normalize("NFC", name).strip() if isinstance(name, str) else ""
    # Cc, Cf, Cs, Co, Cn, Zl, Zp: nothing that a person could not see or that would reorder what stands around it
    plain = all(not unicodedata.category(char).startswith("C") and char not in "/\\\u2028\u2029" for char in text)
    if not 1 <= len(text) <= longest or not plain or not text.strip("."):
        raise UserError(f"The name of a {what} must be 1 to {longest} visible characters without a slash.")
    return text


def data_home() -> Path:
    """Where a user's data belong: `$XDG_DATA_HOME/personaplex`, by default `~/.local/share/personaplex`."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "personaplex"
