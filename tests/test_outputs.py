import pytest

from mgc_hf import outputs
from mgc_hf.data.protocols import Split
from mgc_hf.errors import OptionError
from mgc_hf.record import public_options


def test_a_new_or_empty_folder_may_be_used(tmp_path):
    outputs.check_folder(tmp_path, resume=False, overwrite=False)
    outputs.check_folder(tmp_path / "new", resume=False, overwrite=False)


def test_a_folder_in_use_needs_a_word(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="not empty"):
        outputs.check_folder(tmp_path, resume=False, overwrite=False)
    outputs.check_folder(tmp_path, resume=True, overwrite=False)
    outputs.check_folder(tmp_path, resume=False, overwrite=True)
    with pytest.raises(OptionError, match="is a file"):
        outputs.check_folder(tmp_path / "file", resume=False, overwrite=True)


def test_clearing_spares_what_is_not_ours(tmp_path):
    for name in ("results.json", "README.md", "model.safetensors", "modeling_mel_lstm.py", "thesis.txt", "song.wav"):
        (tmp_path / name).write_text("")
    for name in ("checkpoint-3", "images", "holiday", ".tmp-model-x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    (tmp_path / "checkpoint-9").symlink_to(tmp_path / "holiday")
    outputs.clear_folder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-9", "holiday", "song.wav", "thesis.txt"]
    assert (tmp_path / "holiday" / "file").exists()
    outputs.clear_folder(tmp_path / "gone")


@pytest.mark.parametrize(
    ("source", "shown"),
    [("marsyas/gtzan", "marsyas/gtzan"), ("demo", "demo"), ("/home/me/music", "music"), ("../a/b", "b"), ("./x", "x")],
)
def test_names_tell_no_path(source, shown):
    assert outputs.display_name(source) == shown


def test_public_options_tell_no_path(tmp_path):
    values = {"dataset": str(tmp_path), "output_dir": "/home/me/out", "cache_dir": "/c", "seed": 3, "resume": True}
    assert public_options(values) == {"dataset": tmp_path.name, "seed": 3}


def test_trained_ids_of_a_folder_without_a_run(tmp_path):
    Split("track", "track", 0, {"blues.00000": "train"}).save(tmp_path / "split.json")
    assert outputs.trained_ids(tmp_path, "gtzan", {"blues.00000"}) == []


def test_trained_ids_by_source(finished_run, music_folder):
    split = Split.load(finished_run / "split.json")
    seen, unseen = split.ids("train")[0], split.ids("test")[0]
    assert outputs.trained_ids(finished_run, music_folder.name, {seen, unseen}) == [seen]
    assert outputs.trained_ids(finished_run, "another", {seen, unseen}) == []  # every tree may have a blues/clip0
