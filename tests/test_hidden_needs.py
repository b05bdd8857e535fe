"""Nothing on the local path needs what it does not say: each is broken here, not merely absent, as on people's machines.

In processes of their own, since libraries look for each other once.
"""

import os
import subprocess
from pathlib import Path

import pytest
import soundfile

from mgc_hf.results import RunResult
from tests import preloaded
from tests.models.kinds import save_checkpoint
from tests.tunes import GENRES, SAMPLING_RATE, tune

ROOT = Path(__file__).parents[1]

#: Every way to the network is told of in a file, and fails.
NO_NETWORK = """
import os, socket
def _refuse(*args, **kwargs):
    with open(os.environ["TRIED"], "a") as file:
        print(args, kwargs, file=file)
    raise OSError(101, "this machine has no network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = _refuse
"""
BROKEN = {
    "torchcodec/__init__.py": 'raise RuntimeError("Could not load libtorchcodec")',
    "torchaudio/__init__.py": 'raise OSError("libtorchaudio.so: undefined symbol")',
    "sitecustomize.py": NO_NETWORK,
}
IN_CWD = {f"{name}/{name}.py": f'raise RuntimeError("{name}.py of this folder")' for name in ("accuracy", "f1")}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def python(code: str, packages: Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run code where there is no program on the path, no writable home and no cache."""
    own = {
        "PATH": "/nonexistent",
        "HOME": "/proc/nobody",
        "HF_HOME": "/proc/nope",
        "HF_HUB_OFFLINE": "1",
        "TMPDIR": str(cwd),
        "TRIED": str(cwd / "tried.txt"),
        "PYTHONPATH": os.pathsep.join((str(packages), str(ROOT))),
        **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        **environment,
    }
    return preloaded.run(["-c", code], env=own, cwd=cwd)


#: Two runs at once, from one process that has paid for the imports; then all that is done with a model.
ALL_OF_IT = """
import os, sys
import mgc_hf.run, mgc_hf.training.loop
from mgc_hf.cli.main import main

values = dict(dataset="music", num_train_epochs=1, num_resamples=100, floor=False, disable_tqdm=True,
              pictures=False)
kinds = {"lstm": dict(model_config='{"hidden_size": 8}'), "hubert": dict(
    model_name_or_path="encoder", segment_seconds=1.0, spec_time_masks=0, bf16=False)}
children = []
for name, own in kinds.items():
    children.append(os.fork())
    if not children[-1]:
        try:
            mgc_hf.run.fine_tune(**values, **own, output_dir=name)
            status = 0
        except BaseException:
            import traceback
            traceback.print_exc()
            status = 1
        sys.stderr.flush()
        os._exit(status)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
for words in (
    ["predict", "music", "--model", "lstm", "--json"],
    ["evaluate", "--model", "hubert", "--dataset", "music", "--split", "hubert/split.json", "--json"],
    ["audit", "--dataset", "music", "--split", "lstm/split.json"],
    ["audit", "lstm"],
):
    sys.argv, status = ["mgc-hf", *words], 0
    sys.stdin.close()  # a question would end here
    try:
        main()
    except SystemExit as left:
        status = left.code or 0
    assert status == 0, (words, status)
"""


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_nothing_local_needs_network_codecs_home_or_metrics_of_others(tmp_path):
    """FC53, FC55, FC64, FC67: no ffmpeg, a torchcodec and a torchaudio that raise, no network, an HF_HOME that cannot be,
    metrics of other people's in the working folder, and two runs at once."""
    for genre in GENRES:
        (tmp_path / "music" / genre).mkdir(parents=True)
        for index, suffix in enumerate(("wav", "au", "flac", "ogg", "mp3", "wav")):
            clip = tmp_path / "music" / genre / f"clip{index}.{suffix}"
            soundfile.write(clip, tune(genre, index, 3.0), SAMPLING_RATE)
    save_checkpoint("hubert", tmp_path / "encoder")
    write(tmp_path, IN_CWD)
    done = python(ALL_OF_IT, write(tmp_path / "broken", BROKEN), tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "tried.txt").exists(), (tmp_path / "tried.txt").read_text()
    for word in ("torchcodec", "torchaudio", "ffmpeg", "Traceback"):
        assert word not in done.stdout + done.stderr
    assert "/proc/nope/datasets cannot be written to; data are prepared in" in done.stderr
    for name in ("lstm", "hubert"):
        result = RunResult.load(tmp_path / name / "results.json")
        assert sum(sum(counts.values()) for counts in result.data.tracks.values()) == 18
        assert result.data.skipped == []
        assert 0 <= result.segment.accuracy.value <= 1
        assert 0 <= result.segment.macro_f1.value <= 1


WITHOUT_SOUND = """
import sys
from mgc_hf.cli.main import main
for words in sys.argv[1].splitlines():
    sys.argv = ["mgc-hf", *words.split()]
    try:
        main()
    except SystemExit as left:
        print("status", left.code, file=sys.stderr)
try:
    sys.argv = ["lstm.py", "--dataset", "demo", "--output_dir", "run", "--demo_clips_per_genre", "4"]
    from mgc_hf.cli.recipe import main
    main({}, "lstm.py", None)
except SystemExit as left:
    print("status", left.code, file=sys.stderr)
"""


def test_without_libsndfile_all_but_sound_works(finished_run, music_folder, tmp_path):
    """FC65: a soundfile that raises OSError, as in slim containers."""
    packages = write(tmp_path / "broken", {"soundfile.py": 'raise OSError("cannot load library libsndfile.so")'})
    words = ["--help", f"push {finished_run} me/model --dry_run", f"compare {finished_run} {finished_run}"]
    words += [f"predict {music_folder} --model {finished_run}", f"audit --dataset {music_folder}"]
    own = {"HF_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
    environment = {**os.environ, **own, "PYTHONPATH": os.pathsep.join((str(packages), str(ROOT)))}
    done = preloaded.run(["-c", WITHOUT_SOUND, "\n".join(words)], env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert [line for line in lines if line.startswith("status")] == [f"status {code}" for code in (0, 0, 0, 1, 2, 1)]
    errors = [line for line in lines if "error: " in line]
    assert len(errors) == 3
    for error in errors:
        assert "cannot load library libsndfile.so" in error
        assert "pip install --force-reinstall soundfile" in error
        assert "apt-get install libsndfile1" in error
