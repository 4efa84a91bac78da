"""What clients are told when the agent gives way, frame by frame: the protocols fed with frames of known sound."""

import asyncio
import json

import numpy as np
import pytest
from starlette.websockets import WebSocket

from personaplex.serve.events import Spoken
from personaplex.serve.protocols.realtime import Realtime
from personaplex.serve.protocols.realtime_session import RealtimeSession
from personaplex.serve.protocols.segments import YIELD_FRAMES
from personaplex.serve.protocols.twilio import PIECE, Twilio
from personaplex.serve.service import read_wish
from tests.serve.talker import speech

LOUD = speech(1).astype(np.float32) / 32768
QUIET = np.zeros(1920, np.float32)
INTERRUPTED = "      ##########               ", "##########                     "
BACKCHANNEL = "      ##                   ", "##################         "
FREE_TURN = "               ######        ", "########                     "


def play(server, protocol, user, agent, before=None, heard=()):
    """What `protocol` sends while both sides sound like this (`#` for a frame of sound)."""
    sent = []

    class Recorded(protocol):
        async def send(self, message):
            sent.append(json.loads(message))

    async def scene():
        socket = WebSocket({"type": "websocket", "headers": [], "query_string": b""}, None, None)
        talk = Recorded(socket, server.service)
        if before:
            before(talk)
        for frame, (mine, its) in enumerate(zip(user, agent, strict=True)):
            sound = LOUD if its == "#" else QUIET
            words = dict(heard).get(frame, "")
            await talk.spoken(Spoken(sound, " word" if its == "#" else "", LOUD if mine == "#" else QUIET, words))

    asyncio.run(scene())
    return sent


def realtime(server, user, agent, turn_detection="", heard=()):
    def before(talk):
        talk._state = RealtimeSession(server.service, read_wish({}, server.service))
        talk._state.turn_detection = turn_detection

    return play(server, Realtime, user, agent, before, heard)


def kinds(events):
    return [event["type"] for event in events]


def test_realtime_tells_of_an_interruption_when_the_model_gives_way(server):
    events = realtime(server, *INTERRUPTED)
    told = kinds(events)
    assert told.count("input_audio_buffer.speech_started") == 1
    assert told.index("input_audio_buffer.speech_started") < told.index("response.done")
    done = next(event["response"] for event in events if event["type"] == "response.done")
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert done["usage"]["output_token_details"]["audio_tokens"] == 10 + YIELD_FRAMES - 1  # nothing after it gave way
    assert told.index("input_audio_buffer.speech_stopped") < told.index("input_audio_buffer.committed")


def test_realtime_never_tells_of_a_backchannel(server):
    for asked in ("", {"type": "server_vad"}):
        events = realtime(server, *BACKCHANNEL, turn_detection=asked)
        assert not any(kind.startswith("input_audio_buffer") for kind in kinds(events))
        (done,) = (event["response"] for event in events if event["type"] == "response.done")
        assert done["status"] == "completed"
        assert done["output"][0]["content"][0]["transcript"] == " ".join(["word"] * 18)


@pytest.mark.parametrize("asked, told", [("", 0), (None, 0), ({"type": "semantic_vad"}, 1)])
def test_realtime_tells_of_the_users_turns_only_where_that_was_asked_for(server, asked, told):
    events = kinds(realtime(server, *FREE_TURN, turn_detection=asked))
    assert events.count("input_audio_buffer.speech_started") == told
    assert events.count("input_audio_buffer.speech_stopped") == told


def test_realtime_is_silent_about_interruptions_for_a_client_that_detects_turns_itself(server):
    events = kinds(realtime(server, *INTERRUPTED, turn_detection=None))
    assert "input_audio_buffer.speech_started" not in events and events.count("response.done") == 1


def test_realtime_tells_what_the_model_heard(server, monkeypatch):
    monkeypatch.setattr(server.service, "hears", True)
    user, agent = "  ####                 ", " " * 23
    events = realtime(server, user, agent, heard={4: " who", 7: " are", 8: " you"}.items())
    deltas = [event["delta"] for event in events if event["type"].endswith("input_audio_transcription.delta")]
    assert deltas == [" who", " are", " you"]
    completed = [event for event in events if event["type"].endswith("input_audio_transcription.completed")]
    assert [event["transcript"] for event in completed] == ["who are you"]
    assert kinds(events)[0] == "conversation.item.added"


def test_twilio_clears_what_waits_when_the_agent_gives_way(server):
    assert [event["event"] for event in play(server, Twilio, *INTERRUPTED)] == ["clear"]
    assert play(server, Twilio, *BACKCHANNEL) == []


def test_twilio_marks_the_end_of_what_was_said(server):
    waiting = []
    play(server, Twilio, *BACKCHANNEL, before=lambda talk: waiting.append(talk._waiting))
    marks = [entry for entry in waiting[0] if isinstance(entry, str)]
    assert marks == ["utterance-1"]
    assert all(len(entry) == PIECE for entry in waiting[0] if isinstance(entry, bytes))
