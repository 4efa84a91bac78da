"""What every conversation over a WebSocket has in common, whatever is spoken on it.

Coming in and being sent away, waiting for a place, listening and speaking at once, time limits, and the end. A protocol
is a subclass that knows its own messages; a conversation is a `Session` from the mailbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from personaplex.errors import UserError
from personaplex.serve.door import RETRY_SECONDS, Refusal, Visitor
from personaplex.serve.events import INTERNAL, Dropped, Failed, Ready, Spoken
from personaplex.serve.guard import refusal_response
from personaplex.serve.logs import session_name
from personaplex.serve.recordings import Recording
from personaplex.serve.service import Service, Wish
from personaplex.serve.session import Session

log = logging.getLogger(__name__)

# WebSocket close codes
DONE, REFUSED, BROKEN, TRY_LATER = 1000, 1008, 1011, 1013
REASONS = {DONE: "done", REFUSED: "refused", BROKEN: "fault", TRY_LATER: "full"}  # for metrics and logs


class Talk(ABC):
    """One client on one WebSocket, from its first byte to its last.

    Args:
        websocket: not yet accepted.
        service: what conversations are opened in.

    Attributes:
        protocol: its name in metrics and logs.
        subprotocol: the WebSocket subprotocol that is accepted where it is offered.
        session: the conversation, once it was asked for.
        visitor: who it is, once that is known.
        sounded: the event loop's time at which the client's sound last came.
        dropped_frames: of its input that were thrown away so far.
        frames: of the agent's so far.
        recording: of the conversation, where there is one.
    """

    protocol = "talk"
    subprotocol: str | None = None

    def __init__(self, websocket: WebSocket, service: Service):
        self.websocket, self.service = websocket, service
        self.session: Session | None = None
        self.visitor: Visitor | None = None
        self.dropped_frames = 0
        self.frames = 0
        self.recording: Recording | None = None
        self._began: float | None = None  # the event loop's time of `Ready`
        self.sounded = 0.0
        self._last: Spoken | None = None

    # What a protocol says and understands.

    @abstractmethod
    async def wish(self) -> Wish:
        """What the client asks for, once it has; and `self.visitor`, who it is. Raises UserError."""

    @abstractmethod
    async def receive(self, message: Mapping[str, Any]) -> None:
        """Take a message of the client's: `bytes` or `text`. Raises UserError when it ends the conversation."""

    @abstractmethod
    async def begun(self, wish: Wish) -> None:
        """The persona is in place."""

    @abstractmethod
    async def spoken(self, event: Spoken) -> None:
        """Send a frame of the agent's."""

    @abstractmethod
    async def complain(self, sentence: str, code: str) -> None:
        """Tell the client what went wrong; the socket is closed after it."""

    async def queued(self, position: int, retry_after: int) -> None:
        """Tell the client how many are before it."""
        return

    async def dropped(self, event: Dropped) -> None:
        """Tell the client that input was thrown away."""
        return

    async def ending(self, seconds: float, reason: str) -> None:
        """Tell the client that the conversation will be ended from here."""
        return

    async def unrecorded(self, reason: str) -> None:
        """Tell the client that the recording has ended and the conversation has not."""
        return

    async def second(self, last: Spoken) -> None:
        """About a second of conversation has passed; `last` is its newest frame."""
        return

    def parts(self) -> list[Coroutine[Any, Any, int]]:
        """What goes on at once; whichever ends first ends the conversation, with its close code."""
        return [self._speak(), self._watch(), self._listen()]

    # What a protocol calls.

    def hear(self, pcm: Any) -> None:
        """Give the client's sound, float32 `[n]`, to the conversation."""
        self.sounded = asyncio.get_running_loop().time()
        if self.session is not None:
            self.session.push(pcm)

    async def send(self, message: str | bytes) -> None:
        """Send a message, or give up after a while. Raises TimeoutError and WebSocketDisconnect."""
        async with asyncio.timeout(self.service.limits.send):
            if isinstance(message, str):
                await self.websocket.send_text(message)
            else:
                await self.websocket.send_bytes(message)

    # From the first byte to the last.

    async def run(self) -> None:
        """Hold the conversation; returns when it is over, for whatever reason."""
        try:
            self.admit()
        except Refusal as refusal:
            await self._turn_away(refusal)
            return
        offered = self.websocket.scope.get("subprotocols", ())
        await self.websocket.accept(self.subprotocol if self.subprotocol in offered else None)
        code = DONE
        try:
            code = await self._converse()
        except Refusal as refusal:
            self.service.metrics.refused(refusal.code)
            code = await self._say(str(refusal), TRY_LATER if refusal.retry_after else REFUSED, refusal.code)
        except UserError as error:
            code = await self._say(str(error), REFUSED, "invalid_request")
        except (WebSocketDisconnect, TimeoutError):
            code = DONE
        except Exception:
            log.exception("a conversation failed")
            self.service.metrics.fault()
            code = await self._say(INTERNAL, BROKEN, "internal_error")
        finally:
            self._write_down(code)
        await self._close(code)

    def admit(self) -> None:
        """Find out who comes and whether there is a place. Raises Refusal."""
        self.service.guard.check_origin(self.websocket)
        self.visitor = self.service.guard.visitor(self.websocket)
        self.service.door.check(self.visitor)

    async def _converse(self) -> int:
        """Listen, speak and watch the clock until one of them ends; the close code."""
        tasks = [asyncio.create_task(part) for part in self.parts()]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        # Where several ended in one turn of the loop, what the server had to say comes first.
        return next(task for task in tasks if task in done).result()

    async def _listen(self) -> int:
        """What the client sends, until it goes away."""
        while True:
            message = await self.websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect
            await self.receive(message)

    async def _speak(self) -> int:
        """What the engine says, until it ends the conversation."""
        try:
            async with asyncio.timeout(self.service.limits.handshake):
                wish = await self.wish()
        except TimeoutError:
            raise UserError(
                f"The conversation did not begin within {self.service.limits.handshake:g} s of connecting."
            ) from None
        assert self.visitor is not None
        with self.service.door.enter(self.visitor) as ticket:
            async for position in ticket.positions():
                await self.queued(position, RETRY_SECONDS)
            self.session = self.service.open(wish)
            session_name.set(self.session.name)
            try:
                return await self._host(self.session, wish)
            finally:
                self.session.close()  # before its place at the door is free for the next

    async def _host(self, session: Session, wish: Wish) -> int:
        loop = asyncio.get_running_loop()
        asked = loop.time()
        while True:
            event = await session.events.get()
            if isinstance(event, Failed):
                code = TRY_LATER if event.full else BROKEN if event.internal else REFUSED
                name = {TRY_LATER: "server_full", BROKEN: "internal_error", REFUSED: "invalid_request"}[code]
                return await self._say(event.message, code, name)
            if isinstance(event, Ready):
                self.sounded = self._began = loop.time()
                self.service.metrics.became_ready(self.protocol, self._began - asked)
                log.info("a conversation began", extra=self._facts())
                self.recording = self.service.record(session, wish, self.protocol)
                await self.begun(wish)
            elif isinstance(event, Spoken):
                self.frames += 1
                self._last = event
                await self.spoken(event)
                await self._record(event)
            elif isinstance(event, Dropped):
                self.dropped_frames = event.total
                if self.recording:
                    self.recording.event("dropped", frames=event.frames, total=event.total)
                await self.dropped(event)

    async def _record(self, event: Spoken) -> None:
        if self.recording is None:
            return
        self.recording.frame(event.user, event.pcm, event.text, event.heard)
        if (problem := self.recording.problem) is not None:
            self.recording = None
            await self.unrecorded(problem)

    async def _watch(self) -> int:
        """Ends what lasts too long; tells the client about once a second how it goes."""
        loop, limits, door, warned = asyncio.get_running_loop(), self.service.limits, self.service.door, False
        while True:
            ends: list[tuple[float, str]] = []
            if door.closes_at is not None:
                if self._began is None:
                    raise Refusal("The server is shutting down; try again in a moment.", 503, "draining", RETRY_SECONDS)
                ends.append((door.closes_at, "the server is shutting down"))
            if self._began is not None and limits.longest is not None:
                ends.append((self._began + limits.longest, f"conversations may last {limits.longest / 60:g} minutes"))
            now = loop.time()
            if ends:
                end, reason = min(ends)
                if end <= now:
                    raise UserError(f"The conversation ended because {reason}.")
                if not warned and (end - now <= limits.warning or door.closes_at is not None):
                    warned = True
                    await self.ending(end - now, reason)
            if self._began is not None:
                if now - self.sounded >= limits.idle:
                    raise UserError(f"The conversation ended because no sound came for {limits.idle:g} s.")
                ends.append((self.sounded + limits.idle, ""))
            if self._last is not None:
                await self.second(self._last)
                self._last = None
            await asyncio.sleep(max(0.01, min([1.0, *(end - loop.time() for end, _ in ends)])))

    async def _turn_away(self, refusal: Refusal) -> None:
        """Say no: with an HTTP status, or to a browser, which cannot show that to its page, with a message."""
        self.service.metrics.refused(refusal.code)
        if refusal.status == 403 or "origin" not in self.websocket.headers:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await self.websocket.send_denial_response(refusal_response(refusal))
            return
        await self.websocket.accept()
        await self._close(await self._say(str(refusal), TRY_LATER if refusal.retry_after else REFUSED, refusal.code))

    async def _say(self, sentence: str, code: int, name: str) -> int:
        """Tell the client what went wrong, if it is still there; returns the close code."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            await self.complain(sentence, name)
        return code

    async def _close(self, code: int) -> None:
        if self.websocket.application_state == WebSocketState.DISCONNECTED:
            return
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(self.service.limits.send):
                await self.websocket.close(code, REASONS[code])

    def _facts(self) -> dict[str, object]:
        name = self.session.name if self.session else ""
        owner = self.visitor.owner if self.visitor else ""
        return {"session": name, "protocol": self.protocol, "model": self.service.name, "owner": owner}

    def _write_down(self, code: int) -> None:
        if self._began is None:
            return
        if self.recording:
            self.recording.end(REASONS[code])
        seconds = asyncio.get_running_loop().time() - self._began
        self.service.metrics.ended(self.protocol, REASONS[code])
        facts = {"seconds": round(seconds, 2), "frames": self.frames, "dropped": self.dropped_frames}
        log.info("a conversation ended", extra=self._facts() | facts | {"reason": REASONS[code]})
