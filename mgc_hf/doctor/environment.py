"""Python, torch and its device, transformers, and the versions of all that mgc_hf stands on."""

import importlib.metadata
import importlib.util
import platform
import subprocess
import sys

from mgc_hf.doctor.findings import ERROR, OK, WARNING, Finding


def check_environment() -> list[Finding]:
    """Look at the interpreter and the packages; imports torch and transformers."""
    return [_python(), *_versions(), *check_torchaudio(), _torch(), *_transformers()]


def _python() -> Finding:
    return Finding("Python", OK, f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _versions() -> list[Finding]:
    """Compare what is installed with the ranges of setup.cfg."""
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(text) for text in importlib.metadata.requires("mgc_hf") or []]
    except importlib.metadata.PackageNotFoundError:
        return [Finding("packages", WARNING, "mgc_hf is not installed, only on the path", "pip install -e .")]
    wrong = []
    needed = [item for item in requirements if item.marker is None or item.marker.evaluate({"extra": ""})]
    for item in needed:
        try:
            version = importlib.metadata.version(item.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(Finding(item.name, ERROR, "is not installed", f'pip install "{item.name}{item.specifier}"'))
            continue
        if not item.specifier.contains(version, prereleases=True):
            text = f"{version} is outside of what mgc_hf was made for ({item.specifier})"
            wrong.append(Finding(item.name, WARNING, text, f'pip install "{item.name}{item.specifier}"'))
    return wrong or [Finding("packages", OK, f"all {len(needed)} in their ranges")]


def check_torchaudio() -> list[Finding]:
    """Look whether torchaudio, where there is one, can be imported: transformers imports it where it is found.

    A wheel for CUDA beside a CPU build of torch fails, and everything of audio in transformers with it, were it not left
    out (`libraries.py`). It is tried in a process of its own, and only where it is installed.
    """
    if importlib.util.find_spec("torchaudio") is None:
        return []
    try:
        tried = subprocess.run(
            [sys.executable, "-c", "import torchaudio"], capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        last = "it takes over two minutes"
    else:
        if tried.returncode == 0:
            return [Finding("torchaudio", OK, "can be imported; mgc_hf does not use it")]
        last = (tried.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    return [
        Finding(
            "torchaudio",
            WARNING,
            f"is installed but cannot be imported ({last[:200]}); mgc_hf leaves it out, other programs fail with it",
            "pip uninstall torchaudio",
        )
    ]


def _torch() -> Finding:
    try:
        import torch
    except Exception as error:  # a broken wheel raises OSError, ImportError or RuntimeError
        return Finding("torch", ERROR, f"cannot be imported ({error})", "bash scripts/install_torch.sh python")
    threads = f"{torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        device = f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)} ({memory:.0f} GiB)"
    elif torch.backends.mps.is_available():
        device = "Apple GPU (mps)"
    else:
        device = f"no GPU, CPU with {threads}"
        if "+cpu" not in torch.__version__ and torch.version.cuda is not None:
            return Finding(
                "torch",
                WARNING,
                f"{torch.__version__} is built for CUDA, but there is no GPU that it can use; training runs on the CPU",
                "nvidia-smi shows whether the driver sees one; without one the +cpu build is smaller",
            )
    return Finding("torch", OK, f"{torch.__version__}, {device}")


def _transformers() -> list[Finding]:
    try:
        import transformers
        import transformers.audio_utils
    except Exception as error:  # whatever an optional package of its own raises
        return [Finding("transformers", ERROR, f"cannot be imported ({error})", "pip install -U transformers")]
    return [Finding("transformers", OK, transformers.__version__)]
