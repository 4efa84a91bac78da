"""Voices that people bring: a sample each, with who gave it, when, and the words of consent beside it.

A voice is two files in one folder, `ID.flac` (24 kHz mono) and `ID.json`; ids are random. Knows samples; does not know
the model that will speak in them.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import secrets
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from personaplex.audio import read_audio
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.serve.door import Refusal
from personaplex.serve.names import clean_name
from personaplex.serve.samples import decode_sample
from personaplex.serve.shelf import Shelf, remove_file, write_file

NAME_LENGTH = 40  # characters
CONSENT = "I have the right to use this voice"  # what a consent must begin with
_CONSENT_LENGTH = 1000  # characters
VOICES_EACH = 50  # that one owner may keep
PREVIEW_SECONDS = 4.0
UPLOAD_SECONDS = 60.0  # for a file to arrive
_DECODERS = 2  # files that are decoded at once


class Uploads:
    """The voices in one folder.

    Args:
        folder: made with the first voice.
    """

    def __init__(self, folder: Path):
        self._shelf = Shelf(folder)
        self._turns = asyncio.Semaphore(_DECODERS)

    def of(self, owner: str) -> list[dict[str, Any]]:
        """An owner's voices, as the API shows them."""
        return [_shown(name, record) for name, record in self._shelf.of(owner)]

    def name(self, owner: str, voice: str) -> str | None:
        """What an owner calls a voice; None where there is no such voice of theirs."""
        record = self._shelf.find(owner, voice)
        return None if record is None else record["name"]

    def read(self, voice: str) -> np.ndarray:
        """The sample of a voice that was found: float32 `[n]` at 24 kHz. Raises UserError when its file is lost."""
        return read_audio(self._sound(voice))

    async def add(self, owner: str, name: object, consent: object, content: bytes, taken: tuple[str, ...]) -> str:
        """Take a voice.

        Args:
            owner: whose it will be.
            name: what to call it.
            consent: a statement that begins with `CONSENT`; it is kept as it is.
            content: a sound file.
            taken: names that it may not have.

        Returns:
            The new voice's id.

        Raises:
            UserError: when something about it is not right.
            Refusal: when the owner has too many, or one of that name, or the disk is full.
        """
        name = clean_name(name, "voice", NAME_LENGTH)
        consent = consent.strip() if isinstance(consent, str) else ""
        if not consent.casefold().startswith(CONSENT.casefold()) or len(consent) > _CONSENT_LENGTH:
            raise UserError(f"consent must be a statement that begins with “{CONSENT}”.")
        self._check_room(owner, name, taken)
        async with self._turns:
            pcm = await asyncio.to_thread(decode_sample, content)
        self._check_room(owner, name, taken)  # others may have come meanwhile
        voice = f"voice_{secrets.token_hex(8)}"
        await asyncio.to_thread(write_file, self._sound(voice), _flac(pcm))
        record = {
            "owner": owner,
            "name": name,
            "consent": consent,
            "created": int(time.time()),
            "seconds": round(len(pcm) / SAMPLE_RATE, 2),
            "sha256": hashlib.sha256(content).hexdigest(),  # of the file that was sent
        }
        await self._shelf.put(voice, record)
        return voice

    async def remove(self, voice: str) -> None:
        """Delete a voice that was found, and its sample."""
        await self._shelf.remove(voice)
        await asyncio.to_thread(remove_file, self._sound(voice))

    def _check_room(self, owner: str, name: str, taken: tuple[str, ...]) -> None:
        mine = self.of(owner)
        if len(mine) >= VOICES_EACH:
            raise Refusal(f"There are {VOICES_EACH} voices already; delete one first.", 409, "too_many_voices")
        if name.casefold() in (other.casefold() for other in (*taken, *(voice["name"] for voice in mine))):
            raise Refusal(f"There is a voice {name!r} already; choose another name.", 409, "name_taken")

    def _sound(self, voice: str) -> Path:
        return self._shelf.folder / f"{voice}.flac"


def wav(pcm: np.ndarray) -> bytes:
    """Float `[n]` at 24 kHz as a 16-bit WAV file."""
    return _encode(pcm, "WAV")


def _flac(pcm: np.ndarray) -> bytes:
    return _encode(pcm, "FLAC")


def _encode(pcm: np.ndarray, form: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.clip(pcm, -1.0, 1.0), SAMPLE_RATE, format=form, subtype="PCM_16")
    return file.getvalue()


def _shown(voice: str, record: Any) -> dict[str, Any]:
    shown = {"id": voice, "kind": "uploaded"}
    return shown | {field: record[field] for field in ("name", "seconds", "created")}
