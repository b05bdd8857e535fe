"""Tar archives: nothing escapes, nothing is half unpacked, nothing is unpacked twice."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from mgc_hf.data import archive
from mgc_hf.data.archive import is_archive, unpack
from mgc_hf.errors import SourceError
from tests.data.waves import encode, tone

SOUND = encode(tone(seconds=0.2), kind="AU")


def make(path: Path, *members: tuple[str, bytes] | tarfile.TarInfo, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            entry = tarfile.TarInfo(member[0])
            entry.size = len(member[1])
            tar.addfile(entry, io.BytesIO(member[1]))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_content_is_unpacked(tmp_path: Path, mode: str) -> None:
    path = make(tmp_path / "genres.tar", ("./genres/blues/blues.00000.au", SOUND), mode=mode)
    assert is_archive(path)
    folder, faults = unpack(path, tmp_path / "cache")
    assert faults == []
    assert files_below(folder) == {"genres/blues/blues.00000.au"}
    assert (folder / "genres/blues/blues.00000.au").read_bytes() == SOUND


def test_nothing_escapes(tmp_path: Path) -> None:
    outside = tmp_path / "absolute.au"
    path = make(
        tmp_path / "a.tar.gz",
        ("genres/blues/a.au", SOUND),
        ("../escape.au", b"no"),
        ("genres/../../escape.au", b"no"),
        (str(outside), b"no"),
        ("C:\\escape.au", b"no"),
        special("genres/link.au", tarfile.SYMTYPE, "/etc/hostname"),
        special("genres/inside.au", tarfile.SYMTYPE, "blues/a.au"),
        special("genres/hard.au", tarfile.LNKTYPE, "genres/blues/a.au"),
        special("genres/pipe.au", tarfile.FIFOTYPE),
        ("genres/._a.au", b"no"),
        ("__MACOSX/a.au", b"no"),
    )
    folder, faults = unpack(path, tmp_path / "deep/er/cache")
    assert files_below(folder) == {"genres/blues/a.au"}
    assert not outside.exists()
    assert "escape.au" not in {name.rsplit("/", 1)[-1] for name in files_below(tmp_path)}
    assert {fault.file: fault.reason.split(";")[0] for fault in faults} == {
        "../escape.au": "leads out of the archive's folder",
        "genres/../../escape.au": "leads out of the archive's folder",
        str(outside): "an absolute path",
        "C:\\escape.au": "an absolute path",
        "genres/link.au": "a link",
        "genres/inside.au": "a link",
        "genres/hard.au": "a link",
        "genres/pipe.au": "not a regular file",
    }
    assert {fault.kind for fault in faults} == {"left_out"}


def test_the_size_is_bounded(tmp_path: Path) -> None:
    path = make(tmp_path / "a.tar.gz", ("a/1.au", bytes(600)), ("a/2.au", bytes(600)))
    with pytest.raises(SourceError, match=r"unpacks to more than 1,000 bytes"):
        unpack(path, tmp_path / "cache", max_bytes=1000)
    assert not any(path.is_dir() and path.name != "digests" for path in (tmp_path / "cache").iterdir())
    assert unpack(path, tmp_path / "cache", max_bytes=1200)[1] == []


def test_the_number_of_members_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    with pytest.raises(SourceError, match="or 2 files"):
        unpack(make(tmp_path / "a.tar", *((f"{n}.au", b"") for n in range(3)), mode="w"), tmp_path / "cache")


def test_a_second_call_uses_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "a.tar.gz", ("a/1.au", SOUND), ("../x.au", b"no"))
    first, faults = unpack(path, tmp_path / "cache")
    stamp = (first / "a/1.au").stat().st_mtime_ns
    monkeypatch.setattr(archive, "_extract", lambda *_: pytest.fail("unpacked twice"))
    assert unpack(path, tmp_path / "cache") == (first, faults)
    os.utime(path, (1, 1))  # touched, not changed
    assert unpack(path, tmp_path / "cache") == (first, faults)
    assert (first / "a/1.au").stat().st_mtime_ns == stamp


def test_a_changed_archive_is_unpacked_anew(tmp_path: Path) -> None:
    path = make(tmp_path / "a.tar.gz", ("a/1.au", SOUND))
    first, _ = unpack(path, tmp_path / "cache")
    make(path, ("a/2.au", SOUND))
    second, _ = unpack(path, tmp_path / "cache")
    assert first != second
    assert (files_below(first), files_below(second)) == ({"a/1.au"}, {"a/2.au"})


def test_a_folder_without_its_manifest_is_not_trusted(tmp_path: Path) -> None:
    path = make(tmp_path / "a.tar.gz", ("a/1.au", SOUND))
    folder, _ = unpack(path, tmp_path / "cache")
    (folder.parent / "unpacked.json").unlink()
    (folder / "a/1.au").unlink()
    assert files_below(unpack(path, tmp_path / "cache")[0]) == {"a/1.au"}


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w"])
def test_a_damaged_archive_leaves_nothing(tmp_path: Path, mode: str) -> None:
    noise = os.urandom(40_000)
    path = make(tmp_path / "a.tar.gz", ("a/1.au", noise), ("a/2.au", noise), mode=mode)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"a\.tar\.gz: this archive is damaged .*fetch it again"):
        unpack(path, tmp_path / "cache")
    assert {entry.name for entry in (tmp_path / "cache").iterdir()} == {".lock", "digests"}


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    path = make(tmp_path / "a.tar.gz", ("a/1.au", SOUND))
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(SourceError, match=r"cannot be unpacked into .*cache .*cache_dir"):
        unpack(path, tmp_path / "cache")


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"no")
    assert not is_archive(tmp_path / "a.tar.gz")
    assert not is_archive(tmp_path / "none")
