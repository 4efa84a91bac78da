"""Everything that can be asked for by name: the model's voices, those that clients brought, and saved personas.

The one place where a name from the network becomes a voice; no name ever becomes a path.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from personaplex.checkpoints import Model
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.persona.voices import Voice, clone_voice, voice_sound
from personaplex.serve.door import Refusal
from personaplex.serve.mailbox import Mailbox
from personaplex.serve.personas import Personas
from personaplex.serve.voices import PREVIEW_SECONDS, Uploads, wav

_LOADED = 128  # voices that are kept ready


class Library:
    """What one server has.

    Args:
        model: whose voices there are in any case.
        mailbox: to the engine, in whose thread the model may be used.
        data: a directory for what clients store; None for a server that stores nothing.

    Attributes:
        packaged: names of the model's voices.
        uploads: its clients' voices; None where it stores none.
        personas: its clients' personas; the same.
    """

    def __init__(self, model: Model, mailbox: Mailbox, data: Path | None):
        self.packaged = tuple(model.voices.names())
        self.uploads = None if data is None else Uploads(data / "voices")
        self.personas = None if data is None else Personas(data / "personas")
        self._model, self._mailbox = model, mailbox
        self._loaded: dict[str, Voice] = {}
        self._previews: dict[str, bytes] = {}

    def voices(self, owner: str) -> list[dict[str, Any]]:
        """The voices that an owner may use, as the API shows them."""
        own = self.uploads.of(owner) if self.uploads else []
        return [{"id": v, "kind": "packaged", "name": v, "seconds": None, "created": None} for v in self.packaged] + own

    def has(self, owner: str, voice: str) -> bool:
        """Whether it is one of the model's voices, or of the owner's."""
        return self.name(owner, voice) is not None

    def name(self, owner: str, voice: str) -> str | None:
        """What people call a voice that the owner may use; None for another."""
        if voice in self.packaged:
            return voice
        return self.uploads.name(owner, voice) if self.uploads else None

    def load(self, voice: str) -> Voice:
        """A voice that there is, in the engine's thread.

        Raises:
            UserError: when its file is lost, or the model cannot speak in it.
        """
        if voice not in self._loaded:
            if voice in self.packaged:
                loaded = self._model.voices.named(voice, self._model)
            else:
                assert self.uploads is not None
                loaded = clone_voice(self.uploads.read(voice), self._model, name=voice)
            while len(self._loaded) >= _LOADED:
                self._loaded.pop(next(iter(self._loaded)))
            self._loaded[voice] = loaded
        return self._loaded[voice]

    async def add(self, owner: str, name: object, consent: object, content: bytes) -> dict[str, Any]:
        """Take a voice of a client's, see `Uploads.add`, and see whether the model can speak in it.

        Returns:
            The voice, as the API shows it.

        Raises:
            UserError: when the sample is none.
            Refusal: when there is no room for it.
        """
        assert self.uploads is not None
        voice = await self.uploads.add(owner, name, consent, content, taken=self.packaged)
        try:
            await self._mailbox.ask(lambda: self.load(voice))
        except UserError:
            await self.uploads.remove(voice)
            raise
        return next(shown for shown in self.uploads.of(owner) if shown["id"] == voice)

    async def remove(self, owner: str, voice: str) -> None:
        """Delete a voice of a client's. Raises `Refusal` when it is not theirs."""
        if voice in self.packaged:
            raise Refusal("The model's own voices cannot be deleted.", 403, "not_yours")
        if self.uploads is None or not self.has(owner, voice):
            raise Refusal("There is no such voice.", 404, "not_found")
        await self.uploads.remove(voice)
        self._loaded.pop(voice, None)

    async def preview(self, owner: str, voice: str) -> bytes:
        """A few seconds of the sample that a voice was made from, as a WAV file.

        Raises:
            Refusal: when there is no such voice, or no sample of it.
        """
        if not self.has(owner, voice):
            raise Refusal("There is no such voice.", 404, "not_found")
        if voice not in self.packaged:
            assert self.uploads is not None
            sample = await asyncio.to_thread(self.uploads.read, voice)
            return wav(sample[: round(PREVIEW_SECONDS * SAMPLE_RATE)])
        if voice not in self._previews:
            sound = await self._mailbox.ask(lambda: voice_sound(self.load(voice), self._model, PREVIEW_SECONDS))
            if sound is None:
                raise Refusal(f"The model brings no sample of the voice {voice}.", 404, "no_preview")
            self._previews[voice] = wav(sound)
        return self._previews[voice]
