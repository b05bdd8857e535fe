import pytest

from mgc_hf import outputs
from mgc_hf.errors import CheckpointError, OptionError
from mgc_hf.record import public_options


def test_a_new_or_empty_folder_may_be_used(tmp_path):
    outputs.check_folder(tmp_path)
    outputs.check_folder(tmp_path / "new")


def test_a_folder_in_use_needs_a_word(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="not empty; go on with it by --resume"):
        outputs.check_folder(tmp_path)
    with pytest.raises(OptionError, match="name another folder$"):
        outputs.check_folder(tmp_path, ways="name another folder")
    outputs.check_folder(tmp_path, resume=True)
    with pytest.raises(OptionError, match="is a file"):
        outputs.check_folder(tmp_path / "file", overwrite=True)


def test_only_a_run_is_overwritten(tmp_path):
    """A project's own README, config.json and images are not ours to replace."""
    (tmp_path / "README.md").write_text("my project")
    (tmp_path / "images").mkdir()
    with pytest.raises(OptionError, match="holds no run"):
        outputs.check_folder(tmp_path, overwrite=True)
    (tmp_path / "results.json").write_text("{}")
    outputs.check_folder(tmp_path, overwrite=True)


def test_a_run_that_has_only_begun_may_begin_again(tmp_path):
    (tmp_path / "split.json").write_text("{}")
    outputs.check_folder(tmp_path)


def test_clearing_spares_what_is_not_ours(tmp_path):
    for name in ("results.json", "README.md", "model.safetensors", "modeling_mel_lstm.py", "thesis.txt", "song.wav"):
        (tmp_path / name).write_text("")
    for name in ("checkpoint-3", "images", "holiday", ".tmp-model-x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    (tmp_path / "images" / "waveforms.png").write_text("")
    (tmp_path / "checkpoint-9").symlink_to(tmp_path / "holiday")
    outputs.clear_folder(tmp_path)
    left = ["checkpoint-9", "holiday", "images", "song.wav", "thesis.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["file"]
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


def test_recordings_round_trip(tmp_path):
    assert outputs.load_recordings(tmp_path, 22050) is None
    tracks = {"train": {"y": "b", "x": "a"}, "validation": {"z": "c"}, "test": {"t": "d"}}
    outputs.save_recordings(tmp_path, 22050, tracks)
    assert outputs.load_recordings(tmp_path, 22050) == {"a", "b", "c"}
    assert outputs.load_recordings(tmp_path, 16000) is None  # other samples, so nothing to compare
    assert outputs.read_recordings(tmp_path).tracks == tracks


def test_recordings_of_folders_written_before_tracks_were_kept(tmp_path):
    (tmp_path / "recordings.json").write_text('{"sampling_rate": 22050, "sha256": ["a", "b"]}')
    assert outputs.load_recordings(tmp_path, 22050) == {"a", "b"}
    assert outputs.read_recordings(tmp_path).tracks == {}


@pytest.mark.parametrize("text", ["[]", "{}", "no JSON", '{"sampling_rate": 1, "sha256": [], "tracks": [1]}'])
def test_damaged_recordings_are_named(tmp_path, text):
    (tmp_path / "recordings.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"recordings\.json"):
        outputs.load_recordings(tmp_path, 22050)
