"""A real server on loopback, and a client of it that a test can read like a script."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from urllib.parse import urlencode

import numpy as np
from websockets.sync.client import connect

from personaplex.serve.limits import Limits
from personaplex.serve.protocols.chat import Kind
from personaplex.serve.run import Server, address_of, bind, serve
from personaplex.serve.service import Service

PATIENCE = 60.0  # s; the machine may be busy


class Served:
    """A running server."""

    def __init__(self, service: Service, url: str, server: Server):
        self.service, self.url, self.server = service, url, server

    def talk(self, **query) -> Talker:
        """A client of it that speaks PCM unless told otherwise."""
        return Talker(self.url, **{"format": "pcm", **query})


@contextmanager
def serving(model, sessions: int = 2, idle: float = PATIENCE, **service) -> Iterator[Served]:
    """Serve a model until the block ends."""
    limits = replace(service.pop("limits", Limits()), idle=idle)
    service = Service(model, sessions, limits=limits, **service)
    sock = bind("127.0.0.1", 0)
    ready = threading.Event()
    server = Server(service, ready=ready.set)
    thread = threading.Thread(target=lambda: asyncio.run(serve(service, server, sock)))
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield Served(service, address_of(sock, None), server)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


class Talker:
    """One WebSocket on /api/chat."""

    def __init__(self, url: str, origin: str | None = None, **query):
        self._open = ExitStack()
        address = f"{url.replace('http', 'ws', 1)}/api/chat?{urlencode(query)}"
        self.socket = self._open.enter_context(connect(address, origin=origin, open_timeout=PATIENCE, close_timeout=5))

    def __enter__(self) -> Talker:
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    def send(self, kind: int, payload: bytes = b"") -> None:
        self.socket.send(bytes([kind]) + payload)

    def receive(self) -> tuple[int, bytes]:
        message = self.socket.recv(timeout=PATIENCE)
        return message[0], message[1:]

    def until(self, kind: Kind) -> bytes:
        """The next message of a kind; an error in its place fails."""
        while True:
            got, payload = self.receive()
            if got == kind:
                return payload
            assert got != Kind.ERROR, payload.decode()

    def begin(self) -> dict:
        """Wait until the conversation begins; what the server says about it."""
        assert self.receive() == (Kind.HANDSHAKE, b"")
        return json.loads(self.until(Kind.METADATA))

    def say(self, pcm: np.ndarray) -> None:
        """Speak: int16 `[n]`."""
        self.send(Kind.AUDIO, pcm.astype("<i2").tobytes())

    def hear(self, frames: int) -> tuple[np.ndarray, str]:
        """The next frames of the agent's, int16 `[frames, 1920]`, and its words meanwhile."""
        sound, words = [], ""
        while len(sound) < frames:
            kind, payload = self.receive()
            assert kind in (Kind.AUDIO, Kind.TEXT, Kind.METADATA), payload.decode()
            if kind == Kind.AUDIO:
                sound.append(np.frombuffer(payload, "<i2"))
            elif kind == Kind.TEXT:
                words += payload.decode()
            else:
                assert json.loads(payload)["event"] in ("heard", "state", "stats"), payload.decode()
        return np.stack(sound), words

    def error(self) -> tuple[str, int]:
        """The sentence with which the server ends the conversation, and its close code."""
        while (message := self.receive())[0] != Kind.ERROR:
            pass
        try:
            while True:
                self.socket.recv(timeout=PATIENCE)
        except Exception:
            return message[1].decode(), self.socket.close_code


def speech(frames: int, seed: int = 0) -> np.ndarray:
    """Something like a voice: int16 `[frames * 1920]`."""
    time = np.arange(frames * 1920) / 24_000
    pitch = 110 * (1 + seed)
    voice = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 9))
    return (4000 * voice * (np.sin(2 * np.pi * 3 * time) > -0.3)).astype(np.int16)
