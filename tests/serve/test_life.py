"""The life of a conversation as its client is told of it: waiting, beginning, going on, ending."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from personaplex.serve.limits import Limits
from personaplex.serve.protocols.chat import Kind
from personaplex.serve.wire import RawOpusWire
from tests.serve.talker import PATIENCE, Talker, serving, speech


def events(talker, name):
    """Wait for a metadata event of that name; what it says."""
    while True:
        kind, payload = talker.receive()
        assert kind != Kind.ERROR, payload.decode()
        if kind == Kind.METADATA and (about := json.loads(payload))["event"] == name:
            return about


def test_an_old_client_gets_no_metadata_and_one_that_asks_does(server):
    with Talker(server.url, seed=1) as old, Talker(server.url, meta=1, seed=1) as new:
        assert old.receive() == new.receive() == (Kind.HANDSHAKE, b"")
        about = events(new, "session")
        assert about["seed"] == 1 and about["hears"] is False and about["recording"] is False
        old.send(Kind.PING, b"x")
        assert old.receive() == (Kind.PING, b"x")


def test_raw_opus_with_state_and_stats(server):
    wire = RawOpusWire()
    with Talker(server.url, format="opus-raw", seed=1) as talker:
        assert talker.receive() == (Kind.HANDSHAKE, b"")
        packets, told = 0, []
        for frame in (speech(25).astype(np.float32) / 32768).reshape(25, 1920):
            talker.send(Kind.AUDIO, wire.encode(frame))
        while packets < 20 or not {"state", "stats"} <= set(told):
            kind, payload = talker.receive()
            if kind == Kind.AUDIO:
                packets += 1
                wire.decode(payload)
            elif kind == Kind.METADATA:
                told.append(json.loads(payload)["event"])
            if packets >= 20:  # time must pass for another report
                talker.send(Kind.AUDIO, wire.encode(np.zeros(1920, np.float32)))
                time.sleep(0.02)


def test_garbage_instead_of_a_packet_ends_it(server):
    with Talker(server.url, format="opus-raw") as talker:
        assert talker.receive() == (Kind.HANDSHAKE, b"")
        talker.send(Kind.AUDIO, b"garbage that is no opus" * 5)
        message, code = talker.error()
    assert "not an Opus packet" in message and code == 1008


def test_the_queue(model):
    with serving(model, sessions=1, queue=1) as served, served.talk() as first:
        first.begin()
        with served.talk() as second:
            assert events(second, "queued") == {"event": "queued", "position": 1, "retry_after": 15}
            assert httpx.get(f"{served.url}/health").json()["waiting"] == 1
            gone = served.talk  # the queue is full too
            with pytest.raises(Exception, match="503"):
                gone()
            first.socket.close()
            assert second.receive() == (Kind.HANDSHAKE, b"")


def test_the_longest_conversation(model):
    with serving(model, sessions=1, limits=Limits(longest=3.0, warning=60)) as served, served.talk() as talker:
        assert talker.begin()["max_seconds"] == 3.0
        near = events(talker, "ending")
        assert 0 < near["seconds"] <= 3.0 and "conversations may last" in near["reason"]
        message, code = talker.error()
        assert "conversations may last 0.05 minutes" in message and code == 1008


def test_draining_lets_the_last_one_finish_and_nobody_in(model):
    with serving(model, sessions=2, limits=Limits(drain=PATIENCE)) as served:
        assert httpx.get(f"{served.url}/ready").status_code == 200
        with served.talk() as talker:
            talker.begin()
            served.server.drain()
            assert events(talker, "ending")["reason"] == "the server is shutting down"
            refused = httpx.get(f"{served.url}/ready")
            assert refused.status_code == 503 and refused.headers["retry-after"]
            with pytest.raises(Exception, match="503"):
                served.talk()
            talker.say(speech(5))
            while talker.receive()[0] != Kind.AUDIO:
                pass
        end = time.monotonic() + PATIENCE
        while not served.server.should_exit:  # once the last one has left
            assert time.monotonic() < end
            time.sleep(0.02)


def test_a_client_that_asks_nothing_is_hung_up_on(model):
    import socket

    with serving(model, limits=Limits(handshake=0.3)) as served:
        host, port = served.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as silent:
            silent.sendall(b"GET / HTTP/1.1\r\nHost: 127")  # and no more
            assert silent.recv(100) == b""


def test_a_client_whose_line_is_dead_loses_its_place(model):
    """Half-open: the handshake was made, then nothing comes back, not even the answer to a ping."""
    import socket

    request = (
        "GET /api/chat?format=pcm HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with serving(model, sessions=1, limits=Limits(ping=0.3)) as served:
        host, port = served.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as dead:
            dead.sendall(request.encode())
            assert b"101 Switching" in dead.recv(1000)
            end = time.monotonic() + PATIENCE
            while served.service.mailbox.sessions or served.service.door.inside:
                assert time.monotonic() < end
                time.sleep(0.02)


def test_sigterm_under_load(model):
    """The process ends by itself, in time and without a word on stderr; its clients are told."""
    command = "from personaplex.cli import main; main()"
    options = ["serve", "--model", str(model.path), "--port", "0", "--max-sessions", "4", "--drain", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    told = []

    def converse(url):
        with Talker(url, format="pcm") as talker:
            talker.begin()
            ready.release()
            with suppress(ConnectionClosed):
                while True:
                    talker.say(speech(1))
                    told.append(talker.receive())
            with suppress(ConnectionClosed):  # what came before the end and was not read yet
                while True:
                    told.append(talker.receive())

    ready = threading.Semaphore(0)
    try:
        process.stdout.readline()
        url = next(word for word in process.stdout.readline().split() if word.startswith("http://127.0.0.1:"))
        clients = [threading.Thread(target=converse, args=(url,)) for _ in range(3)]
        for client in clients:
            client.start()
        for _ in clients:
            assert ready.acquire(timeout=PATIENCE)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
        for client in clients:
            client.join(PATIENCE)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
    said = [payload for kind, payload in told if kind in (Kind.METADATA, Kind.ERROR)]
    assert sum(b'"ending"' in payload for payload in said) == 3
    assert sum(b"the server is shutting down." in payload for payload in said) == 3
