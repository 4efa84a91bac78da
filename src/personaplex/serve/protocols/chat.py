"""The binary WebSocket `/api/chat` that Moshi's and PersonaPlex's clients speak.

The first byte of a message is its kind, the rest its payload (docs/protocols.md). Knows this wire format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from starlette.websockets import WebSocket

from personaplex.errors import UserError
from personaplex.serve.events import Dropped, Spoken
from personaplex.serve.protocols.segments import Speech
from personaplex.serve.protocols.talk import Talk
from personaplex.serve.service import Service, Wish, read_wish, whole
from personaplex.serve.wire import OpusWire, PcmWire, RawOpusWire, Wire

WIRES: dict[str, type[Wire]] = {"opus": OpusWire, "pcm": PcmWire, "opus-raw": RawOpusWire}


class Kind(IntEnum):
    """The first byte of a message."""

    HANDSHAKE = 0
    AUDIO = 1
    TEXT = 2
    CONTROL = 3
    METADATA = 4
    ERROR = 5
    PING = 6


class Chat(Talk):
    """One client of this protocol."""

    protocol = "chat"

    def __init__(self, websocket: WebSocket, service: Service):
        super().__init__(websocket, service)
        self._meta = False
        self._wire: Wire | None = None
        self._speech = Speech()

    async def wish(self) -> Wish:
        """Everything is in the query."""
        query = self.websocket.query_params
        form = query.get("format") or "opus"
        if form not in WIRES:
            raise UserError(f"format must be {', '.join(list(WIRES)[:-1])} or {list(WIRES)[-1]}.")
        self._meta = bool(whole(query, "meta", 0, 0, 1)) or form != "opus"
        wish = read_wish(query, self.service, self.visitor.owner if self.visitor else "")
        self._wire = WIRES[form]()
        return wish

    async def receive(self, message: Mapping[str, Any]) -> None:
        """Sound and pings; anything else is ignored."""
        data = message.get("bytes")
        if not data:  # text, or nothing at all: neither is part of the protocol
            return
        if data[0] == Kind.AUDIO and self._wire is not None:
            self.hear(self._wire.decode(data[1:]))
        elif data[0] == Kind.PING:
            await self._send(Kind.PING, data[1:126])

    async def begun(self, wish: Wish) -> None:
        """The handshake, and what the conversation is."""
        await self._send(Kind.HANDSHAKE)
        if self._meta:
            assert self.session is not None
            await self._tell(
                event="session",
                id=self.session.name,
                model=self.service.name,
                voice=wish.voice,
                seed=wish.seed,
                synthetic=True,
                recording=self.recording is not None,
                max_seconds=self.service.limits.longest,
                hears=self.service.hears,
            )

    async def spoken(self, event: Spoken) -> None:
        """A frame of sound, its words, and what goes with them."""
        assert self._wire is not None
        if sound := self._wire.encode(event.pcm):
            await self._send(Kind.AUDIO, sound)
        if event.text:
            await self._send(Kind.TEXT, event.text.encode())
        if not self._meta:
            return
        if event.heard:
            await self._tell(event="heard", text=event.heard)
        if self._speech.hear(event.pcm, event.text):
            await self._tell(event="state", speaking=self._speech.speaking)

    async def queued(self, position: int, retry_after: int) -> None:
        """A place in the queue."""
        if self._meta:
            await self._tell(event="queued", position=position, retry_after=retry_after)

    async def dropped(self, event: Dropped) -> None:
        """Input that was thrown away: every client is told, since it hears the gap."""
        await self._tell(event="dropped", frames=event.frames, total=event.total)

    async def unrecorded(self, reason: str) -> None:
        """A recording that has ended early."""
        if self._meta:
            await self._tell(event="recording", recording=False, reason=reason)

    async def ending(self, seconds: float, reason: str) -> None:
        """An end that is near."""
        if self._meta:
            await self._tell(event="ending", seconds=round(seconds, 1), reason=reason)

    async def second(self, last: Spoken) -> None:
        """How the server keeps up."""
        if self._meta:
            await self._tell(event="stats", tick_ms=round(last.tick_ms, 2), late=last.late, queue=last.queue)

    async def complain(self, sentence: str, code: str) -> None:
        """An error message."""
        await self._send(Kind.ERROR, sentence.encode())

    async def _tell(self, **fields: object) -> None:
        await self._send(Kind.METADATA, json.dumps(fields).encode())

    async def _send(self, kind: Kind, payload: bytes = b"") -> None:
        await self.send(bytes([kind]) + payload)
