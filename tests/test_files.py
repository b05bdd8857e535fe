"""Writing: whole or not at all, with the modes of any other file."""

import errno
import json
import os
import pickle
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mgc_hf import files
from mgc_hf.errors import WriteError
from mgc_hf.files import (
    atomic_folder,
    atomic_path,
    is_write_failure,
    make_folder,
    set_normal_mode,
    write_json,
    write_text,
)

ROOT = Path(__file__).parents[1]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_file_appears_whole_with_a_normal_mode(tmp_path, umask):
    target = tmp_path / "deep" / "file.json"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".json"
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert mode(target) == 0o666 & ~umask
    assert names(target.parent) == ["file.json"]


def test_mode_is_normal_also_where_the_writer_makes_its_own_file(tmp_path):
    """safetensors writes 0600 and renames over what is there."""
    target = tmp_path / "model.safetensors"
    with atomic_path(target) as temporary:
        other = tmp_path / "made-by-a-library"
        other.touch(mode=0o600)
        os.replace(other, temporary)
    assert mode(target) == 0o666 & ~files._umask()
    loose = tmp_path / "loose"
    loose.touch(mode=0o600)
    set_normal_mode(loose)
    assert mode(loose) == 0o666 & ~files._umask()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "file.txt"
    target.write_text("old")

    def write():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_target_that_is_a_folder_is_left_alone(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError):
        write_text(tmp_path / "file", "text")
    assert names(tmp_path) == ["file"]


def test_folder_appears_whole(tmp_path, umask):
    with atomic_folder(tmp_path / "deep" / "folder") as temporary:
        (temporary / "sub").mkdir()
        (temporary / "sub" / "a.txt").write_text("a")
        assert not (tmp_path / "deep" / "folder").exists()
    assert (tmp_path / "deep" / "folder" / "sub" / "a.txt").read_text() == "a"
    assert mode(tmp_path / "deep" / "folder") == 0o777 & ~umask
    assert names(tmp_path / "deep") == ["folder"]


def test_folder_that_fails_or_exists(tmp_path):
    def write():
        with atomic_folder(tmp_path / "folder") as temporary:
            (temporary / "a.txt").write_text("a")
            raise ValueError

    with pytest.raises(ValueError):
        write()
    assert names(tmp_path) == []
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileExistsError, match="folder exists"):
        write()
    assert names(tmp_path) == ["folder"]


def test_killed_while_writing_the_old_file_stays(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    code = (
        "import sys, time\n"
        "from mgc_hf.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}, text=True
    ) as process:
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert target.read_text() == "old"
    assert len(names(tmp_path)) == 2  # the temporary file is left, under a name that nothing reads
    assert all(name == "file.txt" or name.startswith(".tmp-") for name in names(tmp_path))


def test_readers_never_see_half_a_file(tmp_path):
    """A writer that replaces a file again and again, and a reader that must always find it whole."""
    target = tmp_path / "file.json"
    write_json(target, list(range(2000)))
    code = (
        "import sys\nfrom mgc_hf.files import write_json\n"
        "for number in range(100):\n    write_json(sys.argv[1], list(range(number, number + 2000)))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(target)], env={"PYTHONPATH": str(ROOT)}) as process:
        seen, deadline = set(), time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            value = json.loads(target.read_text())
            assert len(value) == 2000
            seen.add(value[0])
    assert process.returncode == 0
    assert len(seen) > 3


def test_text_is_utf8_with_unix_line_ends(tmp_path):
    write_text(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"


def test_json_is_strict_and_readable(tmp_path):
    value = {"b": 1, "a": ["é", None, 0.1], "name": os.fsdecode(b"caf\xe9 \xf0\x9f\x8e\xb5.wav"), "pair": "🎵"}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == value  # a name that is no UTF-8 comes back as it was
    assert text.startswith('{\n  "b": 1,')
    assert "é" in text
    assert "🎵" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("value", [{"a": float("nan")}, {"a": {1}}, {"a": Path("x")}, {1: 2}])
def test_json_that_is_none_leaves_no_file(tmp_path, value):
    with pytest.raises(ValueError, match=r"a\.json"):
        write_json(tmp_path / "a.json", value)
    assert names(tmp_path) == []


def test_which_errors_mean_that_the_disk_refused():
    assert is_write_failure(OSError(errno.ENOSPC, "No space left on device"))
    assert is_write_failure(RuntimeError("[enforce fail at inline_container.cc:783] . unexpected pos"))
    assert not is_write_failure(FileNotFoundError(errno.ENOENT, "No such file"))
    assert not is_write_failure(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_disk_that_refuses_is_one_error_and_the_old_file_stays(tmp_path):
    """FC68: the path and the space, whatever a library makes of the operating system's error."""
    target = tmp_path / "file.txt"
    target.write_text("old")

    def write(error, cause=None):
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error from cause

    full = OSError(errno.ENOSPC, "No space left on device")
    for error, cause in ((full, None), (RuntimeError("wrapped"), full)):
        with pytest.raises(WriteError) as caught:
            write(error, cause)
        text = str(caught.value)
        assert text.startswith(f"{target}: cannot be written (No space left on device; ")
        assert "MiB are free on that disk); free some space, or name another folder" in text
        assert caught.value.errno == errno.ENOSPC
        assert str(pickle.loads(pickle.dumps(caught.value))) == text
    with pytest.raises(RuntimeError, match="a bug"):
        write(RuntimeError("a bug"))
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("place", ["/proc/nope", "{tmp}/file/below"])
def test_a_place_that_cannot_be_is_one_error(tmp_path, place):
    (tmp_path / "file").touch()
    folder = place.format(tmp=tmp_path)
    for write in (lambda: write_text(f"{folder}/a.txt", ""), lambda: make_folder(folder)):
        with pytest.raises(WriteError, match=f"^{folder}: cannot be written"):
            write()
