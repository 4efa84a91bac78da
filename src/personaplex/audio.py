"""Sound in and out of files: any rate, channels and format in, 24 kHz mono inside, WAV out; loudness, resampling.

The audio libraries are imported where they are used, so that a room which only passes this one through does not need
them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from personaplex.errors import UserError
from personaplex.frames import FRAME_SAMPLES, SAMPLE_RATE

MAX_SECONDS = 3_600.0  # longest recording that is read, unless the caller says otherwise
_BLOCK = 1 << 18  # samples read at a time


class Resampler:
    """Resamples one channel, block by block; the blocks' outputs joined are the resampled whole.

    Args:
        rate_in: samples a second that come in.
        rate_out: samples a second that go out.
        quality: soxr's name for it. A conversation may want less, since the best ones look 20 to 40 ms ahead.
    """

    def __init__(self, rate_in: int, rate_out: int, quality: str = "HQ"):
        self.rate_in, self.rate_out = rate_in, rate_out
        self._taken = self._given = 0
        self._stream: Any = None
        if rate_in != rate_out:
            import soxr

            self._stream = soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality=quality)

    def push(self, pcm: np.ndarray, last: bool = False) -> np.ndarray:
        """Take float32 `[n]`, give what is ready as float32 `[m]`.

        With `last`, the rest comes out too, and all output together is `round(input * rate_out / rate_in)` samples.
        """
        pcm = np.ascontiguousarray(pcm, dtype=np.float32)
        out = pcm if self._stream is None else self._stream.resample_chunk(pcm, last=last)
        self._taken += len(pcm)
        if last:
            due = scaled_length(self._taken, self.rate_in, self.rate_out) - self._given
            out = np.pad(out[:due], (0, max(0, due - len(out))))
        self._given += len(out)
        return out


def scaled_length(samples: int, rate_in: int, rate_out: int = SAMPLE_RATE) -> int:
    """The number of samples at `rate_out` that last as long as `samples` at `rate_in`, rounded half up."""
    return (2 * samples * rate_out + rate_in) // (2 * rate_in)


def read_audio(path: str | Path, max_seconds: float = MAX_SECONDS) -> np.ndarray:
    """Read a sound file of any common format as float32 mono at 24 kHz, `[n]`, as long as the file to half a sample.

    Channels are averaged.

    Raises:
        UserError: when the file is missing, a folder, empty, not sound, damaged, or longer than `max_seconds`.
    """
    path = Path(path)
    with _open(path) as file:
        _check_length(path, file, max_seconds)
        resampler, parts, count = Resampler(file.samplerate, SAMPLE_RATE), [], 0
        for block in _blocks(path, file):
            count += len(block)
            if count > max_seconds * file.samplerate:  # a header may lie
                raise UserError(f"{path} lasts longer than the limit of {max_seconds:g} s, so cut it first.")
            parts.append(resampler.push(block.mean(axis=1)))
        parts.append(resampler.push(np.zeros(0, dtype=np.float32), last=True))
    if not count:
        raise UserError(f"{path} holds no sound: it has no samples.")
    pcm = np.concatenate(parts)
    if not np.isfinite(pcm).all():
        raise UserError(f"{path} is damaged: some of its samples are not numbers.")
    return pcm


def sound_seconds(path: str | Path, max_seconds: float = MAX_SECONDS) -> float:
    """Length of a sound file in seconds, from its header.

    Raises:
        UserError: when it is missing, a folder, empty, not sound, or longer than `max_seconds`.
    """
    path = Path(path)
    with _open(path) as file:
        return _check_length(path, file, max_seconds)


def read_pcm16(path: str | Path) -> np.ndarray:
    """Read a 24 kHz file as it is: int16 `[n, channels]`.

    Raises:
        UserError: as `read_audio`, or when its rate is not 24 kHz.
    """
    path = Path(path)
    with _open(path) as file:
        if file.samplerate != SAMPLE_RATE:
            raise UserError(f"{path} has {file.samplerate} samples a second, but {SAMPLE_RATE} are needed.")
        return _read(path, file, -1, "int16")


def write_wav(path: str | Path, pcm: np.ndarray, rate: int = SAMPLE_RATE) -> None:
    """Write float `[n]` or `[n, channels]` in -1..1 as 16-bit WAV; louder samples are clipped.

    All of it is written or nothing.

    Raises:
        UserError: when the file cannot be written.
    """
    import soundfile

    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        partial = Path(name)
        try:
            soundfile.write(partial, np.clip(pcm, -1.0, 1.0), rate, subtype="PCM_16", format="WAV")
            partial.chmod(0o666 & ~_umask())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise UserError(f"{path} cannot be written: {_reason(error)}.") from error


def loudness(pcm: np.ndarray) -> float:
    """Integrated loudness (ITU-R BS.1770-4) of float mono `[n]` at 24 kHz, in LUFS; -inf for silence or under 0.4 s."""
    import pyloudnorm

    meter = pyloudnorm.Meter(SAMPLE_RATE)
    if len(pcm) <= meter.block_size * SAMPLE_RATE:
        return float("-inf")
    with np.errstate(divide="ignore"):
        return float(meter.integrated_loudness(np.asarray(pcm, dtype=np.float64)))


def normalise_loudness(pcm: np.ndarray, lufs: float) -> np.ndarray:
    """Scale float mono `[n]` at 24 kHz to a loudness; float32 `[n]`, whose peaks may then exceed 1.

    Raises:
        ValueError: when it is silent, or shorter than the 0.4 s that loudness is measured over.
    """
    measured = loudness(pcm)
    if not np.isfinite(measured):
        raise ValueError("the sound is silent or shorter than 0.4 s")
    return (np.asarray(pcm, dtype=np.float64) * 10 ** ((lufs - measured) / 20)).astype(np.float32)


def pad_to_frames(pcm: np.ndarray) -> np.ndarray:
    """Append zeros to `[n]` up to a whole number of 80 ms frames."""
    return np.pad(pcm, (0, -len(pcm) % FRAME_SAMPLES))


def _open(path: Path) -> Any:
    """Open a sound file, or say in a sentence why not."""
    import soundfile

    if path.is_dir():
        raise UserError(f"{path} is a folder; name a sound file in it.")
    if not path.exists():
        raise UserError(f"There is no file {path}.")
    try:
        if path.stat().st_size == 0:
            raise UserError(f"{path} is empty: it has no bytes.")
        return soundfile.SoundFile(path)
    except (OSError, soundfile.LibsndfileError) as error:
        if isinstance(error, PermissionError):
            raise UserError(f"{path} cannot be read: {_reason(error)}.") from error
        raise UserError(
            f"{path} is damaged or not sound ({_reason(error)}); WAV, FLAC, OGG and MP3 files can be read."
        ) from error


def _check_length(path: Path, file: Any, max_seconds: float) -> float:
    seconds = file.frames / file.samplerate
    if not seconds:
        raise UserError(f"{path} holds no sound: it has no samples.")
    if seconds > max_seconds:
        raise UserError(f"{path} lasts {seconds:.1f} s; the limit is {max_seconds:g} s, so cut it first.")
    return seconds


def _read(path: Path, file: Any, count: int, dtype: str) -> np.ndarray:
    import soundfile

    try:
        return file.read(count, dtype=dtype, always_2d=True)
    except (OSError, RuntimeError, soundfile.LibsndfileError) as error:
        raise UserError(f"{path} is damaged: {_reason(error)}.") from error


def _blocks(path: Path, file: Any) -> Iterator[np.ndarray]:
    while len(block := _read(path, file, _BLOCK, "float32")):
        yield block


def _reason(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return reason.rpartition(": ")[2].strip(" .") or type(error).__name__


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
