"""The voices archive is unpacked inside its own directory, whole or not at all."""

import io
import tarfile

import pytest

from personaplex.checkpoints import archive
from personaplex.checkpoints.archive import unpack_voices
from personaplex.checkpoints.model import load_model
from personaplex.errors import UserError


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "personaplex" / "voices"


def make(path, members):
    """A gzipped tar of name → content; a TarInfo goes in as it is."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                tar.addfile(info)
    return path


def link(name, target, kind):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_the_voices_are_found_and_unpacked_once(tmp_path, cache):
    path = make(tmp_path / "voices.tgz", [("voices/NATF0.pt", b"a"), ("voices/NATM1.pt", b"b")])
    folder = unpack_voices(path)
    assert sorted(file.name for file in folder.iterdir()) == ["NATF0.pt", "NATM1.pt"]
    first = (folder / "NATF0.pt").stat().st_mtime_ns, (folder / "NATF0.pt").stat().st_ino
    assert unpack_voices(path) == folder
    assert ((folder / "NATF0.pt").stat().st_mtime_ns, (folder / "NATF0.pt").stat().st_ino) == first
    assert len(list(cache.iterdir())) == 1


def test_another_archive_gets_a_directory_of_its_own(tmp_path):
    one = unpack_voices(make(tmp_path / "a.tgz", [("voices/NATF0.pt", b"a")]))
    two = unpack_voices(make(tmp_path / "b.tgz", [("NATF0.pt", b"b")]))
    assert (one / "NATF0.pt").read_bytes() == b"a" and (two / "NATF0.pt").read_bytes() == b"b"


@pytest.mark.parametrize(
    "member",
    [
        ("../outside.pt", b"x"),
        ("voices/../../outside.pt", b"x"),
        ("voices/a", link("voices/a", "/etc/passwd", tarfile.SYMTYPE)),
        ("voices/a", link("voices/a", "../../../outside", tarfile.SYMTYPE)),
        ("voices/a", link("voices/a", "/etc/passwd", tarfile.LNKTYPE)),
        ("voices/a", link("voices/a", "", tarfile.CHRTYPE)),
    ],
    ids=["climbing", "climbing inside", "absolute link", "climbing link", "hard link", "device"],
)
def test_an_archive_that_reaches_outside_is_refused(tmp_path, cache, member):
    path = make(tmp_path / "voices.tgz", [("voices/NATF0.pt", b"a"), member])
    with pytest.raises(UserError, match="voices.tgz"):
        unpack_voices(path)
    assert not list(cache.iterdir())
    assert not list(tmp_path.rglob("outside*"))


def test_an_absolute_name_stays_inside(tmp_path, cache):
    folder = unpack_voices(make(tmp_path / "voices.tgz", [("/absolute-personaplex-test.pt", b"x")]))
    assert (folder / "absolute-personaplex-test.pt").is_file() and folder.is_relative_to(cache)


@pytest.mark.parametrize("keep", [0.5, 0.0])
def test_an_archive_cut_short_leaves_nothing(tmp_path, cache, keep):
    path = make(tmp_path / "voices.tgz", [("voices/NATF0.pt", bytes(range(256)) * 400)])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(UserError, match="voices.tgz cannot be unpacked"):
        unpack_voices(path)
    assert not list(cache.iterdir())


def test_an_archive_of_absurd_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 10)
    with pytest.raises(UserError, match="too large"):
        unpack_voices(make(tmp_path / "voices.tgz", [("voices/NATF0.pt", b"x" * 11)]))


def test_a_model_directory_with_an_archive_has_its_voices(parts, tmp_path):
    parts.save(tmp_path / "m")
    for file in (tmp_path / "m" / "voices").iterdir():
        file.unlink()
    (tmp_path / "m" / "voices").rmdir()
    make(tmp_path / "m" / "voices.tgz", [("voices/NATF0.pt", b"a"), ("voices/VARM4.pt", b"b")])
    assert load_model(tmp_path / "m").voices.names() == ["NATF0", "VARM4"]
