"""Responses and conversation items of OpenAI's Realtime protocol, as the events that tell a client of them.

Knows the shapes and the order of events. Does not know when things happen, nor sockets: events are handed to a `send`.
"""

from __future__ import annotations

import base64
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from personaplex.frames import FRAME_SECONDS

Send = Callable[..., Awaitable[None]]
"""Sends an event: its type, then its fields by name."""

REMEMBERED = 100  # items that can be retrieved; older ones are forgotten


def new_id(kind: str) -> str:
    """A name that nothing else has, such as "item_1f3a…"."""
    return f"{kind}_{secrets.token_hex(10)}"


class Items:
    """The items of a conversation, as far back as they are remembered."""

    def __init__(self, send: Send):
        self._send = send
        self._items: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.last: str | None = None

    def get(self, name: str) -> dict[str, Any] | None:
        """An item by its id."""
        return self._items.get(name)

    def remove(self, name: str) -> None:
        """Forget an item."""
        self._items.pop(name, None)

    async def add(self, item: dict[str, Any]) -> None:
        """A new item."""
        previous, self.last = self.last, item["id"]
        self._items[item["id"]] = item
        while len(self._items) > REMEMBERED:
            self._items.popitem(last=False)
        await self._send("conversation.item.added", previous_item_id=previous, item=item)

    async def finish(self, item: dict[str, Any]) -> None:
        """It is whole."""
        await self._send("conversation.item.done", previous_item_id=None, item=item)


def message(role: str, name: str, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    """An item that somebody said."""
    return {
        "id": name, "object": "realtime.item", "type": "message", "status": status, "role": role, "content": content,
    }  # fmt: skip


def usage(heard: int, spoken: int, pieces: int) -> dict[str, Any]:
    """What a response used. A frame of either side counts as one audio token, a piece of text as one text token."""
    nothing = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
    return {
        "total_tokens": heard + spoken + pieces,
        "input_tokens": heard,
        "output_tokens": spoken + pieces,
        "input_token_details": {
            "text_tokens": 0, "audio_tokens": heard, "image_tokens": 0, "cached_tokens": 0,
            "cached_tokens_details": nothing,
        },
        "output_token_details": {"text_tokens": pieces, "audio_tokens": spoken},
    }  # fmt: skip


class Response:
    """One utterance of the agent's, told as a response with a single item.

    Args:
        send: for events.
        items: of the conversation.
        output: how its sound is described: `{"format": …, "voice": …}`.
        metadata: the client's, given back with it.

    Attributes:
        asked: the client asked for it, so it may wait for the agent to begin.
        frames: of sound that were sent.
        waited: frames since it was opened in which nothing was said.
    """

    def __init__(self, send: Send, items: Items, output: Mapping[str, Any], metadata: Any, asked: bool):
        self._send, self._items, self._output, self._metadata = send, items, output, metadata
        self.asked, self.frames, self.waited = asked, 0, 0
        self._name, self._item = new_id("resp"), new_id("item")
        self._transcript: list[str] = []
        self._place: dict[str, Any] = {"response_id": self._name, "output_index": 0}

    @property
    def item_id(self) -> str:
        """Of its item."""
        return self._item

    async def open(self) -> None:
        """Everything that comes before its first sound."""
        item = message("assistant", self._item, "in_progress", [])
        await self._send("response.created", response=self._describe("in_progress", [], None))
        await self._send("response.output_item.added", **self._place, item=item)
        await self._items.add(item)
        part = {"type": "audio", "transcript": ""}
        await self._send("response.content_part.added", **self._content, part=part)

    async def say(self, sound: bytes, text: str) -> None:
        """A frame of it, and the words in it."""
        if text:
            self._transcript.append(text)
            await self._send("response.output_audio_transcript.delta", **self._content, delta=text)
        if sound:
            self.frames += 1
            await self._send("response.output_audio.delta", **self._content, delta=base64.b64encode(sound).decode())

    async def close(self, heard: int, cancelled: str | None = None) -> None:
        """Everything that comes after its last sound.

        Args:
            heard: frames of the user's since the last response.
            cancelled: why it was cut short: "turn_detected" or "client_cancelled"; None when it was not.
        """
        status = "cancelled" if cancelled else "completed"
        transcript = "".join(self._transcript).strip()
        await self._send("response.output_audio.done", **self._content)
        await self._send("response.output_audio_transcript.done", **self._content, transcript=transcript)
        part = {"type": "audio", "transcript": transcript}
        await self._send("response.content_part.done", **self._content, part=part)
        item = self._items.get(self._item) or {}
        content = [{"type": "output_audio", "transcript": transcript}]
        item |= message("assistant", self._item, "incomplete" if cancelled else "completed", content)
        await self._send("response.output_item.done", **self._place, item=item)
        await self._items.finish(item)
        details = {"type": status, "reason": cancelled} if cancelled else None
        used = usage(heard, self.frames, len(self._transcript))
        await self._send("response.done", response=self._describe(status, [item], details, used))

    @property
    def _content(self) -> dict[str, Any]:
        return {**self._place, "item_id": self._item, "content_index": 0}

    def _describe(
        self, status: str, output: list[Any], details: dict[str, Any] | None, used: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return {
            "object": "realtime.response", "id": self._name, "status": status, "status_details": details,
            "output": output, "conversation_id": "conv", "output_modalities": ["audio"], "max_output_tokens": "inf",
            "audio": {"output": dict(self._output)}, "usage": used, "metadata": self._metadata,
        }  # fmt: skip


class UserTurn:
    """One utterance of the user's, told as an item once there is something to tell.

    Args:
        send: for events.
        items: of the conversation.
        began: the frame in which it began.
    """

    def __init__(self, send: Send, items: Items, began: int):
        self._send, self._items, self._began = send, items, began
        self._name = new_id("item")
        self._words: list[str] = []
        self._added = False
        self.started = False

    async def start(self) -> None:
        """Tell the client that the user speaks: it will interrupt whatever it plays."""
        if not self.started:
            self.started = True
            await self._send("input_audio_buffer.speech_started", audio_start_ms=_ms(self._began), item_id=self._name)

    async def stop(self, frame: int) -> None:
        """Tell the client that the user is silent again, if it was told before."""
        if self.started:
            await self._send("input_audio_buffer.speech_stopped", audio_end_ms=_ms(frame), item_id=self._name)

    async def hear(self, text: str) -> None:
        """A piece of the user's words."""
        await self._add()
        self._words.append(text)
        await self._send(
            "conversation.item.input_audio_transcription.delta", item_id=self._name, content_index=0, delta=text
        )

    async def finish(self, hears: bool, commit: bool = False) -> None:
        """It is over.

        Args:
            hears: the model tells what it heard, so there is a transcript, though it may be empty.
            commit: tell of it in any case.
        """
        if not (self.started or self._added or commit):
            return
        await self._send("input_audio_buffer.committed", previous_item_id=self._items.last, item_id=self._name)
        await self._add()
        transcript = "".join(self._words).strip()
        item = self._items.get(self._name) or {}
        item |= message("user", self._name, "completed", [{"type": "input_audio", "transcript": transcript or None}])
        await self._items.finish(item)
        if hears:
            await self._send(
                "conversation.item.input_audio_transcription.completed",
                item_id=self._name,
                content_index=0,
                transcript=transcript,
                usage={"type": "duration", "seconds": 0},
            )

    async def _add(self) -> None:
        if not self._added:
            self._added = True
            content = [{"type": "input_audio", "transcript": None}]
            await self._items.add(message("user", self._name, "in_progress", content))


def _ms(frame: int) -> int:
    return round(1000 * FRAME_SECONDS * frame)
