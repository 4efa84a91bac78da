"""Sound formats: what goes in comes out, and what is not sound is refused."""

import av
import numpy as np
import pytest
import sphn

from personaplex.audio import Resampler
from personaplex.errors import UserError
from personaplex.serve.wire import OpusWire, PcmWire, RawOpusWire
from tests.serve.talker import speech

SOUND = speech(25).astype(np.float32) / 32768


def test_pcm_goes_both_ways():
    wire = PcmWire()
    assert np.abs(wire.decode(wire.encode(SOUND)) - SOUND).max() <= 1 / 32768
    assert wire.encode(np.array([2.0, -2.0], np.float32)) == b"\xff\x7f\x00\x80"


def test_opus_of_another_program_is_understood():
    writer = sphn.OpusStreamWriter(24_000)
    pages = b"".join(bytes(writer.append_pcm(frame)) for frame in SOUND.reshape(25, 1920))
    wire = OpusWire()
    heard = np.concatenate([wire.decode(pages[at : at + 100]) for at in range(0, len(pages), 100)])
    assert heard.shape == SOUND.shape
    assert _likeness(heard, SOUND) > 0.75


def test_another_program_understands_our_opus():
    wire, reader = OpusWire(), sphn.OpusStreamReader(24_000)
    heard = np.concatenate([reader.append_bytes(wire.encode(frame)) for frame in SOUND.reshape(25, 1920)])
    assert heard.shape == SOUND.shape
    assert _likeness(heard, SOUND) > 0.75


@pytest.mark.parametrize("garbage", [b"no sound at all" * 9, b"OggS" + bytes(300), bytes(5000)])
def test_garbage_is_not_opus(garbage):
    with pytest.raises(UserError, match="not an Ogg/Opus stream"):
        OpusWire().decode(garbage)


def test_half_a_sample_is_refused():
    with pytest.raises(UserError, match="even number of bytes"):
        PcmWire().decode(b"\0\0\0")


def test_a_message_cannot_hold_more_sound_than_the_limit():
    with pytest.raises(UserError, match="more than 30 s"):
        PcmWire().decode(bytes(2 * 31 * 24_000))
    writer = sphn.OpusStreamWriter(24_000)
    pages = b"".join(bytes(writer.append_pcm(np.zeros(1920, np.float32))) for _ in range(13 * 31))
    with pytest.raises(UserError, match="more than 30 s"):
        OpusWire().decode(pages)


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The largest correlation over the delays that a codec may have."""
    return max(np.corrcoef(one[delay:], other[: len(other) - delay])[0, 1] for delay in range(0, 400))


def test_raw_opus_goes_both_ways():
    """Our packets are read as WebCodecs would, and packets of every length that it may make are understood."""
    wire, other = RawOpusWire(), RawOpusWire()
    packets = [wire.encode(frame) for frame in SOUND.reshape(25, 1920)]
    assert all(20 < len(packet) < 1000 for packet in packets)
    heard = np.concatenate([other.decode(packet) for packet in packets])
    assert abs(len(heard) - len(SOUND)) < 400 and _likeness(heard, SOUND[: len(heard)]) > 0.75


@pytest.mark.parametrize("milliseconds", [20, 40, 60])
def test_raw_opus_of_a_browser_at_48_khz(milliseconds):
    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "flt"
    encoder.options = {"frame_duration": str(milliseconds)}
    wide, wire = Resampler(24_000, 48_000).push(SOUND, last=True), RawOpusWire()
    size, heard = 48 * milliseconds, []
    for at in range(0, len(wide) // size * size, size):
        frame = av.AudioFrame.from_ndarray(wide[None, at : at + size], "flt", "mono")
        frame.sample_rate = 48_000
        heard += [wire.decode(bytes(packet)) for packet in encoder.encode(frame)]
    heard = np.concatenate(heard)
    assert len(heard) > 0.9 * len(SOUND) and _likeness(heard, SOUND[: len(heard)]) > 0.7


def test_garbage_is_no_raw_opus():
    refused = 0
    for garbage in (b"no sound at all" * 9, bytes(5000), b"\xff" * 100, b""):
        try:
            assert len(RawOpusWire().decode(garbage)) <= 0.12 * 24_000  # some bytes are a packet by accident
        except UserError as error:
            refused += "not an Opus packet" in str(error)
    assert refused >= 2
