"""G.711 against FFmpeg's."""

import av
import numpy as np
import pytest

from personaplex.serve.g711 import TABLES, Companded, decode, encode
from tests.serve.talker import speech

CODECS = {"ulaw": "pcm_mulaw", "alaw": "pcm_alaw"}
ALL = bytes(range(256))


@pytest.mark.parametrize("law", CODECS)
def test_every_byte_means_what_ffmpeg_says(law):
    codec = av.AudioCodecContext.create(CODECS[law], "r")
    codec.sample_rate, codec.layout = 8000, "mono"
    (frame,) = codec.decode(av.Packet(ALL))
    assert np.array_equal(frame.to_ndarray().reshape(-1), TABLES[law])
    meant = decode(ALL, law)
    assert np.array_equal(decode(encode(meant, law), law), meant)


@pytest.mark.parametrize("law", CODECS)
def test_every_sample_becomes_the_nearest_byte(law):
    samples = np.arange(-32768, 32768)
    back = decode(encode(samples / 32768, law), law) * 32768
    nearest = np.abs(TABLES[law].astype(np.int64)[None] - samples[::97, None]).min(axis=1)
    assert np.array_equal(np.abs(back[::97] - samples[::97]), nearest)
    assert encode(np.array([9.0, -9.0]), law) == encode(np.array([1.0, -1.0]), law)


def test_a_wire_keeps_its_place_over_blocks():
    pcm = speech(25).astype(np.float32) / 32768
    wire = Companded("ulaw")
    sound = b"".join(wire.encode(frame) for frame in pcm.reshape(25, 1920))
    assert 0 <= 25 * 640 - len(sound) < 400  # what resampling still holds
    heard = np.concatenate([wire.decode(sound[at : at + 160]) for at in range(0, len(sound), 160)])
    whole = np.concatenate([Companded("ulaw").decode(sound)])
    assert np.abs(heard[: len(whole)] - whole[: len(heard)]).max() < 1e-4
