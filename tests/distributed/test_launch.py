import pytest

from mgc_hf.distributed import check_launch
from mgc_hf.distributed.launch import launch_arguments
from mgc_hf.errors import OptionError


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (["/v/bin/python", "/v/bin/accelerate", "launch", "--cpu", "a.py"], ["--cpu", "a.py"]),
        (["accelerate", "launch", "a.py"], ["a.py"]),
        (["/v/bin/python", "/v/bin/accelerate-launch", "a.py"], ["a.py"]),
        (["python", "-m", "accelerate.commands.launch", "a.py"], ["a.py"]),
        (["python", "-m", "accelerate.commands.accelerate_cli", "launch", "a.py"], ["a.py"]),
        (["timeout", "60", "accelerate", "launch", "a.py"], ["a.py"]),
        (["accelerate", "config"], None),
        (["bash", "-c", "accelerate launch a.py"], None),
        (["python", "a.py"], None),
        ([], None),
    ],
)
def test_the_launcher_is_known_in_every_spelling(words, arguments):
    assert launch_arguments(words) == arguments


def test_as_many_as_asked_for_is_right(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    check_launch(2)
    with pytest.raises(OptionError, match="WORLD_SIZE is 2, but this process runs alone"):
        check_launch(1)
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(OptionError, match="must be a number"):
        check_launch(1)


def test_tasks_of_slurm_that_run_alone_are_told(monkeypatch, caplog):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    check_launch(4)
    assert not caplog.text
    check_launch(1)
    assert "srun has started 4 tasks, but this process runs alone" in caplog.text
