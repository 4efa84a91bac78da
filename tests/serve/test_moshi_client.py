"""PyPI moshi's own client, unchanged, holds a conversation with us; only its sound card is of paper."""

import argparse
import asyncio
import importlib
import io
import sys
import threading
import time
import types

import numpy as np
import pytest

from personaplex.frames import FRAME_SECONDS
from tests.serve.talker import PATIENCE, speech

FRAMES = 40
pytestmark = pytest.mark.oracle


class Stream:
    """A stream of a sound card: calls the client with one block after another from a thread of its own."""

    pace = FRAME_SECONDS

    def __init__(self, samplerate, channels, blocksize, callback):
        assert (samplerate, channels, blocksize) == (24_000, 1, 1920)
        self.callback, self.open = callback, True
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.open = False
        self.thread.join()


class Microphone(Stream):
    """Speaks over and over: what is said before the persona is prepared is not part of the conversation."""

    blocks = 0

    def run(self):
        spoken = (speech(FRAMES).astype(np.float32) / 32768).reshape(FRAMES, 1920, 1)
        while self.open:
            self.callback(spoken[self.blocks % FRAMES], 1920, None, None)
            Microphone.blocks += 1
            time.sleep(self.pace)


class Loudspeaker(Stream):
    pace = 0.02  # s; asks more often than a real one, so that nothing piles up in the client
    heard: list[np.ndarray] = []
    enough = threading.Event()

    def run(self):
        while self.open:
            block = np.full((1920, 1), np.nan, np.float32)
            self.callback(block, 1920, None, None)
            if block.any():  # the client fills what it does not have yet with zeros
                self.heard.append(block[:, 0].copy())
                if len(self.heard) == FRAMES:
                    self.enough.set()
            time.sleep(self.pace)


@pytest.fixture
def client(monkeypatch):
    card = types.SimpleNamespace(InputStream=Microphone, OutputStream=Loudspeaker)
    monkeypatch.setenv("NO_TORCH_COMPILE", "1")
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    module = importlib.import_module("moshi.client")
    monkeypatch.setattr(module, "sd", card)
    return module


def test_moshis_client_holds_a_conversation(client, server):
    words, journal = io.StringIO(), io.StringIO()

    class Printer(client.RawPrinter):
        def print_lag(self):
            pass

    host, port = server.url.removeprefix("http://").split(":")

    async def scene():
        asked = argparse.Namespace(url=None, host=host, port=port, https=False)
        talk = asyncio.create_task(client.run(Printer(words, journal), asked))
        enough = asyncio.create_task(asyncio.to_thread(Loudspeaker.enough.wait, PATIENCE))
        done, _ = await asyncio.wait([talk, enough], return_when=asyncio.FIRST_COMPLETED)
        assert enough in done and enough.result(), f"{len(Loudspeaker.heard)} of {FRAMES}: {journal.getvalue()}"
        told = journal.getvalue()  # hung up on while it sends, it takes the connection for lost
        talk.cancel()
        await asyncio.gather(talk, return_exceptions=True)
        return told

    told = asyncio.run(scene())
    assert "unknown message kind 0" in told  # how this client takes a handshake
    assert "Lost connection" not in told
    sound = np.concatenate(Loudspeaker.heard)
    assert FRAMES <= len(Loudspeaker.heard) <= Microphone.blocks and np.isfinite(sound).all()
    assert words.getvalue().strip()
