"""OpenAI's Realtime protocol over a real socket: the order of events, and what clients trip over."""

import base64
import json
from contextlib import contextmanager
from urllib.parse import urlencode

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from personaplex.frames import FRAME_SAMPLES
from personaplex.serve.g711 import decode
from tests.serve.talker import PATIENCE, serving, speech

VOICED = {"instructions": "You are a wise teacher.", "audio": {"output": {"voice": "NATM1"}}}


class Client:
    """One WebSocket on /v1/realtime."""

    def __init__(self, socket):
        self.socket, self.seen = socket, []

    def send(self, kind, **fields):
        self.socket.send(json.dumps({"type": kind, **fields}))

    def say(self, pcm):
        """Speak: int16 `[n]`, a second at a time."""
        data = pcm.astype("<i2").tobytes()
        for at in range(0, len(data), 48_000):
            self.send("input_audio_buffer.append", audio=base64.b64encode(data[at : at + 48_000]).decode())

    def until(self, kind):
        """The next event of a kind; those before it are in `seen`."""
        while True:
            event = json.loads(self.socket.recv(timeout=PATIENCE))
            assert event["event_id"]
            self.seen.append(event)
            if event["type"] == kind:
                return event
            assert event["type"] != "error", event

    def kinds(self):
        return [event["type"] for event in self.seen]

    def begin(self, **session):
        self.until("session.created")
        self.send("session.update", session={"type": "realtime", **VOICED, **session})
        return self.until("session.updated")["session"]


@contextmanager
def client(server, **query):
    address = f"{server.url.replace('http', 'ws', 1)}/v1/realtime?{urlencode({'model': 'gpt-realtime', **query})}"
    with connect(address, subprotocols=["realtime"], open_timeout=PATIENCE, close_timeout=5) as socket:
        assert socket.subprotocol == "realtime"
        yield Client(socket)


def test_a_session_says_what_is_so(server):
    with client(server) as talk:
        created = talk.until("session.created")["session"]
        assert created["type"] == "realtime" and created["model"] == "tiny" and created["id"].startswith("sess_")
        assert created["audio"]["output"]["voice"] == "NATF2"
        talk.send(
            "session.update", session={"type": "realtime", "some": {"thing": 1}, "tools": [{}], "tracing": "auto"}
        )
        assert talk.until("session.updated")["session"]["tools"] == []  # unknown and unsupported fields do no harm
        talk.send("session.update", session={"type": "realtime", **VOICED})
        session = talk.until("session.updated")["session"]
    assert session["instructions"] == "You are a wise teacher." and session["audio"]["output"]["voice"] == "NATM1"
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}


@pytest.mark.parametrize("voice, becomes", [({"id": "VARF0"}, "VARF0"), ("marin", "NATF2"), (None, "NATF2")])
def test_voices(server, voice, becomes):
    with client(server) as talk:
        session = talk.begin(audio={"output": {"voice": voice}})
        assert session["audio"]["output"]["voice"] == becomes


def test_a_response_from_its_first_event_to_its_last(server):
    with client(server, seed=1) as talk:
        talk.begin()
        talk.say(speech(15))
        deltas = [talk.until("response.output_audio.delta") for _ in range(10)]
        talk.send("response.cancel")
        done = talk.until("response.done")["response"]
    kinds = talk.kinds()
    start = kinds.index("response.created")
    assert kinds[start : start + 4] == [
        "response.created", "response.output_item.added", "conversation.item.added", "response.content_part.added",
    ]  # fmt: skip
    assert kinds[-6:] == [
        "response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done",
        "response.output_item.done", "conversation.item.done", "response.done",
    ]  # fmt: skip
    assert {(delta["response_id"], delta["item_id"]) for delta in deltas} == {(done["id"], done["output"][0]["id"])}
    assert done["status"] == "cancelled" and done["status_details"]["reason"] == "client_cancelled"
    said = "".join(event["delta"] for event in talk.seen if event["type"] == "response.output_audio_transcript.delta")
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": said.strip()}] and said.strip()
    usage = done["usage"]
    assert usage["output_token_details"]["audio_tokens"] == kinds.count("response.output_audio.delta")
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0
    assert usage["input_token_details"]["cached_tokens_details"] is not None
    sound = np.frombuffer(base64.b64decode(deltas[0]["delta"]), "<i2")
    assert len(sound) == FRAME_SAMPLES


@pytest.mark.parametrize("form, law", [("audio/pcmu", "ulaw"), ("audio/pcma", "alaw")])
def test_telephone_formats_both_ways(server, form, law):
    from personaplex.serve.g711 import encode

    side = {"format": {"type": form}}
    with client(server) as talk:
        session = talk.begin(audio={"input": side, "output": side})
        assert session["audio"]["input"]["format"] == session["audio"]["output"]["format"] == {"type": form}
        sound = speech(24).astype(np.float32)[::3] / 32768  # 8 kHz
        talk.send("input_audio_buffer.append", audio=base64.b64encode(encode(sound, law)).decode())
        parts = [talk.until("response.output_audio.delta")["delta"] for _ in range(15)]
    heard = np.concatenate([decode(base64.b64decode(part), law) for part in parts])
    assert abs(len(heard) - 15 * 640) <= 640 and np.abs(heard).max() > 0


def test_the_persona_cannot_change_any_more_and_a_client_that_tries_goes_on(server):
    with client(server) as talk:
        before = talk.begin()
        talk.send("session.update", session={"type": "realtime", "instructions": "You are a pirate."})
        assert talk.until("personaplex.notice")["code"] == "persona_is_fixed"
        assert talk.until("session.updated")["session"]["instructions"] == before["instructions"]
        talk.send("session.update", session={"type": "realtime", **VOICED})  # what it is already
        talk.until("session.updated")
        assert talk.kinds().count("personaplex.notice") == 1
        talk.say(speech(3))
        talk.until("response.output_audio.delta")


def test_a_client_that_says_nothing_about_the_persona_gets_the_default_one(server):
    with client(server) as talk:
        talk.until("session.created")
        talk.send("response.create", response={"metadata": {"topic": "any"}})  # begins without waiting
        assert talk.until("response.created")["response"]["metadata"] == {"topic": "any"}
        talk.until("response.output_audio.delta")  # time goes on though nothing was sent


def update(**audio):
    return {"type": "session.update", "session": {"audio": audio}}


@pytest.mark.parametrize(
    "event, code",
    [
        ("nonsense", "invalid_json"),
        ("[1]", "invalid_event"),
        ("[" * 5000, "invalid_json"),
        ({"type": "no.such"}, "unknown_event"),
        ({"type": 7}, "unknown_event"),
        ({"type": "input_audio_buffer.append", "audio": "?"}, "invalid_value"),
        ({"type": "input_audio_buffer.append", "audio": "AAAA"}, "invalid_audio"),
        ({"type": "input_audio_buffer.append"}, "invalid_value"),
        ({"type": "session.update", "session": []}, "invalid_value"),
        ({"type": "session.update", "session": {"type": "transcription"}}, "invalid_value"),
        (update(output={"voice": "NATF99"}), "invalid_value"),
        (update(input={"format": {"type": "audio/mp3"}}), "invalid_value"),
        (update(input={"format": {"type": "audio/pcm", "rate": 8000}}), "invalid_value"),
        ({"type": "response.cancel"}, "response_cancel_not_active"),
        ({"type": "conversation.item.retrieve", "item_id": "none"}, "item_retrieve_invalid_item_id"),
        ({"type": "conversation.item.create", "item": 3}, "invalid_value"),
    ],
)  # fmt: skip
def test_an_event_that_makes_no_sense_is_answered_and_the_conversation_goes_on(server, event, code):
    with client(server) as talk:
        talk.until("session.created")
        named = {**event, "event_id": "mine"} if isinstance(event, dict) else event
        talk.socket.send(named if isinstance(named, str) else json.dumps(named))
        with pytest.raises(AssertionError):
            talk.until("nothing")
        error = talk.seen[-1]["error"]
        assert error["code"] == code and error["message"].endswith(".")
        assert error["event_id"] == ("mine" if isinstance(event, dict) else None)
        talk.send("session.update", session={"type": "realtime", **VOICED})
        talk.until("session.updated")


def test_items_of_the_clients_are_kept(server):
    with client(server) as talk:
        talk.begin()
        item = {"type": "message", "role": "user", "id": "mine", "content": [{"type": "input_text", "text": "Hello"}]}
        talk.send("conversation.item.create", item=item)
        assert talk.until("conversation.item.done")["item"]["content"] == item["content"]
        talk.send("conversation.item.retrieve", item_id="mine")
        assert talk.until("conversation.item.retrieved")["item"]["id"] == "mine"
        talk.send("conversation.item.truncate", item_id="mine", content_index=0, audio_end_ms=100)
        assert talk.until("conversation.item.truncated")["audio_end_ms"] == 100
        talk.send("conversation.item.delete", item_id="mine")
        talk.until("conversation.item.deleted")
        talk.send("input_audio_buffer.clear")
        talk.until("input_audio_buffer.cleared")
        talk.send("input_audio_buffer.commit")
        talk.until("input_audio_buffer.committed")


def test_a_query_that_makes_no_sense_ends_it(server):
    with client(server, seed="x") as talk:
        error = json.loads(talk.socket.recv(timeout=PATIENCE))
        assert error["type"] == "error" and "seed must be" in error["error"]["message"]
        with pytest.raises(ConnectionClosed) as closed:
            talk.socket.recv(timeout=PATIENCE)
        assert closed.value.rcvd.code == 1008


def test_one_who_waits_is_told_where(model):
    with serving(model, sessions=1, queue=1) as served, client(served) as first:
        first.begin()
        with client(served) as second:
            second.until("session.created")
            second.send("session.update", session={"type": "realtime", **VOICED})
            assert second.until("personaplex.notice")["position"] == 1
            first.socket.close()
            second.until("session.updated")
