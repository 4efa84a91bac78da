"""OpenAI's Realtime protocol (GA) on the WebSocket `/v1/realtime`.

A full-duplex model hears and speaks all the time; this protocol thinks in turns. The agent's speech is therefore cut
into responses where it falls silent, and the user's into items. Interruptions are told of when the model has given way,
since clients stop their playback at once on that event. Knows the events; their shapes are in `realtime_events`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Coroutine, Mapping
from typing import Any

import numpy as np
from starlette.websockets import WebSocket

from personaplex.errors import UserError
from personaplex.frames import FRAME_RATE, FRAME_SAMPLES, FRAME_SECONDS
from personaplex.serve.events import Dropped, Spoken
from personaplex.serve.protocols.realtime_events import Items, Response, UserTurn, message, new_id
from personaplex.serve.protocols.realtime_session import FIXED, BadEvent, RealtimeSession
from personaplex.serve.protocols.segments import Floor
from personaplex.serve.protocols.talk import Talk
from personaplex.serve.service import Service, Wish, read_wish
from personaplex.serve.wire import PcmWire, Wire

START_SECONDS = 1.0  # that a client may take to say who the agent is; then it is the default persona
STARVED_SECONDS = 0.5  # without sound, after which the user counts as silent and the conversation goes on
ASKED_FRAMES = round(5 * FRAME_RATE)  # that a response which was asked for waits for the agent to begin
QUIET_FRAMES = round(1.0 * FRAME_RATE)  # without the user's sound and words, after which its item is whole
_SILENCE = np.zeros(FRAME_SAMPLES, np.float32)


class Realtime(Talk):
    """One client of this protocol."""

    protocol = "realtime"
    subprotocol = "realtime"

    def __init__(self, websocket: WebSocket, service: Service):
        super().__init__(websocket, service)
        self._state: RealtimeSession | None = None
        self._name = new_id("sess")
        self._go = asyncio.Event()  # it is clear who the agent is
        self._untold = False  # an update that began the conversation is answered when the persona is in place
        self._ears: Wire = PcmWire()
        self._mouth: Wire = PcmWire()
        self._items = Items(self._event)
        self._floor = Floor()
        self._frame = self._heard = self._quiet = 0
        self._turn: UserTurn | None = None
        self._response: Response | None = None
        self._asked: tuple[Any] | None = None  # a response that was asked for too early, with its metadata
        self._muted = False  # the utterance that goes on was cancelled

    # What Talk asks of a protocol.

    async def wish(self) -> Wish:
        """The persona of the first update that names one, or of the address after a short wait."""
        assert self.visitor is not None
        asked = read_wish(self.websocket.query_params, self.service, self.visitor.owner)
        self._state = RealtimeSession(self.service, asked)
        await self._event("session.created", session=self._describe())
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._go.wait()
        except TimeoutError:
            pass
        self._state.fixed = True
        return self._state.wish

    async def begun(self, wish: Wish) -> None:
        """The persona is in place."""
        if self._untold:
            await self._event("session.updated", session=self._describe())
        if self.recording:
            await self._notice("recording", "This conversation is recorded.", recording=True)
        if self._asked:
            await self._open(*self._asked, asked=True)

    async def spoken(self, event: Spoken) -> None:
        """A frame of both sides: what changed, then what is said."""
        turn = self._floor.hear(event.user, event.pcm, event.text)
        self._frame += 1
        self._heard += 1
        await self._follow_user(turn.user_began, turn.user_ended, turn.yielded, event.heard)
        sound = self._mouth.encode(event.pcm)
        if self._response is None and self._floor.agent.speaking and not self._muted:
            await self._open(None)
        if (response := self._response) is not None:
            response.waited += not (self._floor.agent.speaking or response.frames)
            if self._floor.agent.speaking:
                await response.say(sound, event.text)
            if turn.agent_ended or (response.asked and response.waited >= ASKED_FRAMES):
                await self._close_response("turn_detected" if turn.yielded else None)
        if turn.agent_ended:
            self._muted = False

    async def complain(self, sentence: str, code: str) -> None:
        """An error; the socket is closed after it."""
        kind = "server_error" if code in ("internal_error", "server_full", "draining") else "invalid_request_error"
        await self._event("error", error={"type": kind, "code": code, "message": sentence, "param": None})

    async def queued(self, position: int, retry_after: int) -> None:
        """A place in the queue."""
        await self._notice("queued", f"{position} before you.", position=position, retry_after=retry_after)

    async def dropped(self, event: Dropped) -> None:
        """Input that was thrown away."""
        sentence = "Sound was thrown away because it came faster than it can be heard."
        await self._notice("dropped", sentence, frames=event.frames, total=event.total)

    async def unrecorded(self, reason: str) -> None:
        """A recording that has ended early."""
        await self._notice("recording", f"The recording has ended: {reason}.", recording=False)

    async def ending(self, seconds: float, reason: str) -> None:
        """An end that is near."""
        await self._notice("ending", f"The conversation will end: {reason}.", seconds=round(seconds, 1))

    def parts(self) -> list[Coroutine[Any, Any, int]]:
        """Also fills in what a client does not send."""
        return [*super().parts(), self._fill()]

    async def receive(self, message: Mapping[str, Any]) -> None:
        """An event of the client's; one that makes no sense is answered with an error, and the conversation goes on."""
        text, event = message.get("text"), None
        if text is None:
            return
        try:
            event = json.loads(text)
            if not isinstance(event, dict):
                raise BadEvent("An event must be a JSON object.", "invalid_event")
            await self._obey(event)
        except (ValueError, RecursionError):
            await self._error(BadEvent("An event must be a JSON object.", "invalid_json"), None)
        except BadEvent as error:
            await self._error(error, event if isinstance(event, dict) else None)
        except UserError as error:
            await self._error(BadEvent(str(error), "invalid_audio"), event)

    # What the client asks for.

    async def _obey(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if kind == "session.update":
            await self._update(event.get("session"))
        elif kind == "input_audio_buffer.append":
            self._append(event.get("audio"))
        elif kind == "input_audio_buffer.commit":
            turn, self._turn = self._turn or UserTurn(self._event, self._items, self._frame), None
            await turn.finish(self.service.hears, commit=True)
        elif kind == "input_audio_buffer.clear":
            await self._event("input_audio_buffer.cleared")
        elif kind == "response.create":
            await self._create(event.get("response"))
        elif kind == "response.cancel":
            if self._response is None:
                raise BadEvent("There is no response to cancel.", "response_cancel_not_active")
            self._muted = self._floor.agent.speaking
            await self._close_response("client_cancelled")
        elif isinstance(kind, str) and kind.startswith("conversation.item."):
            await self._item(kind.removeprefix("conversation.item."), event)
        elif kind != "output_audio_buffer.clear":
            raise BadEvent(f"There is no event {str(kind)[:80]!r}.", "unknown_event", "type")

    async def _update(self, session: Any) -> None:
        if self._state is None:
            raise BadEvent("The session has not been created yet.", "too_early")
        before = {side: self._state.format(side) for side in ("input", "output")}
        refused = self._state.update(session)
        if before["input"] != self._state.format("input"):
            self._ears = self._state.wire("input")
        if before["output"] != self._state.format("output"):
            self._mouth = self._state.wire("output")
        names_persona = isinstance(session, dict) and session.get("instructions") is not None
        if names_persona and not self._state.fixed:
            self._untold = True
            self._go.set()
            return
        if refused:
            await self._notice(FIXED, refused)
        await self._event("session.updated", session=self._describe())

    def _append(self, audio: Any) -> None:
        if not isinstance(audio, str):
            raise BadEvent("audio must be a string in base64.", param="audio")
        try:
            sound = base64.b64decode(audio, validate=True)
        except (binascii.Error, ValueError):
            raise BadEvent("audio is not base64.", param="audio") from None
        self.hear(self._ears.decode(sound))

    async def _create(self, response: Any) -> None:
        metadata = response.get("metadata") if isinstance(response, dict) else None
        if self._response is not None:
            code = "conversation_already_has_active_response"
            raise BadEvent("The agent already speaks; a response is in progress.", code)
        if self.session is not None and self.session.live:
            await self._open(metadata, asked=True)
        else:
            self._asked = (metadata,)
            self._go.set()

    async def _item(self, verb: str, event: dict[str, Any]) -> None:
        """Items of the client's are kept and given back; a model that listens and speaks does not read them."""
        if verb == "create":
            item = event.get("item")
            if not isinstance(item, dict):
                raise BadEvent("item must be an object.", param="item")
            given = item.get("id")
            own = given if isinstance(given, str) else new_id("item")
            item = {**message("user", own, "completed", []), **item, "id": own, "status": "completed"}
            await self._items.add(item)
            await self._items.finish(item)
            return
        name = event.get("item_id", "")
        if not isinstance(name, str):
            raise BadEvent("item_id must be a string.", param="item_id")
        if verb == "retrieve":
            if (found := self._items.get(name)) is None:
                raise BadEvent(f"There is no item {name[:80]!r}.", "item_retrieve_invalid_item_id", "item_id")
            await self._event("conversation.item.retrieved", item=found)
        elif verb == "delete":
            self._items.remove(name)
            await self._event("conversation.item.deleted", item_id=name)
        elif verb == "truncate":
            end = event.get("audio_end_ms")
            where = {"content_index": 0, "audio_end_ms": end if isinstance(end, int) else 0}
            await self._event("conversation.item.truncated", item_id=name, **where)
        else:
            raise BadEvent(f"There is no event 'conversation.item.{verb[:60]}'.", "unknown_event", "type")

    # What happens.

    async def _follow_user(self, began: bool, ended: bool, yielded: bool, heard: str) -> None:
        """The user's turn: events only where the client asked for them or the model gave way."""
        assert self._state is not None
        wanted, user = self._state.turn_detection, self._floor.user
        active = bool(heard) or (user.speaking and not user.silent)
        self._quiet = 0 if active else self._quiet + 1
        if self._turn is None and active:
            self._turn = UserTurn(self._event, self._items, self._frame)
        if (turn := self._turn) is None:
            return
        asked = isinstance(wanted, Mapping) and began and not self._floor.agent.speaking
        if asked or (yielded and wanted is not None):
            await turn.start()
        if heard:
            await turn.hear(heard)
        if ended:
            await turn.stop(self._frame)
        if self._quiet >= QUIET_FRAMES:
            self._turn = None
            await turn.finish(self.service.hears)

    async def _open(self, metadata: Any, asked: bool = False) -> None:
        assert self._state is not None
        output = self._describe()["audio"]["output"]
        self._asked, self._muted = None, False
        self._response = Response(self._event, self._items, output, metadata, asked)
        await self._response.open()

    async def _close_response(self, cancelled: str | None = None) -> None:
        response, self._response = self._response, None
        heard, self._heard = self._heard, 0
        assert response is not None
        await response.close(heard, cancelled)

    async def _fill(self) -> int:
        """A client that sends nothing, between its turns, is silent: time goes on. It counts as idle all the same."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + FRAME_SECONDS, loop.time())
            await asyncio.sleep(due - loop.time())
            session = self.session
            starved = loop.time() - self.sounded > STARVED_SECONDS
            if session is not None and session.live and starved and not session.inbox.waiting:
                session.push(_SILENCE)

    # Events.

    def _describe(self) -> dict[str, Any]:
        assert self._state is not None
        longest = self.service.limits.longest
        return self._state.to_dict(self._name, None if longest is None else int(time.time() + longest))

    async def _event(self, kind: str, **fields: Any) -> None:
        await self.send(json.dumps({"type": kind, "event_id": new_id("event"), **fields}))

    async def _error(self, error: BadEvent, event: Mapping[str, Any] | None) -> None:
        about = {"type": "invalid_request_error", "code": error.code, "message": str(error), "param": error.param}
        named = event.get("event_id") if event else None
        await self._event("error", error=about | {"event_id": named if isinstance(named, str) else None})

    async def _notice(self, code: str, sentence: str, **fields: Any) -> None:
        """An event of our own, which clients that do not know it ignore; they take `error` for the end."""
        await self._event("personaplex.notice", code=code, message=sentence, **fields)
