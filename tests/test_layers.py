"""The layer rule of CONTRIBUTING.md: a module imports only from a lower layer, its own folder, or what is free to all."""

import ast
from pathlib import Path

import pytest

import mgc_hf
from mgc_hf.models import OWN_MODELS

PACKAGE = Path(mgc_hf.__file__).parent

#: Folder or module of the package -> layer.
LAYERS = {
    **dict.fromkeys(("errors", "files", "labels", "libraries", "schema"), 0),
    **dict.fromkeys(("distributed", "predictions", "results"), 1),
    **dict.fromkeys(("data", "models", "evaluation"), 2),
    **dict.fromkeys(("augment", "leaks", "options"), 3),
    "features": 4,
    **dict.fromkeys(("app", "training", "inference", "pictures", "cards", "outputs"), 5),
    **dict.fromkeys(("exporting", "record", "division", "labelling", "tagging"), 6),
    **dict.fromkeys(("doctor", "floor", "hub", "report", "resuming"), 7),
    **dict.fromkeys(("contamination", "cross_validation"), 8),
    **dict.fromkeys(("evaluating", "run"), 9),
    **dict.fromkeys(("auditing", "comparison", "rerunning"), 10),
    "cli": 11,
    "__main__": 12,
}

#: What every module may import: they import nothing of ours.
FREE = ("errors", "schema", "__version__")

#: Packages that cost time or may be missing: imported inside the functions that use them, wherever mgc_hf is imported.
IMPORTED_WHERE_USED = {
    "datasets",
    "librosa",
    "matplotlib",
    "audiomentations",
    "symusic",
    "pretty_midi",
    "gradio",
    "onnx",
    "onnx_ir",
    "onnxruntime",
    "mutagen",
}
#: Modules whose whole job is one of these libraries, and which are themselves imported where they are used.
EXCEPTIONS = {
    ("evaluation/metrics.py", "datasets"),
    ("app/genre_app.py", "gradio"),
    ("app/genre_app.py", "matplotlib"),
}


def _modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def _imports(tree: ast.AST) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module == "mgc_hf":
                found += [(node.lineno, f"mgc_hf.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, node.module))
    return found


def breaches(path: Path, text: str) -> list[str]:
    """Return the imports of a module that break the layer rule, as `file:line: text`."""
    relative = path.relative_to(PACKAGE)
    own = relative.parts[0].removesuffix(".py")
    if own == "__init__":
        return []  # the package's public names, loaded lazily
    wrong = []
    for line, name in _imports(ast.parse(text)):
        parts = name.split(".")
        if parts[0] != "mgc_hf" or len(parts) < 2 or parts[1] in (own, *FREE):
            continue
        if LAYERS[parts[1]] >= LAYERS[own]:
            wrong.append(f"{relative}:{line}: {own} (layer {LAYERS[own]}) imports {name} (layer {LAYERS[parts[1]]})")
    return wrong


def test_every_module_has_a_layer():
    tops = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in _modules()} - {"__init__"}
    assert tops == set(LAYERS)


def test_no_layer_imports_a_higher_one():
    modules = _modules()
    assert len(modules) > 30
    assert [breach for path in modules for breach in breaches(path, path.read_text())] == []


def test_the_rule_finds_a_breach():
    path = PACKAGE / "data" / "audio.py"
    assert breaches(path, "def f():\n    from mgc_hf.run import run\n") == [
        "data/audio.py:2: data (layer 2) imports mgc_hf.run (layer 9)"
    ]
    assert breaches(path, "from mgc_hf import features") != []
    assert breaches(path, "from mgc_hf.data import folder\nfrom mgc_hf.errors import AudioError") == []


@pytest.mark.parametrize("model_type", OWN_MODELS)
def test_remote_code_imports_siblings_only(model_type):
    files = sorted((PACKAGE / "models" / model_type).glob("[!_]*.py"))
    assert len(files) >= 4
    allowed = {"torch", "transformers", "numpy", "math", "functools", "collections", "typing", "dataclasses"}
    for path in files:
        tree = ast.parse(path.read_text())
        outside = {name.split(".")[0] for _, name in _imports(tree)} - allowed
        assert not {name for name in outside if name == "mgc_hf"}, path
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1, f"{path}: only `from .sibling import` is copied to a model folder"
                assert node.module, f"{path}: only `from .sibling import` is copied to a model folder"


def test_heavy_packages_are_imported_where_they_are_used():
    wrong = []
    for path in _modules():
        relative = path.relative_to(PACKAGE).as_posix()
        tree = ast.parse(path.read_text())
        for node in tree.body:  # top level of the module only; `if TYPE_CHECKING:` blocks do not run
            for line, name in _imports(node) if isinstance(node, ast.Import | ast.ImportFrom) else []:
                top = name.split(".")[0]
                if top in IMPORTED_WHERE_USED and (relative, top) not in EXCEPTIONS:
                    wrong.append(f"{relative}:{line}: {name}")
    assert wrong == []
