"""`benchmarks/two_nodes.py`: two machines as network namespaces; skipped where they cannot be made."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.timeout(900)  # each run in it has a limit of its own


def _load():
    spec = importlib.util.spec_from_file_location("two_nodes", ROOT / "benchmarks" / "two_nodes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


two_nodes = _load()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    reason = two_nodes.why_not()
    if reason is not None:
        pytest.skip(f"network namespaces cannot be made here: {reason}")
    scratch = tmp_path_factory.mktemp("two-nodes")
    two_nodes.write_clips(scratch / "clips")
    with two_nodes.two_namespaces() as names:
        yield names, scratch / "clips", scratch
    left = two_nodes.ip("netns", "list").stdout
    assert not [name for name in names if name in left]


def test_two_machines_give_the_figures_of_one_process(place):
    result = two_nodes.figures(*place)
    assert result["world_size"] == 2
    assert result["largest_difference_of_validation_losses"] < 1e-4


@pytest.mark.parametrize("how", ["kill", "link"])
def test_a_lost_machine_is_told_and_the_run_resumes(place, how):
    result = two_nodes.lost(*place, how)
    assert result["seconds_until_told"] < two_nodes.NOTICE_SECONDS
    assert "lost contact with the others at step" in result["error"]
    assert "GenreTrainer" not in result["error"]
