"""Names of cached results: fingerprints of our own, equal in every process, and where the files lie.

`datasets` fingerprints a `map` by pickling its function, which differs for a feature extractor that was saved and
loaded again, and it never caches a data set made from a dictionary. So both the fingerprint and the file are named
here: by the input's fingerprint, the settings, and the code that does the work.
"""

import hashlib
import importlib.metadata
import json
import sys
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mgc_hf.data.caching import default_cache
from mgc_hf.files import as_write_errors, make_folder

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from transformers.feature_extraction_utils import FeatureExtractionMixin

#: Keys of a feature extractor's dictionary that say nothing about the features: loading and saving add them, or they
#: say where clips are cut.
_VOLATILE = (
    "_commit_hash",
    "_name_or_path",
    "auto_map",
    "custom_pipelines",
    "hop_seconds",
    "name_or_path",
    "processor_class",
)


def fingerprint(**parts: Any) -> str:
    """Return a fingerprint of named parts (plain JSON values and arrays), 32 hexadecimal digits."""
    text = json.dumps(parts, sort_keys=True, default=_plain, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype != object:
        return [str(value.dtype), list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
    if hasattr(value, "tolist"):  # numpy scalars, object arrays and tensors
        return value.tolist()
    return str(value)


def extractor_configuration(feature_extractor: "FeatureExtractionMixin") -> dict[str, Any]:
    """Return the settings that decide the features: the same for a fresh and for a saved and loaded extractor."""
    if hasattr(feature_extractor, "features_config"):  # ours say it themselves
        return {"feature_extractor_type": type(feature_extractor).__name__, **feature_extractor.features_config()}
    return {name: value for name, value in feature_extractor.to_dict().items() if name not in _VOLATILE}


def code_version(*objects: Any) -> list[str]:
    """Return what identifies the code of classes or functions: digests of their modules' files.

    So changed code never reads a cache of the old one, and nobody has to remember to raise a version number. A module
    brings along the modules of its own folder that it takes classes or functions from. Code of transformers also
    depends on its other folders, for which its version stands. Code without a file (typed into a notebook) is never
    the same in two processes.
    """
    modules = {name for item in objects for name in _with_siblings(item.__module__)}
    return [*map(_file_digest, sorted(modules)), _transformers_version()]


def _with_siblings(name: str) -> set[str]:
    folder, found, todo = name.rpartition(".")[0] + ".", set(), [name]
    while todo:
        name = todo.pop()
        found.add(name)
        used = {getattr(value, "__module__", None) for value in list(vars(sys.modules[name]).values())}
        todo += [other for other in used - found if other in sys.modules and str(other).startswith(folder)]
    return found


@cache  # the code that runs is the code as it was when the process began, whatever is edited meanwhile
def _file_digest(module: str) -> str:
    file = getattr(sys.modules[module], "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else uuid.uuid4().hex


@cache
def _transformers_version() -> str:
    return importlib.metadata.version("transformers")


def cached_map(
    dataset: "Dataset",
    function: Callable[..., "pa.Table"],
    new_fingerprint: str,
    beside: "Dataset",
    **options: Any,
) -> "Dataset":
    """Run `datasets.Dataset.map` over batches as Arrow tables, or read what an earlier run of it left.

    Several processes may call it at once: one computes, the others wait and read.

    Args:
        dataset (`datasets.Dataset`): What is mapped.
        function (`Callable`): From a batch (and, with `with_indices=True`, its rows' numbers) to the result's columns.
        new_fingerprint (`str`): Names the result.
        beside (`datasets.Dataset`): The file is kept beside this data set's own, or in the datasets cache if it lives
            in memory.
        options: Passed on to `map`.

    Raises:
        WriteError: The folder does not take the file.
    """
    from filelock import FileLock

    files = beside.cache_files
    folder = Path(files[0]["filename"]).parent if files else Path(default_cache()) / "mgc_hf"
    make_folder(folder)
    file = folder / f"cache-{new_fingerprint}.arrow"
    with as_write_errors(file, "free some space, or name another folder by --cache_dir"), FileLock(f"{file}.lock"):
        mapped = dataset.with_format("arrow").map(
            function, batched=True, new_fingerprint=new_fingerprint, cache_file_name=str(file), **options
        )
    return mapped.with_format(None)
