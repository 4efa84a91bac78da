"""Personas that people keep by name: a role, a voice and how tokens are chosen.

Knows their shape. Whether the voice is still there is found out when a conversation begins with one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from personaplex.errors import UserError
from personaplex.serve.door import Refusal
from personaplex.serve.names import clean_name
from personaplex.serve.shelf import Shelf

NAME_LENGTH = 60  # characters
ROLE_LENGTH = 8_000  # characters, about what an address can carry; the model's context holds fewer as tokens
PERSONAS_EACH = 200  # that one owner may keep
SAMPLING = ("audio_temperature", "audio_topk", "text_temperature", "text_topk")  # as in the query of /api/chat
_FIELDS = ("role", "voice", "sampling")


class Personas:
    """The personas in one folder, in files named by a digest of owner and name.

    Args:
        folder: made with the first one.
    """

    def __init__(self, folder: Path):
        self._shelf = Shelf(folder)

    def of(self, owner: str) -> list[dict[str, Any]]:
        """An owner's personas, as the API shows them."""
        return [_shown(record) for _, record in self._shelf.of(owner)]

    def find(self, owner: str, name: object) -> dict[str, Any] | None:
        """An owner's persona by its name, or None."""
        try:
            record = self._shelf.find(owner, _key(owner, clean_name(name, "persona", NAME_LENGTH)))
        except UserError:
            return None
        return None if record is None else _shown(record)

    async def save(self, owner: str, name: object, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a persona, instead of the one of that name.

        Args:
            owner: whose it is.
            name: what to call it.
            fields: `role`, `voice` and `sampling`, checked but for their lengths.

        Raises:
            UserError: when the name or the role cannot be kept.
            Refusal: when there are too many, or the disk is full.
        """
        name = clean_name(name, "persona", NAME_LENGTH)
        if len(fields["role"]) > ROLE_LENGTH:
            raise UserError(f"A role may have at most {ROLE_LENGTH} characters; shorten it.")
        key, mine = _key(owner, name), dict(self._shelf.of(owner))
        if key not in mine and len(mine) >= PERSONAS_EACH:
            raise Refusal(f"There are {PERSONAS_EACH} personas already; delete one first.", 409, "too_many_personas")
        created = mine[key]["created"] if key in mine else time.time()
        record = {"owner": owner, "name": name, "created": created} | {field: fields[field] for field in _FIELDS}
        await self._shelf.put(key, record)
        return _shown(record)

    async def remove(self, owner: str, name: object) -> None:
        """Delete a persona. Raises `Refusal` when there is none."""
        if (found := self.find(owner, name)) is None:
            raise Refusal("There is no such persona.", 404, "not_found")
        await self._shelf.remove(_key(owner, found["name"]))


def read_persona(body: object) -> dict[str, Any]:
    """The shape of a persona that came as JSON: `role` (text), `voice` (text or null), `sampling` (numbers by name).

    Raises:
        UserError: when it has another.
    """
    if not isinstance(body, dict):
        raise UserError("A persona is a JSON object with role, voice and sampling.")
    role, voice, sampling = body.get("role", ""), body.get("voice"), body.get("sampling") or {}
    if not isinstance(role, str) or not (voice is None or isinstance(voice, str)):
        raise UserError("The role of a persona must be text, and its voice the id of one, or null.")
    if not isinstance(sampling, dict) or not all(
        name in SAMPLING and isinstance(value, int | float) and not isinstance(value, bool)
        for name, value in sampling.items()
    ):
        raise UserError(f"The sampling of a persona is an object of numbers: {', '.join(SAMPLING)}.")
    # Half of a surrogate pair can be said in JSON, but not in UTF-8.
    role, voice = (text and text.encode("utf-8", "replace").decode() for text in (role, voice))
    return {"role": role, "voice": voice or None, "sampling": sampling}


def as_query(persona: Mapping[str, Any]) -> dict[str, str]:
    """A persona by the names of `/api/chat`'s query."""
    asked = {name: str(value) for name, value in persona["sampling"].items()}
    return asked | {"text_prompt": persona["role"], "voice_prompt": persona["voice"] or ""}


def _key(owner: str, name: str) -> str:
    return hashlib.sha256(f"{owner}\0{name}".encode()).hexdigest()[:32]


def _shown(record: Mapping[str, Any]) -> dict[str, Any]:
    return {field: record[field] for field in ("name", *_FIELDS)}
