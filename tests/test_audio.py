import numpy as np
import pytest
import soundfile

from personaplex.audio import (
    Resampler,
    loudness,
    normalise_loudness,
    pad_to_frames,
    read_audio,
    read_pcm16,
    scaled_length,
    sound_seconds,
    write_wav,
)
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE


def tone(seconds, rate=SAMPLE_RATE, hertz=440.0, level=0.3):
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000])
def test_any_rate_becomes_24_khz_of_exactly_the_same_length(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(1.2345, rate), rate)
    pcm = read_audio(tmp_path / "a.wav")
    assert pcm.dtype == np.float32
    assert len(pcm) == scaled_length(int(1.2345 * rate), rate)
    assert abs(len(pcm) / SAMPLE_RATE - int(1.2345 * rate) / rate) <= 0.5 / SAMPLE_RATE
    middle = slice(3000, 25_000)
    np.testing.assert_allclose(pcm[middle], tone(1.3)[middle], atol=2e-3)


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        ("wav", "PCM_16", 1e-4),
        ("wav", "PCM_24", 1e-6),
        ("wav", "FLOAT", 1e-7),
        ("wav", "ULAW", 0.02),
        ("flac", "PCM_16", 1e-4),
        ("ogg", "VORBIS", 0.05),
        ("ogg", "OPUS", 0.05),
        ("mp3", "MPEG_LAYER_III", 0.05),
        ("aiff", "PCM_16", 1e-4),
    ],
)
def test_formats(tmp_path, suffix, subtype, tolerance):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(1.0), SAMPLE_RATE, subtype=subtype)
    pcm = read_audio(path)
    assert abs(len(pcm) - SAMPLE_RATE) <= 1200  # MP3 pads to its own blocks
    np.testing.assert_allclose(pcm[5000:20_000], tone(1.0)[5000:20_000], atol=tolerance)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged(tmp_path, channels):
    parts = np.stack([tone(0.5, hertz=200.0 * (1 + c)) for c in range(channels)], axis=1)
    soundfile.write(tmp_path / "a.wav", parts, SAMPLE_RATE, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav"), parts.mean(axis=1), atol=1e-6)


def test_what_was_written_is_read_back_and_too_loud_is_clipped(tmp_path):
    pcm = tone(0.5)
    pcm[100], pcm[101] = 1.7, -3.0
    write_wav(tmp_path / "deep" / "a.wav", pcm)
    info = soundfile.info(tmp_path / "deep" / "a.wav")
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (SAMPLE_RATE, 1, "PCM_16", len(pcm))
    np.testing.assert_allclose(read_audio(tmp_path / "deep" / "a.wav"), pcm.clip(-1, 1), atol=1e-4)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.wav"]


def bad_files(folder):
    """Name of the mistake → a file that makes it and a word of the sentence."""
    (folder / "folder.wav").mkdir()
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("this is not sound, " * 50)
    soundfile.write(folder / "none.wav", np.zeros(0, dtype=np.float32), SAMPLE_RATE)
    soundfile.write(folder / "nan.wav", np.full(4000, np.nan, dtype=np.float32), SAMPLE_RATE, subtype="FLOAT")
    soundfile.write(folder / "long.wav", tone(3.0), SAMPLE_RATE)
    soundfile.write(folder / "whole.flac", np.random.default_rng(0).normal(0, 0.1, 50_000), SAMPLE_RATE)
    (folder / "cut.flac").write_bytes((folder / "whole.flac").read_bytes()[:20_000])
    return {
        "missing.wav": "There is no file",
        "folder.wav": "is a folder",
        "empty.wav": "is empty",
        "text.wav": "damaged or not sound",
        "none.wav": "holds no sound",
        "nan.wav": "not numbers",
        "long.wav": "lasts 3.0 s; the limit is 2.5 s",
        "cut.flac": "damaged",
    }


def test_every_bad_file_is_one_clear_sentence(tmp_path):
    for name, words in bad_files(tmp_path).items():
        with pytest.raises(UserError, match=words) as caught:
            read_audio(tmp_path / name, max_seconds=2.5)
        message = str(caught.value)
        assert str(tmp_path / name) in message and message.endswith(".") and "\n" not in message


def test_a_headers_length_is_known_without_reading(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(1.5, 16_000), 16_000)
    assert sound_seconds(tmp_path / "a.wav") == 1.5
    with pytest.raises(UserError, match="limit is 1 s"):
        sound_seconds(tmp_path / "a.wav", max_seconds=1)


def test_a_file_that_cannot_be_written_is_a_sentence_and_leaves_nothing(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_wav(tmp_path / "file" / "a.wav", tone(0.1))
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_wav(tmp_path / "a.wav", tone(0.1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "file"]


def test_pcm16_is_read_as_it_is(tmp_path):
    samples = np.array([[1, -2], [300, -32768]], dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", samples, SAMPLE_RATE)
    assert np.array_equal(read_pcm16(tmp_path / "a.wav"), samples)
    soundfile.write(tmp_path / "b.wav", samples, 16_000)
    with pytest.raises(UserError, match="16000 samples a second"):
        read_pcm16(tmp_path / "b.wav")


@pytest.mark.parametrize(
    ("rate_in", "rate_out"), [(48_000, 24_000), (24_000, 48_000), (44_100, 24_000), (24_000, 24_000), (8_000, 24_000)]
)
def test_resampling_block_by_block_equals_the_whole(rate_in, rate_out):
    sound = np.random.default_rng(0).normal(0, 0.1, 30_000).astype(np.float32)
    whole = Resampler(rate_in, rate_out).push(sound, last=True)
    stream, parts, rest = Resampler(rate_in, rate_out), [], sound
    for size in [1, 7, 960, 1920, 5000, 441, 0, 12_000]:
        parts.append(stream.push(rest[:size]))
        rest = rest[size:]
    parts.append(stream.push(rest, last=True))
    assert len(whole) == scaled_length(30_000, rate_in, rate_out)
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)


@pytest.mark.parametrize("level", [0.001, 0.05, 0.9])
def test_loudness_is_brought_to_its_target(level):
    pcm = np.random.default_rng(0).normal(0, level, 2 * SAMPLE_RATE).astype(np.float32)
    louder = normalise_loudness(pcm, -24.0)
    assert louder.dtype == np.float32
    assert loudness(louder) == pytest.approx(-24.0, abs=0.01)


@pytest.mark.parametrize("pcm", [np.zeros(SAMPLE_RATE), tone(0.2), np.zeros(0)])
def test_silence_and_short_sound_have_no_loudness(pcm):
    assert loudness(pcm) == float("-inf")
    with pytest.raises(ValueError, match="silent or shorter"):
        normalise_loudness(pcm, -24.0)


@pytest.mark.parametrize(("samples", "padded"), [(0, 0), (1, 1920), (1920, 1920), (1921, 3840)])
def test_padding_to_frames(samples, padded):
    assert len(pad_to_frames(np.ones(samples))) == padded
