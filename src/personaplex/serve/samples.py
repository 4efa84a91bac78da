"""A voice sample from an untrusted file: WAV, FLAC, OGG or WebM, through PyAV, within bounds.

The container is chosen here by its first bytes and the codec from a list, so that FFmpeg never guesses a format that
would open other files or addresses (playlists, concatenations). Sound is counted as it is decoded: few bytes never
become much memory.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import av
import numpy as np

from personaplex.audio import Resampler, normalise_loudness
from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from personaplex.persona.voices import LOUDNESS, MAX_SECONDS, MIN_SECONDS
from personaplex.serve.protocols.segments import USER_DB, level

SAMPLE_BYTES = 10 << 20  # of an uploaded file
_WORK_SECONDS = 20.0  # to decode one
_RATES = (4_000, 192_000)  # Hz
_CHANNELS = 8
_MARGIN = 2  # frames of silence that stay around the speech
_MAGIC = {b"RIFF": "wav", b"fLaC": "flac", b"OggS": "ogg", b"\x1aE\xdf\xa3": "matroska"}
_CODECS = ("flac", "vorbis", "opus", "libopus", "libvorbis")
_KINDS = "WAV, FLAC, OGG or WebM"


def decode_sample(content: bytes) -> np.ndarray:
    """A file's sound as float32 mono `[n]` at 24 kHz, cut to where somebody speaks.

    Raises:
        UserError: when it is no such file, damaged, longer than 60 s, or holds less than a second of speech.
    """
    if len(content) > SAMPLE_BYTES:
        raise UserError(f"The file is larger than {SAMPLE_BYTES >> 20} MB; cut it to a minute or less.")
    form = _MAGIC.get(content[:4])
    if form is None:
        raise UserError(f"The file is not {_KINDS} sound.")
    try:
        pcm = _decode(content, form)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise UserError(f"The file is damaged or not {_KINDS} sound ({type(error).__name__}).") from error
    if not np.isfinite(pcm).all():
        raise UserError("The file is damaged: some of its samples are not numbers.")
    return _speech(pcm)


def _decode(content: bytes, form: str) -> np.ndarray:
    with av.open(io.BytesIO(content), mode="r", format=form) as container:
        if not container.streams.audio:
            raise UserError("The file holds no sound.")
        stream = container.streams.audio[0]
        if stream.codec_context is None:  # FFmpeg does not know it
            raise UserError("The file's sound is coded in an unknown way; convert it to plain WAV, FLAC or Opus.")
        name, rate, channels = stream.codec_context.name, stream.rate, stream.channels
        if not (name.startswith("pcm_") or name in _CODECS):
            raise UserError(f"The file's sound is coded as {name}; convert it to plain WAV, FLAC or Opus.")
        if not (rate and _RATES[0] <= rate <= _RATES[1] and 1 <= channels <= _CHANNELS):
            raise UserError(f"The file has {rate} samples a second and {channels} channels, which no microphone makes.")
        resampler, parts, count = Resampler(rate, SAMPLE_RATE), [np.zeros(0, np.float32)], 0
        for block in _blocks(container, stream):
            count += len(block)
            if count > MAX_SECONDS * rate:
                raise UserError(f"The sample is longer than {MAX_SECONDS:g} s; cut it first.")
            parts.append(resampler.push(block))
        parts.append(resampler.push(np.zeros(0, np.float32), last=True))
        return np.concatenate(parts)


def _blocks(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[np.ndarray]:
    """The sound, channels averaged, block by block: float32 `[n]` at the file's rate."""
    rate, planes = stream.rate, av.AudioResampler(format="fltp")  # layout and rate stay as they are
    deadline = time.monotonic() + _WORK_SECONDS
    for packet in container.demux(stream):
        for frame in packet.decode():
            if frame.sample_rate != rate:
                raise UserError("The file's sample rate changes in the middle; save it anew.")
            for converted in planes.resample(frame):
                yield converted.to_ndarray().mean(axis=0)
        if time.monotonic() > deadline:
            raise UserError("The file takes too long to read; save it as WAV.")
    for converted in planes.resample(None):
        yield converted.to_ndarray().mean(axis=0)


def _speech(pcm: np.ndarray) -> np.ndarray:
    """The sound without the silence around it, when at least a second of it is as loud as speech."""
    whole = pcm[: len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES]
    try:
        frames = normalise_loudness(whole, LOUDNESS).reshape(-1, FRAME_SAMPLES)
    except ValueError:
        frames = np.zeros((0, FRAME_SAMPLES), np.float32)
    loud = np.flatnonzero([level(frame) >= USER_DB for frame in frames])
    if len(loud) * FRAME_SECONDS < MIN_SECONDS:
        raise UserError(
            f"The sample holds {len(loud) * FRAME_SECONDS:.2f} s of speech; at least {MIN_SECONDS:g} s are needed."
        )
    begin, end = max(0, loud[0] - _MARGIN), loud[-1] + 1 + _MARGIN
    return pcm[begin * FRAME_SAMPLES : end * FRAME_SAMPLES]
