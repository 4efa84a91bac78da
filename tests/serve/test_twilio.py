"""A client shaped like Twilio's Media Streams: its messages in its order, 20 ms of μ-law each."""

import base64
import json
import time
from contextlib import contextmanager

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from personaplex.serve.g711 import decode, encode
from personaplex.serve.guard import Guard
from personaplex.serve.keys import Keys
from personaplex.serve.limits import Limits
from tests.serve.talker import PATIENCE, serving, speech

KEY = "0123456789abcdef-one"
PIECE = 160  # bytes: 20 ms at 8 kHz


@contextmanager
def call(server):
    with connect(f"{server.url.replace('http', 'ws', 1)}/twilio", open_timeout=PATIENCE, close_timeout=5) as socket:
        socket.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        yield socket


def start(socket, **parameters):
    form = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    about = {"streamSid": "MZ1", "callSid": "CA1", "tracks": ["inbound"], "mediaFormat": form}
    about["customParameters"] = parameters
    socket.send(json.dumps({"event": "start", "sequenceNumber": "1", "start": about, "streamSid": "MZ1"}))


def begin(server, socket, **parameters):
    """Start, and wait for the persona: nothing tells the caller, and what is said before is not part of the call."""
    labels = {"model": "tiny", "protocol": "twilio"}
    begun = lambda: server.service.metrics.registry.get_sample_value("personaplex_sessions_begun_total", labels)  # noqa: E731
    before, end = begun(), time.monotonic() + PATIENCE
    start(socket, **parameters)
    while begun() == before:
        assert time.monotonic() < end
        time.sleep(0.02)


def media(socket, pieces, number=[0]):  # noqa: B006 (counts on)
    for piece in pieces:
        number[0] += 1
        sound = {"track": "inbound", "chunk": str(number[0]), "timestamp": str(20 * number[0])}
        sound["payload"] = base64.b64encode(piece).decode()
        socket.send(json.dumps({"event": "media", "streamSid": "MZ1", "media": sound}))


def voice(frames):
    sound = encode(speech(frames).astype(np.float32)[::3] / 32768, "ulaw")
    return [sound[at : at + PIECE] for at in range(0, len(sound), PIECE)]


def hear(socket, pieces):
    """So many pieces of the agent's, and when each came; other messages are checked and left out."""
    heard = []
    while len(heard) < pieces:
        message = json.loads(socket.recv(timeout=PATIENCE))
        assert message["streamSid"] == "MZ1"
        if message["event"] == "media":
            heard.append((base64.b64decode(message["media"]["payload"]), time.monotonic()))
        else:
            assert message["event"] in ("mark", "clear")
    return [sound for sound, _ in heard], [at for _, at in heard]


def test_a_call(server):
    with call(server) as socket:
        begin(server, socket, role="You are wise.", voice="NATM1", seed="7", unknown="x")
        media(socket, voice(16))
        socket.send(json.dumps({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "1"}}))
        socket.send(json.dumps({"event": "mark", "streamSid": "MZ1", "mark": {"name": "utterance-1"}}))
        sound, times = hear(socket, 50)
        assert {len(piece) for piece in sound} == {PIECE}
        assert np.abs(decode(b"".join(sound), "ulaw")).max() > 0
        assert times[-1] - times[0] > 0.6 * 49 * 0.02  # paced, not in a burst
        socket.send(json.dumps({"event": "stop", "streamSid": "MZ1"}))
        with pytest.raises(ConnectionClosed):
            while True:
                socket.recv(timeout=PATIENCE)


@pytest.mark.parametrize(
    "message",
    [
        "nonsense",
        "[]",
        json.dumps({"event": "start", "start": 3}),
        json.dumps({"event": "start", "start": {"mediaFormat": {"encoding": "audio/opus"}}}),
        json.dumps({"event": "start", "start": {"customParameters": {"voice": "../../etc/passwd"}}}),
        json.dumps({"event": "media", "media": {"payload": "?"}}),
        json.dumps({"event": "media", "media": 3}),
    ],
)
def test_what_is_not_twilios_ends_the_call(server, message):
    with call(server) as socket:
        socket.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                socket.recv(timeout=PATIENCE)
        assert closed.value.rcvd.code == 1008


def test_a_key_comes_with_the_start(model):
    with serving(model, guard=Guard(Keys([KEY])), limits=Limits(handshake=3.0)) as served:
        with call(served) as socket:
            begin(served, socket, key=KEY)
            media(socket, voice(6))
            hear(socket, 4)
        for parameters in ({}, {"key": "wrong"}, None):
            with call(served) as socket:
                if parameters is not None:  # else it never says what it wants
                    start(socket, **parameters)
                with pytest.raises(ConnectionClosed) as closed:
                    while True:
                        socket.recv(timeout=PATIENCE)
                assert closed.value.rcvd.code == 1008
