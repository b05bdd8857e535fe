"""Audio and a finished run that several tests look at, made once a session."""

import os

# Before any test imports them: no test may reach a network, and all caches are the session's own.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# Three workers on two cores: threads that wait for each other cost more than these tiny models gain.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import gc
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from tests.tunes import GENRES, SAMPLING_RATE, tune

SHARED = Path(__file__).parents[1] / ".." / "shared"


@pytest.fixture(autouse=True, scope="module")
def _quick_collections():
    """No walk through every module's objects at the beginning of each training: the Trainer collects garbage there."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def gtzan_subset() -> Path:
    """The real clips, where they are at hand."""
    folder = SHARED / "gtzan-subset"
    if not folder.is_dir():
        pytest.skip("the real clips (../shared/gtzan-subset) are not at hand")
    return folder


@pytest.fixture(scope="session")
def field_cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inputs of the field cases, `<case>/...` and `expected.json`, where what makes them is at hand."""
    script = SHARED / "field-cases" / "make_cases.py"
    if not script.is_file():
        pytest.skip("what makes the field cases (../shared/field-cases) is not at hand")
    root = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, script, "--out", root], check=True, capture_output=True)
    return root


@pytest.fixture(scope="session")
def music_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `<genre>/<clip>.wav` of 3 genres with 6 clips of 5 to 7.5 seconds."""
    folder = tmp_path_factory.mktemp("music")
    for genre in GENRES:
        (folder / genre).mkdir()
        for index in range(6):
            soundfile.write(folder / genre / f"clip{index}.wav", tune(genre, index, 5 + index / 2), SAMPLING_RATE)
    return folder


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the session's own."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def run_values(music_folder: Path, cache_dir: Path) -> dict:
    """Options of a small run on `music_folder`."""
    return {
        "dataset": str(music_folder),
        "cache_dir": str(cache_dir),
        "num_train_epochs": 4,
        "per_device_train_batch_size": 16,
        "model_config": '{"hidden_size": 16}',
        "num_resamples": 200,
        "floor": False,
        "disable_tqdm": True,
    }


@pytest.fixture(scope="session")
def finished_run(run_values: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has been trained, judged and documented."""
    from mgc_hf.run import fine_tune

    folder = tmp_path_factory.mktemp("runs") / "small"
    fine_tune(**run_values, output_dir=str(folder))
    return folder


#: Files whose tests wait for processes of their own: begun first, so that they are not what the last worker is left with.
_SLOW_FILES = ("test_two_nodes.py", "test_many_processes.py", "test_two_processes.py", "test_recipes.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow files first."""
    items.sort(key=lambda item: item.path.name not in _SLOW_FILES)
