"""What must not harm anybody else: a fault in one conversation, clients that misbehave, whatever comes over a wire."""

import base64
import contextlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import httpx
import numpy as np
import pytest
import sphn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from personaplex.engine import Conversation
from personaplex.serve.limits import Limits
from personaplex.serve.protocols.chat import Kind
from tests.serve.talker import PATIENCE, serving, speech

FUZZ = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def faults(server):
    """Faults of ours so far."""
    return server.service.metrics.registry.get_sample_value("personaplex_faults_total", {"model": "tiny"}) or 0


def emptied(server):
    """Wait until everybody has left."""
    end = time.monotonic() + PATIENCE
    while server.service.mailbox.sessions or server.service.door.inside:
        assert time.monotonic() < end
        time.sleep(0.01)
    return True


def well(server):
    """Whether a conversation can be held, as if nothing had happened."""
    assert emptied(server)
    with server.talk(seed=5) as talker:
        talker.begin()
        talker.say(speech(3))
        return len(talker.hear(3)[0]) == 3


def test_a_fault_in_one_conversation_ends_that_one(model, monkeypatch, caplog):
    plain = Conversation.pull

    def sick(self):
        if self.seed == 666:
            raise RuntimeError("sick")
        return plain(self)

    monkeypatch.setattr(Conversation, "pull", sick)
    with serving(model, sessions=2, backlog=500) as served:
        with served.talk(seed=5) as talker:
            talker.begin()
            talker.say(speech(6))
            alone = talker.hear(6)[0]
        with served.talk(seed=5) as good, served.talk(seed=666) as bad:
            good.begin(), bad.begin()
            bad.say(speech(2))
            message, code = bad.error()
            assert "fault in the server" in message and "sick" not in message and code == 1011
            good.say(speech(6))
            assert np.array_equal(good.hear(6)[0], alone)
        assert faults(served) == 1 and "sick" in caplog.text


def test_many_who_come_and_go_at_once(server):
    """At least a hundred a second, some in the middle of the handshake, of a message or of nothing at all."""
    host, port = server.url.removeprefix("http://").split(":")

    def visit(number):
        if number % 3 == 0:
            with socket.create_connection((host, int(port)), timeout=PATIENCE) as raw:
                raw.sendall(b"GET /api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConn"[: number + 10])
            return
        with contextlib.suppress(InvalidStatus, ConnectionClosed, OSError), server.talk() as talker:
            if number % 3 == 1:
                talker.socket.socket.close()

    begin = time.monotonic()
    with ThreadPoolExecutor(20) as crowd:
        assert len(list(crowd.map(visit, range(200)))) == 200
    print(f"{200 / (time.monotonic() - begin):.0f} a second")
    assert faults(server) == 0 and well(server)


def test_a_client_that_does_not_read_is_let_go_and_the_others_do_not_notice(model):
    with serving(model, sessions=2, backlog=100_000, limits=Limits(send=0.5)) as served, served.talk(seed=5) as good:
        good.begin()
        host, port = served.url.removeprefix("http://").split(":")
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.connect((host, int(port)))
        with connect(f"ws://{host}:{port}/api/chat?format=pcm", sock=narrow, close_timeout=1) as deaf:
            assert deaf.recv(timeout=PATIENCE) == bytes([Kind.HANDSHAKE])
            end = time.monotonic() + PATIENCE
            with contextlib.suppress(ConnectionClosed, OSError):
                while served.service.door.inside == 2:  # it speaks and never listens
                    assert time.monotonic() < end
                    deaf.send(bytes([Kind.AUDIO]) + speech(30).tobytes())
                    time.sleep(0.02)
            good.say(speech(2))
            assert len(good.hear(2)[0]) == 2
            with contextlib.suppress(OSError):  # the server may have closed it already
                narrow.shutdown(socket.SHUT_RDWR)
        assert faults(served) == 0


def test_two_personas_at_once_over_two_protocols_never_mix(server):
    """The reference server kept one prompt for all: what one client asked for, the next one heard."""

    def chat(role):
        with server.talk(seed=3, text_prompt=role) as talker:
            talker.begin()
            yield
            talker.say(speech(8))
            yield talker.hear(8)

    def both(*roles):
        talks = [chat(role) for role in roles]
        for talk in talks:
            next(talk)
        return [next(talk) for talk in talks]

    one, other = "You are wise.", "You are a friendly teacher."
    ((alone, words),) = both(one)
    assert emptied(server)
    for roles, mine in (((one, other), 0), ((other, one), 1)):
        heard = both(*roles)
        assert np.array_equal(heard[mine][0], alone) and heard[mine][1] == words
        assert not np.array_equal(heard[1 - mine][0], alone)
        assert emptied(server)


# Whatever comes over a wire.

OPUS = bytes(sphn.OpusStreamWriter(24_000).append_pcm(np.zeros(9600, np.float32)))
BYTES = some.one_of(some.binary(max_size=300), some.integers(0, len(OPUS)).map(lambda cut: OPUS[cut:]), some.just(OPUS))
JUNK = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
AUDIO = some.one_of(JUNK, BYTES.map(lambda data: base64.b64encode(data).decode()))
SESSION = some.fixed_dictionaries(
    {},
    optional={
        "type": JUNK | some.just("realtime"),
        "instructions": JUNK | some.text(max_size=50),
        "audio": JUNK
        | some.fixed_dictionaries(
            {},
            optional={
                side: JUNK
                | some.fixed_dictionaries(
                    {},
                    optional={
                        "format": JUNK | some.sampled_from([{"type": "audio/pcmu"}, {"type": "audio/pcm"}]),
                        "voice": JUNK | some.sampled_from(["NATM1", {"id": "NATF0"}]),
                        "turn_detection": JUNK | some.just({"type": "server_vad"}),
                    },
                )
                for side in ("input", "output")
            },
        ),
    },
)
REALTIME = some.one_of(
    JUNK,
    some.fixed_dictionaries(
        {
            "type": JUNK
            | some.sampled_from(
                ["session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "response.create"]
                + ["input_audio_buffer.clear", "response.cancel", "conversation.item.create"]
                + ["conversation.item.retrieve", "conversation.item.truncate", "conversation.item.delete", "a"]
            )
        },
        optional={"session": JUNK | SESSION, "audio": AUDIO}
        | dict.fromkeys(["item", "item_id", "response", "event_id"], JUNK),
    ),
)  # fmt: skip
TWILIO = some.one_of(
    JUNK,
    some.fixed_dictionaries(
        {"event": JUNK | some.sampled_from(["connected", "start", "media", "mark", "dtmf", "stop"])},
        optional={
            "streamSid": JUNK,
            "start": JUNK | some.fixed_dictionaries({}, optional={"customParameters": JUNK, "mediaFormat": JUNK}),
            "media": JUNK | some.fixed_dictionaries({}, optional={"payload": AUDIO, "track": JUNK}),
        },
    ),
)


def throw(server, path, messages):
    """Send messages, read a little, and leave without a word."""
    address = f"{server.url.replace('http', 'ws', 1)}{path}"
    with contextlib.suppress(ConnectionClosed, InvalidStatus, OSError):
        with connect(address, open_timeout=PATIENCE, close_timeout=1) as client:
            for message in messages:
                client.send(message)
            with contextlib.suppress(TimeoutError):
                client.recv(timeout=0.02)
            client.socket.shutdown(socket.SHUT_RDWR)


@FUZZ
@given(
    form=some.sampled_from(["opus", "pcm", "opus-raw"]),
    messages=some.lists(some.tuples(some.sampled_from([*Kind, 7, 255]), BYTES), max_size=6),
)
def test_fuzz_chat(server, form, messages):
    throw(server, f"/api/chat?format={form}", [bytes([kind]) + payload for kind, payload in messages])
    assert faults(server) == 0


@FUZZ
@given(query=some.dictionaries(some.sampled_from(
    ["voice_prompt", "text_prompt", "seed", "audio_temperature", "text_topk", "format", "meta", "key", "pad_mult"]
), some.text(max_size=30), max_size=4))  # fmt: skip
def test_fuzz_the_query(server, query):
    encoded = urlencode(query, errors="replace")
    throw(server, f"/api/chat?{encoded}", [])
    throw(server, f"/v1/realtime?{encoded}", [])
    assert faults(server) == 0


@FUZZ
@given(messages=some.lists(REALTIME.map(json.dumps) | some.text(max_size=50) | BYTES, max_size=6))
def test_fuzz_realtime(server, messages):
    throw(server, "/v1/realtime", messages)
    assert faults(server) == 0


@FUZZ
@given(messages=some.lists(TWILIO.map(json.dumps) | some.text(max_size=50) | BYTES, max_size=6))
def test_fuzz_twilio(server, messages):
    throw(server, "/twilio", messages)
    assert faults(server) == 0


@FUZZ
@given(
    data=some.binary(max_size=400),
    prefix=some.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"POST /v1/models HTTP/1.1\r\n"]),
)
def test_fuzz_http(server, data, prefix):
    host, port = server.url.removeprefix("http://").split(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=PATIENCE) as raw:
        raw.sendall(prefix + data)
        raw.settimeout(0.01)
        raw.recv(1000)
    assert faults(server) == 0


def test_after_all_that_it_is_well(server):
    assert well(server) and httpx.get(f"{server.url}/health").json()["status"] == "ok"


@pytest.mark.parametrize("path", ["/api/chat", "/v1/realtime", "/twilio"])
def test_a_message_that_is_too_long_ends_it(server, path):
    with connect(f"{server.url.replace('http', 'ws', 1)}{path}", open_timeout=PATIENCE) as client:
        client.send(bytes(300_000))
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                client.recv(timeout=PATIENCE)
    assert closed.value.sent.code == 1009 or closed.value.rcvd.code == 1009
