"""What importing costs, and that the Auto classes know our models whatever the order of imports."""

import subprocess
import sys
import time

import pytest

from tests import preloaded


def _python(code: str) -> str:
    """In a new interpreter, since what importing costs is tested."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_import_alone_is_light():
    heavy = ["torch", "transformers", "datasets", "librosa", "matplotlib", "evaluate", "sklearn"]
    code = f"import sys, mgc_hf; print([name for name in {heavy!r} if name in sys.modules])"
    assert _python(code) == "[]"


def test_every_public_name_loads():
    code = "import mgc_hf; print(all(getattr(mgc_hf, name) is not None for name in mgc_hf.__all__))"
    assert preloaded.run(["-c", code], check=True).stdout == "True\n"


@pytest.mark.parametrize(
    "imports",
    [
        "import mgc_hf, transformers",
        "import transformers; transformers.AutoModelForAudioClassification; import mgc_hf",
        "import mgc_hf; from transformers import AutoModelForAudioClassification",
        "import mgc_hf; from transformers import PreTrainedModel",
        "from transformers import Trainer; import mgc_hf",
    ],
)
def test_auto_classes_know_our_models(imports):
    code = f"""
{imports}
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForAudioClassification
config = AutoConfig.for_model("mel_lstm")
names = [type(config).__name__, type(AutoModel.from_config(config)).__name__,
         type(AutoModelForAudioClassification.from_config(config)).__name__]
print(*names)
"""
    assert preloaded.run(["-c", code], check=True).stdout.split() == [
        "MelLstmConfig",
        "MelLstmModel",
        "MelLstmForAudioClassification",
    ]


def test_auto_config_alone_knows_our_type():
    code = "import mgc_hf; from transformers import AutoConfig; print(AutoConfig.for_model('mel_lstm').model_type)"
    assert _python(code) == "mel_lstm"


def test_help_imports_neither_torch_nor_transformers():
    code = """
import sys
sys.argv = ["mgc-hf", "--help"]
from mgc_hf.cli.main import main
try:
    main()
except SystemExit as stop:
    print("status", stop.code or 0)
print([name for name in ("torch", "transformers", "datasets", "matplotlib") if name in sys.modules])
"""
    lines = _python(code).splitlines()
    assert lines[-2:] == ["status 0", "[]"]
    assert any("predict" in line for line in lines)
    assert any("evaluate" in line for line in lines)


def test_help_is_quick():
    """At most 5 times as long as importing typer: the fastest of several pairs, since the machine may be busy."""

    def seconds(code: str) -> float:
        start = time.perf_counter()
        _python(code)
        return time.perf_counter() - start

    help_code = "import sys; sys.argv = ['mgc-hf', '--help']; from mgc_hf.cli.main import main; main()"
    help_seconds = min(seconds(help_code) for _ in range(5))
    typer_seconds = min(seconds("import typer") for _ in range(5))
    assert help_seconds <= 5 * typer_seconds
