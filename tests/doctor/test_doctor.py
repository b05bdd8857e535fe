"""What would stop a run is found, with its cure; and nothing else is said to."""

import json
import shutil
import subprocess
import sys
from collections import namedtuple
from types import SimpleNamespace

import pytest
import soundfile

from mgc_hf.doctor import check_before_run, check_data, check_environment, check_hub, check_places, check_sound
from mgc_hf.doctor.environment import check_torchaudio
from mgc_hf.errors import SetupError
from tests.cli.test_predict import mgc_hf  # noqa: F401

Disk = namedtuple("Disk", "total used free")


def by_name(found):
    return {finding.name: finding for finding in found}


def test_this_machine_is_ready(mgc_hf, tmp_path):  # noqa: F811
    status, out, _ = mgc_hf("doctor", "--output-dir", tmp_path / "new" / "run", "--json")
    told = json.loads(out)
    found = {finding["name"]: finding for finding in told["findings"]}
    assert (status, told["ready"]) == (0, True)
    assert set(found) >= {
        "Python",
        "packages",
        "torch",
        "transformers",
        "libsndfile",
        "decoders",
        "cache",
        "output folder",
    }
    assert found["decoders"]["text"] == "wav, au, flac, ogg, mp3 are read"
    assert not list(tmp_path.iterdir())
    status, out, _ = mgc_hf("doctor")
    assert (status, "a run would start" in out) == (0, True)


def test_a_folder_that_cannot_be_written_stops(mgc_hf, tmp_path):  # noqa: F811
    (tmp_path / "file").touch()
    status, out, _ = mgc_hf("doctor", "--output_dir", tmp_path / "file" / "run")
    assert status == 1
    assert "1 thing would stop a run" in out
    assert "name another by --output_dir" in out
    with pytest.raises(SetupError, match="output folder: .*file is no folder; name another by --output_dir"):
        check_before_run(str(tmp_path / "file" / "run"))


@pytest.mark.parametrize(("free", "status"), [(2**20, "error"), (2**31, "warning"), (2**40, "ok")])
def test_room(tmp_path, monkeypatch, free, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(2**41, 0, free))
    found = by_name(check_places(str(tmp_path), str(tmp_path / "cache")))
    assert {finding.status for finding in found.values()} == {status}
    if status == "error":
        with pytest.raises(SetupError, match="cache: .*0.0 GiB free; make room"):
            check_before_run(str(tmp_path), str(tmp_path))
    else:
        check_before_run(str(tmp_path), str(tmp_path))


def test_without_libsndfile(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    (finding,) = check_sound()
    assert (finding.name, finding.status) == ("libsndfile", "error")
    assert "apt-get install libsndfile1" in finding.cure
    with pytest.raises(SetupError, match="libsndfile: cannot be loaded"):
        check_before_run(".")


def test_a_decoder_that_fails_is_named(monkeypatch):
    write = soundfile.write

    def without_mp3(path, *given, **values):
        if values["format"] == "MP3":
            raise ValueError("no such format")
        return write(path, *given, **values)

    monkeypatch.setattr(soundfile, "write", without_mp3)
    found = by_name(check_sound())
    assert found["decoders"].status == "error"
    assert found["decoders"].text == "cannot read mp3 (no such format)"


def test_without_ffmpeg(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    found = by_name(check_sound())
    assert found["m4a, aac, wma"].status == "warning"
    assert "apt-get install ffmpeg" in found["m4a, aac, wma"].cure


def test_a_torchaudio_that_does_not_load(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    failing = SimpleNamespace(returncode=1, stderr="Traceback\nOSError: libcudart.so.13: cannot open")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failing)
    (finding,) = check_torchaudio()
    assert finding.status == "warning"
    assert "libcudart.so.13" in finding.text
    assert finding.cure == "pip uninstall torchaudio"


def test_versions(monkeypatch):
    monkeypatch.setattr(
        "importlib.metadata.requires",
        lambda name: ["numpy>=99", "no-such-package>=1", "torch>=1", "pytest>=99; extra == 'test'"],
    )
    found = by_name(check_environment())
    assert (found["numpy"].status, found["no-such-package"].status) == ("warning", "error")
    assert found["no-such-package"].cure == 'pip install "no-such-package>=1"'
    assert "packages" not in found
    assert "pytest" not in found


def test_data(music_folder, tmp_path, cache_dir):
    found = by_name(check_data(str(music_folder), cache_dir=str(cache_dir)))
    assert found["data set"].status == "ok"
    assert "jazz 6" in found["data set"].text
    shutil.copytree(music_folder, tmp_path / "m")
    (tmp_path / "m" / "jazz" / "broken.wav").write_bytes(b"")
    shutil.rmtree(tmp_path / "m" / "metal")
    (tmp_path / "m" / "metal").mkdir()
    shutil.copy(music_folder / "metal" / "clip0.wav", tmp_path / "m" / "metal")
    found = by_name(check_data(str(tmp_path / "m"), cache_dir=str(cache_dir)))
    assert found["genres"].text == "fewer than 3 clips: metal"
    assert "broken.wav: empty" in found["faults"].text
    assert by_name(check_data("org/name"))["data set"].status == "warning"
    (tmp_path / "empty").mkdir()
    assert by_name(check_data(str(tmp_path / "empty")))["data set"].status == "error"


def test_the_hub_is_asked_only_on_request_and_the_token_never_shown(monkeypatch):
    import huggingface_hub

    found = by_name(check_hub())
    assert found["Hub"].status == "warning"  # HF_HUB_OFFLINE is set for all tests
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    answer = SimpleNamespace(raise_for_status=lambda: None)
    monkeypatch.setattr("huggingface_hub.utils.get_session", lambda: SimpleNamespace(get=lambda *_, **__: answer))
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    assert by_name(check_hub())["token"].status == "warning"
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_secret")
    for role, status in (("write", "ok"), ("read", "warning")):
        known = {"name": "alice", "auth": {"accessToken": {"role": role}}}
        monkeypatch.setattr(huggingface_hub.HfApi, "whoami", lambda self, known=known: known)
        token = by_name(check_hub())["token"]
        assert (token.status, "hf_secret" in f"{token}") == (status, False)
        assert f"of alice, {role}" in token.text

    def refuse(self):
        raise OSError("401 hf_secret")

    monkeypatch.setattr(huggingface_hub.HfApi, "whoami", refuse)
    token = by_name(check_hub())["token"]
    assert (token.status, "hf_secret" in f"{token}") == ("error", False)
