"""Sound as bytes of a message, for one conversation: Ogg/Opus, Opus packets or plain PCM, both ways.

Knows formats only. What a client sends is limited here, so that few bytes never become much memory.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from personaplex.audio import Resampler
from personaplex.errors import UserError
from personaplex.frames import FRAME_SECONDS, SAMPLE_RATE

Sound = np.ndarray
"""float32 `[n]` in -1..1 at 24 kHz, any n."""

LONGEST_SECONDS = 30  # of sound in one message
_SLICE = 2048  # bytes given to the Opus decoder at a time: a few hundred bytes can hold half a minute


class Wire(Protocol):
    """One conversation's sound format. It remembers what came before, in each direction."""

    def decode(self, payload: bytes) -> Sound:
        """What the client says. Raises `UserError` when the payload is not this format."""

    def encode(self, pcm: Sound) -> bytes:
        """What the client hears: a frame of 1,920 samples; may be empty."""


class OpusWire:
    """Ogg/Opus pages, 24 kHz mono; the first answer carries the header pages as well."""

    def __init__(self) -> None:
        try:
            import sphn
        except ImportError as error:
            raise UserError(
                "This server cannot speak Opus: the Python package sphn is missing there; connect with format=pcm."
            ) from error
        self._reader = sphn.OpusStreamReader(SAMPLE_RATE)
        self._writer = sphn.OpusStreamWriter(SAMPLE_RATE)

    def decode(self, payload: bytes) -> Sound:
        """Ogg pages or parts of them → what they complete."""
        pieces, samples = [np.zeros(0, np.float32)], 0
        for start in range(0, len(payload), _SLICE):
            try:
                piece = self._reader.append_bytes(payload[start : start + _SLICE])
            except ValueError as error:
                raise UserError(f"The sound that arrived is not an Ogg/Opus stream ({error}).") from error
            pieces.append(np.asarray(piece, np.float32).reshape(-1))
            samples += len(pieces[-1])
            _limit(samples)
        return np.nan_to_num(np.concatenate(pieces))

    def encode(self, pcm: Sound) -> bytes:
        """A frame → pages."""
        return bytes(self._writer.append_pcm(np.ascontiguousarray(pcm, np.float32)))


class RawOpusWire:
    """Opus packets without a container, one a message, as WebCodecs makes and takes them (RFC 6716).

    Packets of the client's may last up to 120 ms; the server's last one frame.
    """

    RATE = 48_000  # Hz, of every Opus decoder's output
    BITS = 32_000  # a second, of the server's

    def __init__(self) -> None:
        try:
            import av
        except ImportError as error:
            raise UserError(
                "This server cannot speak raw Opus: the Python package av is missing there; connect with format=pcm."
            ) from error
        self._av = av
        self._decoder = av.AudioCodecContext.create("libopus", "r")
        self._decoder.sample_rate, self._decoder.layout = self.RATE, "mono"
        self._resampler = Resampler(self.RATE, SAMPLE_RATE, "LQ")  # looks 1 ms ahead; the others 20 to 30
        self._encoder = av.AudioCodecContext.create("libopus", "w")
        self._encoder.sample_rate, self._encoder.layout, self._encoder.format = SAMPLE_RATE, "mono", "flt"
        self._encoder.bit_rate = self.BITS
        self._encoder.options = {"frame_duration": f"{1000 * FRAME_SECONDS:g}", "application": "voip"}

    def decode(self, payload: bytes) -> Sound:
        """A packet → what was said in it."""
        if not payload:
            return np.zeros(0, np.float32)
        try:
            frames = self._decoder.decode(self._av.Packet(payload))
        except (self._av.FFmpegError, ValueError) as error:
            raise UserError(f"The sound that arrived is not an Opus packet ({error.__class__.__name__}).") from error
        pieces = [frame.to_ndarray().reshape(-1).astype(np.float32) / 32768 for frame in frames]
        return self._resampler.push(np.concatenate([np.zeros(0, np.float32), *pieces]))

    def encode(self, pcm: Sound) -> bytes:
        """A frame → a packet."""
        frame = self._av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm, np.float32)[None], "flt", "mono")
        frame.sample_rate = SAMPLE_RATE
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))


class PcmWire:
    """Little-endian 16-bit samples, 24 kHz mono, without a header. An extension of ours, for the page."""

    def decode(self, payload: bytes) -> Sound:
        """Any whole number of samples."""
        if len(payload) % 2:
            raise UserError("A message of 16-bit samples must have an even number of bytes.")
        _limit(len(payload) // 2)
        return np.frombuffer(payload, "<i2").astype(np.float32) / 32768

    def encode(self, pcm: Sound) -> bytes:
        """A frame → twice as many bytes."""
        return np.clip(np.rint(pcm * 32767), -32768, 32767).astype("<i2").tobytes()


def _limit(samples: int) -> None:
    if samples > LONGEST_SECONDS * SAMPLE_RATE:
        raise UserError(f"One message holds more than {LONGEST_SECONDS} s of sound; send it as it is recorded.")
