import os
import stat

import pytest

from mgc_hf.errors import CheckpointError, LabelError
from mgc_hf.training import checkpoints


def write(folder, step, best_step=None, signature=None, text="weights"):
    staged = checkpoints.stage(folder, step)
    staged.mkdir()
    (staged / "model.safetensors").write_text(text)
    os.chmod(staged / "model.safetensors", 0o600)
    (staged / "inner").mkdir()
    (staged / "inner" / "rng.pth").write_text("random")
    return checkpoints.commit(staged, folder, step, best_step=best_step, signature=signature or {})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_commit_leaves_a_whole_checkpoint_with_normal_modes(tmp_path):
    written = write(tmp_path, 5, best_step=5, signature={"labels": ["a"]})
    assert names(tmp_path) == ["checkpoint-5"]
    assert checkpoints.read_checkpoint(written.path) == written
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((written.path / "model.safetensors").stat().st_mode) == 0o666 & ~umask


def test_commit_replaces_a_broken_one_of_the_same_step(tmp_path):
    (write(tmp_path, 5).path / "model.safetensors").unlink()
    write(tmp_path, 5, text="other")
    assert (tmp_path / "checkpoint-5" / "model.safetensors").read_text() == "other"
    assert names(tmp_path) == ["checkpoint-5"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: (path / "manifest.json").unlink(), "manifest.json is missing"),
        (lambda path: (path / "manifest.json").write_text("{"), "manifest.json cannot be read"),
        (lambda path: (path / "manifest.json").write_text("{}"), "manifest.json cannot be read"),
        (lambda path: (path / "manifest.json").write_text("[]"), "manifest.json cannot be read"),
        (lambda path: (path / "inner" / "rng.pth").unlink(), "inner/rng.pth is missing"),
        (lambda path: (path / "model.safetensors").write_text("weight"), "has 6 bytes instead of 7"),
    ],
)
def test_what_is_not_whole_is_passed_over(tmp_path, caplog, damage, reason):
    write(tmp_path, 5)
    write(tmp_path, 10)
    damage(tmp_path / "checkpoint-10")
    assert checkpoints.newest_whole(tmp_path).step == 5
    assert "resuming from checkpoint-5; passed over as incomplete: checkpoint-10: " in caplog.text
    assert reason in caplog.text


def test_a_newer_format_is_not_read(tmp_path):
    manifest = write(tmp_path, 5).path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(CheckpointError, match="has format 2, this mgc_hf reads format 1"):
        checkpoints.newest_whole(tmp_path)


def test_steps_are_compared_as_numbers_and_other_names_ignored(tmp_path):
    write(tmp_path, 9)
    write(tmp_path, 10)
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "checkpoint-11").write_text("a file")
    assert checkpoints.newest_whole(tmp_path).step == 10
    assert checkpoints.newest_whole(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("limit", "best", "left"),
    [
        (None, None, [1, 2, 3, 4]),
        (1, None, [4]),
        (1, 2, [2, 4]),
        (2, 2, [2, 4]),
        (3, 2, [2, 3, 4]),
        (2, None, [3, 4]),
        (9, 4, [1, 2, 3, 4]),
    ],
)
def test_rotation_keeps_newest_and_best(tmp_path, limit, best, left):
    for step in (1, 2, 3, 4):
        newest = write(tmp_path, step, best_step=best if best and best <= step else None)
    checkpoints.rotate(tmp_path, newest, limit)
    assert [step for step, _ in checkpoints.list_checkpoints(tmp_path)] == left


@pytest.mark.parametrize("limit", [None, 3])
def test_rotation_drops_broken_ones_and_those_of_later_steps(tmp_path, limit):
    for step in (1, 2, 8):
        write(tmp_path, step)
    (tmp_path / "checkpoint-2" / "manifest.json").unlink()
    checkpoints.rotate(tmp_path, write(tmp_path, 3), limit)
    assert names(tmp_path) == ["checkpoint-1", "checkpoint-3"]


def test_clean_removes_what_a_kill_left_and_nothing_else(tmp_path):
    write(tmp_path, 1)
    (tmp_path / ".tmp-checkpoint-2").mkdir()
    (tmp_path / ".tmp-checkpoint-checkpoint-1-deleted" / "inner").mkdir(parents=True)
    (tmp_path / ".tmp-other").mkdir()
    checkpoints.clean(tmp_path)
    assert names(tmp_path) == [".tmp-other", "checkpoint-1"]


def test_find_resumable_compares_the_signature(tmp_path):
    before = {"labels": ["a", "b"], "options": {"seed": 0, "rate": 1.0}, "gone": 1}
    write(tmp_path, 1, signature=before)
    assert checkpoints.find_resumable(tmp_path, {**before, "new": (1, 2)}).step == 1
    assert checkpoints.find_resumable(tmp_path, {"labels": ("a", "b")}).step == 1
    with pytest.raises(LabelError, match=r"\['a', 'b'\].*\['b', 'c'\]") as raised:
        checkpoints.find_resumable(tmp_path, {**before, "labels": ["b", "c"]})
    assert (raised.value.unknown, raised.value.missing) == (["c"], ["a"])
    with pytest.raises(CheckpointError, match=r"seed was 0, is now 1\. Resume with the same"):
        checkpoints.find_resumable(tmp_path, {"labels": ["a", "b"], "options": {"seed": 1, "rate": 1.0}})


def test_a_disk_that_refused_is_told_with_the_space_that_is_needed(tmp_path):
    error = checkpoints.write_failure(tmp_path / "new" / "checkpoint-3", "All is well.", 3 * 2**20, OSError("full"))
    assert str(error).startswith(f"{tmp_path}/new/checkpoint-3: could not be written (full); it needs about 3.0 MiB, ")
    assert str(error).endswith("All is well.")
