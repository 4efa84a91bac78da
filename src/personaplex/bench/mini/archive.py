"""The packed set: one zip of Ogg Vorbis and JSON. Knows files only, nothing of what they are for."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from personaplex.audio import read_audio, write_wav
from personaplex.errors import UserError
from personaplex.frames import SAMPLE_RATE

ARCHIVE = Path(__file__).with_name("mini.zip")  # the set that comes with the package
SUPPLEMENT = Path(__file__).with_name("supplement.zip")  # what was added to it later
NOISE_DB = -66.0  # dBFS, white, under every recording named in `NOISY`
NOISY = ("input.wav", "clean_input.wav")
_COMPRESSION = 0.9  # of Vorbis, 0 largest to 1 smallest
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every entry, so that the same files make the same archive


def pack(folder: Path, archive: Path = ARCHIVE) -> None:
    """Write a folder's WAV (compressed) and other files into one archive."""
    with zipfile.ZipFile(archive, "w") as made:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
            name, content = path.relative_to(folder), path.read_bytes()
            if path.suffix == ".wav":
                name, content = name.with_suffix(".ogg"), _compress(read_audio(path))
            entry = zipfile.ZipInfo(name.as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_STORED if name.suffix == ".ogg" else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            made.writestr(entry, content)


def unpack(folder: Path, archive: Path = ARCHIVE) -> Path:
    """Write an archive's files into a folder, sound as 24 kHz WAV with its noise; what is there already is left.

    Returns:
        The folder.

    Raises:
        UserError: when the archive is missing or damaged, or the folder cannot be written.
    """
    try:
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        stamp = folder / f".unpacked-{archive.stem}"
        if stamp.is_file() and stamp.read_text() == digest:
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive) as packed:
            for name in packed.namelist():
                _extract(folder / name, name, packed.read(name))
        stamp.write_text(digest)
    except zipfile.BadZipFile as error:
        raise UserError(f"{archive} is damaged; install the package again.") from error
    except OSError as error:
        raise UserError(f"The mini set cannot be unpacked into {folder}: {error.strerror or error}.") from error
    return folder


def packed_sound(name: str, archive: Path = ARCHIVE) -> np.ndarray:
    """One recording of the archive as it was packed, float32 `[n]` at 24 kHz.

    Raises:
        UserError: when the archive is missing or damaged, or has no such entry.
    """
    return _decode(packed_bytes(name, archive))


def packed_bytes(name: str, archive: Path = ARCHIVE) -> bytes:
    """One file of the archive as it was packed.

    Raises:
        UserError: when the archive is missing or damaged, or has no such entry.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            return packed.read(name)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{archive} is damaged or lacks {name}; install the package again.") from error


def _decode(content: bytes) -> np.ndarray:
    import soundfile

    return soundfile.read(io.BytesIO(content), dtype="float32")[0]


def _compress(pcm: np.ndarray) -> bytes:
    import soundfile

    sound = io.BytesIO()
    with soundfile.SoundFile(
        sound, "w", SAMPLE_RATE, 1, "VORBIS", format="OGG", compression_level=_COMPRESSION
    ) as file:
        for start in range(0, len(pcm), SAMPLE_RATE):  # libsndfile takes long blocks of Vorbis badly
            file.write(pcm[start : start + SAMPLE_RATE])
    return sound.getvalue()


def _extract(path: Path, name: str, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix != ".ogg":
        path.write_bytes(content)
        return
    path = path.with_suffix(".wav")
    pcm = _decode(content)
    if path.name in NOISY:
        hiss = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(len(pcm), dtype=np.float32)
        pcm = pcm + 10 ** (NOISE_DB / 20) * hiss
    write_wav(path, pcm)
