"""Twilio's Media Streams on the WebSocket `/twilio`: a telephone call.

JSON messages with G.711 μ-law in base64, 8 kHz. What the agent says goes out in pieces of 20 ms, each when it is due;
Twilio plays them one after the other, so `clear` stops it at once when the agent has given way. Who the agent is comes
in `customParameters` of the `<Stream>`, by the names of `/api/chat`'s query (and `role`, `voice`, `key`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from personaplex.errors import UserError
from personaplex.serve.events import Spoken
from personaplex.serve.g711 import RATE, Companded
from personaplex.serve.protocols.segments import Floor
from personaplex.serve.protocols.talk import Talk
from personaplex.serve.service import Service, Wish, read_wish

PIECE_SECONDS = 0.02
PIECE = round(RATE * PIECE_SECONDS)  # bytes
LONGEST_SECONDS = 2.0  # of sound that waits to be sent; the oldest goes past it
ALIASES = {"role": "text_prompt", "voice": "voice_prompt"}


class Twilio(Talk):
    """One call."""

    protocol = "twilio"

    def __init__(self, websocket: WebSocket, service: Service):
        super().__init__(websocket, service)
        self._stream = ""
        self._start: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._wire = Companded("ulaw")
        self._floor = Floor()
        self._waiting: deque[bytes | str] = deque()  # pieces of sound, and names of marks between them
        self._rest = b""
        self._utterances = 0

    def admit(self) -> None:
        """Twilio cannot bring a key before its first message; there `wish` asks for it."""
        self.service.guard.check_origin(self.websocket)

    async def wish(self) -> Wish:
        """What `start` says."""
        start = await self._start
        given = start.get("customParameters")
        given = {str(name): str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}
        self.visitor = self.service.guard.visitor(self.websocket, given.pop("key", None))
        asked = {ALIASES.get(name, name): value for name, value in given.items()}
        return read_wish(asked, self.service, self.visitor.owner)

    async def receive(self, message: Mapping[str, Any]) -> None:
        """A message of Twilio's. `connected`, `dtmf` and `mark` ask for nothing."""
        try:
            event = json.loads(message.get("text") or "null")
        except (ValueError, RecursionError):
            raise UserError("A message is not JSON.") from None
        if not isinstance(event, dict):
            raise UserError("A message must be a JSON object.")
        kind = event.get("event")
        if kind == "start" and not self._start.done():
            self._begin(event)
        elif kind == "media":
            self._media(event.get("media"))
        elif kind == "stop":
            raise WebSocketDisconnect

    async def begun(self, wish: Wish) -> None:
        """Nothing to tell: the caller hears the agent."""

    async def spoken(self, event: Spoken) -> None:
        """Cut into pieces for `_pace`; a mark behind each utterance; everything dropped when the agent gave way."""
        turn = self._floor.hear(event.user, event.pcm, event.text)
        if turn.yielded:
            self._waiting.clear()
            self._rest = b""
            await self._tell("clear")
        sound = self._rest + self._wire.encode(event.pcm)
        whole = len(sound) // PIECE * PIECE
        self._waiting.extend(sound[at : at + PIECE] for at in range(0, whole, PIECE))
        self._rest = sound[whole:]
        if turn.agent_ended:
            self._utterances += 1
            self._waiting.append(f"utterance-{self._utterances}")
        while len(self._waiting) * PIECE_SECONDS > LONGEST_SECONDS:
            self._waiting.popleft()

    async def complain(self, sentence: str, code: str) -> None:
        """Twilio has no error message; the reason is in the log of the stream."""
        await self._tell("mark", mark={"name": f"error: {sentence}"[:200]})

    def parts(self) -> list[Coroutine[Any, Any, int]]:
        """Also sends what waits, at its pace."""
        return [*super().parts(), self._pace()]

    async def _pace(self) -> int:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + PIECE_SECONDS, loop.time() - LONGEST_SECONDS)
            await asyncio.sleep(max(0.0, due - loop.time()))
            while self._waiting and isinstance(self._waiting[0], str):
                await self._tell("mark", mark={"name": self._waiting.popleft()})
            if self._waiting:
                piece = self._waiting.popleft()
                assert isinstance(piece, bytes)
                await self._tell("media", media={"payload": base64.b64encode(piece).decode()})
            else:
                due = loop.time()  # nothing was due: no hurry later

    def _begin(self, event: Mapping[str, Any]) -> None:
        start = event.get("start")
        if not isinstance(start, Mapping):
            raise UserError("start must be an object.")
        form = start.get("mediaFormat")
        wanted = {"encoding": "audio/x-mulaw", "sampleRate": RATE, "channels": 1}
        if isinstance(form, Mapping) and any(form.get(name, value) != value for name, value in wanted.items()):
            raise UserError(f"The stream's format must be audio/x-mulaw, {RATE} Hz, one channel.")
        self._stream = str(event.get("streamSid") or start.get("streamSid") or "")
        self._start.set_result(start)

    def _media(self, media: Any) -> None:
        if not isinstance(media, Mapping) or not isinstance(media.get("payload"), str):
            raise UserError("media must be an object with a payload.")
        if media.get("track", "inbound") != "inbound":
            return
        try:
            sound = base64.b64decode(media["payload"], validate=True)
        except (binascii.Error, ValueError):
            raise UserError("The payload of a media message is not base64.") from None
        self.hear(self._wire.decode(sound))

    async def _tell(self, kind: str, **fields: Any) -> None:
        await self.send(json.dumps({"event": kind, "streamSid": self._stream, **fields}))
