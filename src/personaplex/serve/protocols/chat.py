"""The binary WebSocket `/api/chat` that Moshi's and PersonaPlex's clients speak.

The first byte of a message is its kind, the rest its payload (docs/serving.md). Knows this wire format and what its
query parameters mean; a conversation is a `Session` from the mailbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from personaplex.errors import UserError
from personaplex.lm.sampling import Sampling
from personaplex.serve.mailbox import INTERNAL, Dropped, Failed, Ready, Session, Spoken
from personaplex.serve.service import Service
from personaplex.serve.wire import OpusWire, PcmWire, Wire

log = logging.getLogger(__name__)

IDLE_SECONDS = 60.0  # without any sound from the client
SEND_SECONDS = 10.0  # for one message to leave

# WebSocket close codes
DONE, REFUSED, BROKEN, TRY_LATER = 1000, 1008, 1011, 1013


class Kind(IntEnum):
    """The first byte of a message."""

    HANDSHAKE = 0
    AUDIO = 1
    TEXT = 2
    CONTROL = 3
    METADATA = 4
    ERROR = 5
    PING = 6


@dataclass(frozen=True)
class ChatRequest:
    """What a client asks for in its query.

    Attributes:
        voice: name of a voice that the model has; None where it has none.
        role: the role text, may be empty.
        sampling: how tokens are chosen.
        seed: of the conversation's chance.
        pcm: 16-bit PCM instead of Ogg/Opus, and a metadata message at the start.
    """

    voice: str | None
    role: str
    sampling: Sampling
    seed: int
    pcm: bool = False


def read_request(query: Mapping[str, str], service: Service) -> ChatRequest:
    """Understand a query. An absent or empty parameter takes its default, except that an empty role is no role.

    Raises:
        UserError: when a value makes no sense, or the model has no such voice.
    """
    voice = (query.get("voice_prompt") or "").removesuffix(".pt") or service.default_voice
    if voice is not None and voice not in service.voices:
        raise UserError(f"There is no voice {voice[:80]!r}; /api/voices lists those that there are.")
    form = query.get("format") or "opus"
    if form not in ("opus", "pcm"):
        raise UserError("format must be opus or pcm.")
    plain = Sampling()
    sampling = Sampling(
        temp_audio=_temperature(query, "audio_temperature", plain.temp_audio),
        topk_audio=_whole(query, "audio_topk", plain.topk_audio, 0, 1 << 20),
        temp_text=_temperature(query, "text_temperature", plain.temp_text),
        topk_text=_whole(query, "text_topk", plain.topk_text, 0, 1 << 20),
    )
    seed = _whole(query, "seed", -1, -1, (1 << 63) - 1)
    return ChatRequest(
        voice=voice,
        role=query.get("text_prompt", service.default_role),
        sampling=sampling,
        seed=secrets.randbits(31) if seed == -1 else seed,
        pcm=form == "pcm",
    )


def _temperature(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 10:  # also refuses NaN
        raise UserError(f"{name} must be a number above 0 and at most 10; it was {text[:80]!r}.")
    return value


def _whole(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = query.get(name) or str(default)
    try:
        value = int(text[:40])
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise UserError(f"{name} must be a whole number from {low} to {high}; it was {text[:80]!r}.")
    return value


class Chat:
    """One client on one WebSocket, from its first byte to its last.

    Args:
        websocket: not yet accepted.
        service: what conversations are opened in.
        idle: seconds without sound after which the conversation ends.
    """

    def __init__(self, websocket: WebSocket, service: Service, idle: float = IDLE_SECONDS):
        self._websocket = websocket
        self._service = service
        self._idle = idle

    async def run(self) -> None:
        """Hold the conversation; returns when it is over, for whatever reason."""
        await self._websocket.accept()
        session = None
        try:
            request = read_request(self._websocket.query_params, self._service)
            wire: Wire = PcmWire() if request.pcm else OpusWire()
            session = self._service.open(request.role, request.voice, request.sampling, request.seed)
            code = await self._talk(session, wire, request)
        except UserError as error:
            code = await self._say(str(error), REFUSED)
        except (WebSocketDisconnect, TimeoutError):
            code = DONE
        except Exception:
            log.exception("a chat failed")
            code = await self._say(INTERNAL, BROKEN)
        finally:
            if session is not None:
                session.close()
        await self._close(code)

    async def _talk(self, session: Session, wire: Wire, request: ChatRequest) -> int:
        """Listen and speak at once until either ends; the close code."""
        listening = asyncio.create_task(self._listen(session, wire))
        speaking = asyncio.create_task(self._speak(session, wire, request))
        both = (listening, speaking)
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        # Where both ended in one turn of the loop, what the server had to say comes first.
        return (speaking if speaking in done else listening).result()

    async def _listen(self, session: Session, wire: Wire) -> int:
        """What the client sends, until it goes away."""
        deadline = asyncio.get_running_loop().time() + self._idle
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    message = await self._websocket.receive()
            except TimeoutError:
                raise UserError(f"The conversation ended because no sound came for {self._idle:g} s.") from None
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect
            data = message.get("bytes")
            if not data:  # text, or nothing at all: neither is part of the protocol
                continue
            if data[0] == Kind.AUDIO:
                session.push(wire.decode(data[1:]))
                deadline = asyncio.get_running_loop().time() + self._idle
            elif data[0] == Kind.PING:
                await self._send(Kind.PING, data[1:126])

    async def _speak(self, session: Session, wire: Wire, request: ChatRequest) -> int:
        """What the engine says, until it ends the conversation."""
        while True:
            event = await session.events.get()
            if isinstance(event, Ready):
                await self._send(Kind.HANDSHAKE)
                if request.pcm:
                    await self._tell(
                        event="session",
                        model=self._service.name,
                        voice=request.voice,
                        seed=request.seed,
                        synthetic=True,
                    )
            elif isinstance(event, Spoken):
                if sound := wire.encode(event.pcm):
                    await self._send(Kind.AUDIO, sound)
                if event.text:
                    await self._send(Kind.TEXT, event.text.encode())
            elif isinstance(event, Dropped):
                await self._tell(event="dropped", frames=event.frames, total=event.total)
            elif isinstance(event, Failed):
                code = TRY_LATER if event.full else BROKEN if event.internal else REFUSED
                return await self._say(event.message, code)

    async def _tell(self, **fields: object) -> None:
        await self._send(Kind.METADATA, json.dumps(fields).encode())

    async def _say(self, sentence: str, code: int) -> int:
        """Tell the client what went wrong, if it is still there; returns the code."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            await self._send(Kind.ERROR, sentence.encode())
        return code

    async def _send(self, kind: Kind, payload: bytes = b"") -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self._websocket.send_bytes(bytes([kind]) + payload)

    async def _close(self, code: int) -> None:
        if self._websocket.application_state == WebSocketState.DISCONNECTED:
            return
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(SEND_SECONDS):
                await self._websocket.close(code)
