"""Unpacks the voices archive of a released model, safely and all or nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path

from personaplex.errors import UserError

MOST_BYTES = 2_000_000_000  # an archive that unpacks to more is no voices archive
MOST_FILES = 10_000


def cache_directory() -> Path:
    """Where unpacked files are kept: `$XDG_CACHE_HOME/personaplex`, by default `~/.cache/personaplex`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "personaplex"


def unpack_voices(archive: Path) -> Path:
    """Unpack `voices.tgz` into the cache, once for each content; return the directory that holds the voice files.

    Nothing leaves the directory: members with absolute or climbing paths, devices and outside links are refused. The
    directory appears only when it is complete.

    Raises:
        UserError: when the archive is damaged, too large or tries to write elsewhere.
    """
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    target = cache_directory() / "voices" / digest[:16]
    if not target.is_dir():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        except OSError as error:
            raise UserError(f"The voices cannot be unpacked into {target.parent} ({error.strerror}).") from error
        try:
            _extract(archive, scratch)
            try:
                scratch.rename(target)
            except OSError:
                if not target.is_dir():  # another process was not faster, so something is wrong
                    raise
        except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
            raise UserError(f"{archive} cannot be unpacked ({error}); delete it and get it again.") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    inner = target / "voices"
    return inner if inner.is_dir() else target


def _extract(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        if len(members) > MOST_FILES or sum(member.size for member in members) > MOST_BYTES:
            raise ValueError("it is far too large for voices")
        tar.extractall(target, members=members, filter="data")
