"""The session object of OpenAI's Realtime protocol: what was agreed on with one client.

Knows the fields that mean something here. All others are accepted and ignored, since clients send many. What the
session says is always what is so, not what was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE
from personaplex.serve.g711 import Companded
from personaplex.serve.service import Service, Wish, with_persona
from personaplex.serve.wire import PcmWire, Wire

# Voices that clients of OpenAI's name when nobody chose one: they mean the default voice.
FOREIGN_VOICES = frozenset(
    ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse")
)
LAWS = {"audio/pcmu": "ulaw", "audio/pcma": "alaw"}
FIXED = "persona_is_fixed"
RECORD = "personaplex_record"  # a field of ours: the client consents to being recorded


class BadEvent(UserError):
    """An event of the client's that cannot be followed; the conversation goes on.

    Args:
        message: why, in one sentence.
        code: the same for programs.
        param: the field that is wrong.
    """

    def __init__(self, message: str, code: str = "invalid_value", param: str | None = None):
        super().__init__(message)
        self.code, self.param = code, param


class RealtimeSession:
    """What holds for one client.

    Args:
        service: what is served.
        wish: what the address asked for; the persona until a `session.update` names another.

    Attributes:
        wish: the persona, with sampling and seed, and whether to record.
        fixed: the persona was taken and cannot change any more.
        turn_detection: what the client asked for; None where it wants no events about the user's speech; "" where it
            said nothing.
    """

    def __init__(self, service: Service, wish: Wish):
        self._service = service
        self.wish = wish
        self.fixed = False
        self.turn_detection: Mapping[str, Any] | None | str = ""
        self._formats: dict[str, str] = {"input": "audio/pcm", "output": "audio/pcm"}
        self._transcription: Mapping[str, Any] | None = None

    def update(self, session: Any) -> str | None:
        """Take a `session.update`.

        Returns:
            A sentence about what stays as it was, or None.

        Raises:
            BadEvent: when it makes no sense; nothing is changed then.
        """
        session = _mapping(session, "session")
        if session.get("type", "realtime") != "realtime":
            raise BadEvent("Only sessions of type realtime are served here.", param="session.type")
        audio = _mapping(session.get("audio"), "session.audio")
        sides = {side: _mapping(audio.get(side), f"session.audio.{side}") for side in ("input", "output")}
        formats = {side: _format(fields.get("format"), side) for side, fields in sides.items()}
        role = session.get("instructions")
        if role is not None and not isinstance(role, str):
            raise BadEvent("instructions must be a string: the role.", param="session.instructions")
        voice = self._voice(sides["output"].get("voice"))
        record = session.get(RECORD)
        if record is not None and not isinstance(record, bool):
            raise BadEvent(f"{RECORD} must be true or false.", param=f"session.{RECORD}")
        wish = with_persona(self.wish, role, voice, record)
        refused = self.fixed and wish != self.wish
        if not self.fixed:
            self.wish = wish
        self._formats |= {side: form for side, form in formats.items() if form}
        if "turn_detection" in sides["input"]:
            asked = sides["input"]["turn_detection"]
            self.turn_detection = asked if isinstance(asked, Mapping) else None
        if "transcription" in sides["input"]:
            asked = sides["input"]["transcription"]
            self._transcription = {"model": self._service.name} if isinstance(asked, Mapping) else None
        if refused:
            return f"The persona is in place: instructions, voice and {RECORD} can change in another session only."
        return None

    def wire(self, side: str) -> Wire:
        """A new wire for the sound of one side, "input" or "output"."""
        form = self._formats[side]
        return Companded(LAWS[form]) if form in LAWS else PcmWire()

    def format(self, side: str) -> str:
        """The format of one side's sound."""
        return self._formats[side]

    def to_dict(self, name: str, expires_at: int | None) -> dict[str, Any]:
        """The session as its client sees it."""
        vad = None if self.turn_detection == "" else self.turn_detection
        return {
            "type": "realtime",
            "object": "realtime.session",
            "id": name,
            "model": self._service.name,
            "output_modalities": ["audio"],
            "instructions": self.wish.role,
            "audio": {
                "input": {
                    "format": _describe(self._formats["input"]),
                    "noise_reduction": None,
                    "transcription": self._transcription if self._service.hears else None,
                    "turn_detection": vad,
                },
                "output": {"format": _describe(self._formats["output"]), "voice": self.wish.voice or "", "speed": 1.0},
            },
            RECORD: self.wish.record and self._service.recordings is not None,
            "tools": [],
            "tool_choice": "none",
            "max_output_tokens": "inf",
            **({} if expires_at is None else {"expires_at": expires_at}),
        }

    def _voice(self, voice: Any) -> str | None:
        if isinstance(voice, Mapping):
            voice = voice.get("id")
        if voice is None or voice == "":
            return None
        if not isinstance(voice, str):
            raise BadEvent("voice must be a name or an object with an id.", param="session.audio.output.voice")
        if self._service.library.has(self.wish.owner, voice):
            return voice
        if voice.lower() in FOREIGN_VOICES or not self._service.voices:
            return None
        raise BadEvent(
            f"There is no voice {voice[:80]!r}; /v1/voices lists those that there are.",
            param="session.audio.output.voice",
        )


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadEvent(f"{name} must be an object.", param=name)
    return value


def _format(value: Any, side: str) -> str | None:
    param = f"session.audio.{side}.format"
    fields = _mapping(value, param)
    form = fields.get("type")
    if form is None:
        return None
    if form not in ("audio/pcm", *LAWS):
        raise BadEvent("The format must be audio/pcm, audio/pcmu or audio/pcma.", param=param)
    if form == "audio/pcm" and fields.get("rate") not in (None, SAMPLE_RATE):
        raise BadEvent(f"audio/pcm has {SAMPLE_RATE} samples a second here.", param=f"{param}.rate")
    return form


def _describe(form: str) -> dict[str, Any]:
    return {"type": form, "rate": SAMPLE_RATE} if form == "audio/pcm" else {"type": form}
