"""Reading checkpoints: from a folder, the cache or the Hub, whole or not at all, and in float32.

Code that lies in a checkpoint is never run (`trust_remote_code=False`); the package's own classes are registered.
"""

import copy
import difflib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from mgc_hf.errors import CheckpointError, OptionError
from mgc_hf.models.heads import NOT_LEARNT, is_head, learnt_below_head
from mgc_hf.models.reasons import NOT_CACHED, why_not

logger = logging.getLogger(__name__)

CONFIG, EXTRACTOR = "config.json", "preprocessor_config.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_LFS = b"version https://git-lfs.github.com/spec/"


def read_config(name_or_path: str, values: Mapping[str, Any]) -> Any:
    """Read a checkpoint's configuration.

    Args:
        name_or_path (`str`): Folder or Hub id.
        values (`Mapping[str, Any]`): `--model_config`: values that replace the checkpoint's.

    Raises:
        CheckpointError: It is not there, cannot be read, or is no audio classifier's.
        OptionError: A value's name is unknown, or the value out of range.
    """
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING as CLASSIFIERS

    _check_folder(name_or_path, CONFIG)
    with _as_checkpoint_errors(name_or_path):
        config = AutoConfig.from_pretrained(name_or_path, trust_remote_code=False)
    if type(config) not in CLASSIFIERS:
        raise CheckpointError(
            f"{name_or_path}: is a {config.model_type}, which is no audio classifier of transformers; there are "
            f"{', '.join(sorted(kind.model_type for kind in CLASSIFIERS))}"
        )
    return with_values(config, values, "model_config")


def read_extractor(
    name_or_path: str, values: Mapping[str, Any], revision: str | None = None, to_train: bool = True
) -> Any:
    """Read a checkpoint's feature extractor.

    Args:
        name_or_path (`str`): Folder or Hub id.
        values (`Mapping[str, Any]`): `--feature_config`: values that replace the checkpoint's.
        revision (`str`, *optional*): Branch, tag or commit of a Hub id.
        to_train (`bool`, *optional*, defaults to `True`): Whether an error names the ways to train without it.

    Raises:
        CheckpointError: It is not there or cannot be read.
        OptionError: A value's name is unknown, or the value out of range.
    """
    from transformers import AutoFeatureExtractor

    _check_folder(name_or_path, EXTRACTOR)
    with _as_checkpoint_errors(name_or_path, to_train):
        extractor = AutoFeatureExtractor.from_pretrained(name_or_path, revision=revision, trust_remote_code=False)
    return with_values(extractor, values, "feature_config")


def with_values(settings: Any, values: Mapping[str, Any], option: str) -> Any:
    """Return a configuration or feature extractor with some values replaced.

    Raises:
        OptionError: A value's name is unknown, or the value out of range; the text names `option`.
    """
    known = settings.to_dict()
    refuse_unknown(option, values, known)
    with as_option_errors(option):
        return type(settings).from_dict({**known, **values}) if values else settings


def find_weights(name_or_path: str, revision: str | None = None, to_train: bool = True) -> None:
    """Make sure that a checkpoint's weights are at hand, fetching them from the Hub if need be, without reading them.

    Args:
        name_or_path (`str`): Folder or Hub id.
        revision (`str`, *optional*): Branch, tag or commit of a Hub id.
        to_train (`bool`, *optional*, defaults to `True`): Whether an error names the ways to train without them.

    Raises:
        CheckpointError: There are none, or a Git LFS pointer lies in their place.
    """
    from transformers.utils import cached_file

    found = None
    with _as_checkpoint_errors(name_or_path, to_train):
        for file in _WEIGHTS:
            found = cached_file(
                name_or_path,
                file,
                revision=revision,
                _raise_exceptions_for_missing_entries=False,
                _raise_exceptions_for_connection_errors=False,
            )
            if found:
                break
    if not found:
        raise CheckpointError(
            f"{name_or_path}: no weights ({' or '.join(_WEIGHTS[::2])}) are at hand. {_looked()}{_ways(to_train)}"
        )
    _refuse_pointer(Path(found))
    if found.endswith(".index.json"):
        with _as_checkpoint_errors(name_or_path, to_train):
            shards = set(json.loads(Path(found).read_text(encoding="utf-8"))["weight_map"].values())
        for shard in sorted(shards):
            if (Path(found).parent / shard).is_file():
                _refuse_pointer(Path(found).parent / shard)


def load_weights(name_or_path: str, config: Any, genres: Sequence[str], attention: str) -> Any:
    """Load a checkpoint as a classifier of these genres, in float32 whatever its own dtype is.

    The head is kept where it is one of the same genres in the same order; else its last layer, or all of it, is new.

    Args:
        name_or_path (`str`): Folder or Hub id.
        config (`PretrainedConfig`): From [`read_config`]; not changed.
        genres (`Sequence[str]`): Class names in label order.
        attention (`str`): `attn_implementation`.

    Raises:
        CheckpointError: It cannot be read, or some weight below the head is not in it in this size.
    """
    labels = [config.id2label[index] for index in range(config.num_labels)]
    model, info = _from_pretrained(name_or_path, config=labelled(config, genres), attn_implementation=attention)
    new = set(info["missing_keys"]) | {key for key, *_ in info["mismatched_keys"]}
    _refuse_new(name_or_path, model, new, info)
    _initialize_bare(model, new)
    of_head = sorted(name for name in new if is_head(name))
    if any(name.startswith("classifier") for name in info["missing_keys"]):
        logger.info("%s: has no classification head; these weights are new: %s", name_or_path, ", ".join(of_head))
    elif any(key.startswith("classifier") for key, *_ in info["mismatched_keys"]):
        logger.warning(
            "%s: classifies %d labels; for the %d genres these weights of its head are new: %s",
            name_or_path,
            len(labels),
            len(genres),
            ", ".join(of_head),
        )
    elif labels == list(genres):
        logger.warning("%s: classifies the same %d genres; its head is kept", name_or_path, len(genres))
    else:
        _initialize(model, model.classifier)
        logger.warning(
            "%s: classifies other labels (%s); its classifier is made anew", name_or_path, ", ".join(labels[:12])
        )
    return model


def labelled(config: Any, genres: Sequence[str]) -> Any:
    """Return a copy of a configuration with these class names."""
    config = copy.deepcopy(config)
    config.id2label = dict(enumerate(genres))
    config.label2id = {genre: index for index, genre in enumerate(genres)}
    return config


def _initialize_bare(model: Any, new: set[str]) -> None:
    """Set the new weights that transformers leaves as the memory was: parameters that belong to no layer.

    They get the values that the models' own constructors give them: the mean of all layers, and uniform masks.
    """
    from torch import nn

    for name, parameter in model.named_parameters():
        if name in new and name == "layer_weights":
            nn.init.constant_(parameter, 1 / len(parameter))
        elif name in new and name.endswith(NOT_LEARNT):
            nn.init.uniform_(parameter)


def _initialize(model: Any, module: Any) -> None:
    """Draw the weights of a loaded module anew, as its model does for those that a checkpoint lacks."""
    for parameter in module.parameters():
        parameter._is_hf_initialized = False
    for part in module.modules():
        model._init_weights(part)


def load_classifier(name_or_path: str | Path, revision: str | None = None) -> tuple[Any, Any]:
    """Load a finished classifier and its feature extractor, in evaluation mode, float32.

    Args:
        name_or_path (`str` or `Path`): Folder or Hub id.
        revision (`str`, *optional*): Branch, tag or commit of a Hub id.

    Raises:
        CheckpointError: The folder is missing or incomplete, or some weights are not in it; it says which.
        OptionError: A revision of a local folder.
    """
    name = str(name_or_path)
    refuse_local_revision(name, revision)
    _check_folder(name, CONFIG, EXTRACTOR)
    revision = _commit(name, revision)
    extractor = read_extractor(name, {}, revision, to_train=False)
    find_weights(name, revision, to_train=False)
    model, info = _from_pretrained(name, to_train=False, revision=revision)
    absent = sorted(set(info["missing_keys"]) | {key for key, *_ in info["mismatched_keys"]})
    absent = [name for name in absent if not name.endswith(NOT_LEARNT)]
    if absent:
        raise CheckpointError(
            f"{name_or_path}: {len(absent)} weights are not in the checkpoint ({_some(absent)}); "
            "a classifier with random weights would be of no use"
        )
    if not is_local(name):
        model.config._commit_hash = revision  # transformers forgets it with a class of ours
    return model.eval(), extractor


def _commit(name: str, revision: str | None) -> str | None:
    """Return the commit of a Hub id's revision, so that all its files are of one; what was given where it is local.

    Asked by the configuration, since transformers does not say why it finds no feature extractor.
    """
    from transformers.utils import cached_file
    from transformers.utils.hub import extract_commit_hash

    if is_local(name):
        return revision
    with _as_checkpoint_errors(name, to_train=False, revision=revision):
        path = cached_file(name, CONFIG, revision=revision)
    return extract_commit_hash(path, None) or revision


def _from_pretrained(name_or_path: str, to_train: bool = True, **values: Any) -> tuple[Any, dict[str, Any]]:
    import torch
    from transformers import AutoModelForAudioClassification

    with _as_checkpoint_errors(name_or_path, to_train), _no_loading_report():
        return AutoModelForAudioClassification.from_pretrained(
            name_or_path,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told apart below: in the head it is adapted, elsewhere refused
            trust_remote_code=False,
            **values,
        )


@contextmanager
def _no_loading_report() -> Iterator[None]:
    """Keep transformers' own table of new weights off the screen: what it would say is said here, or refused."""
    from transformers.utils import logging as transformers_logging

    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)


def _refuse_new(name_or_path: str, model: Any, new: set[str], info: Mapping[str, Any]) -> None:
    absent = learnt_below_head(model, new)
    if not absent:
        return
    sizes = {key: (tuple(has), tuple(wants)) for key, has, wants in info["mismatched_keys"]}
    shown = [f"{name} (is {sizes[name][0]}, needs {sizes[name][1]})" if name in sizes else name for name in absent]
    raise CheckpointError(
        f"{name_or_path}: {len(absent)} weights below the classification head are not in the checkpoint, or not in the "
        f"size that its configuration asks for: {_some(shown)}. They would be random. Give a whole checkpoint of a "
        f"{model.config.model_type} and leave sizes out of --model_config, or train it all with --from_scratch"
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _check_folder(name_or_path: str, *files: str) -> None:
    """Refuse a name that can only mean a folder and is none, or one that lacks a file.

    Raises:
        CheckpointError: The text names folder or file.
    """
    if not is_local(name_or_path):
        return
    folder = Path(name_or_path).expanduser()
    if not folder.is_dir():
        raise CheckpointError(
            f"model folder {name_or_path} does not exist; give a folder that a run has written, or one that holds "
            f"{CONFIG}, {EXTRACTOR} and model.safetensors"
        )
    for name in files:
        if not (folder / name).is_file():
            raise CheckpointError(f"{name_or_path} is no model folder: {name} is missing")
        _refuse_pointer(folder / name)


def _refuse_pointer(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(_LFS)) == _LFS:
            raise CheckpointError(
                f"{path}: is a Git LFS pointer, not the file itself; fetch it with `git lfs pull` in the folder that it "
                "was cloned to, or download it from the Hub"
            )


def is_local(name: str) -> bool:
    """Whether a model name can only mean a path: `owner/name` is a Hub id unless `owner` or all of it is here."""
    path = Path(name).expanduser()
    return path.exists() or name.startswith((".", "/", "~")) or name.count("/") != 1 or path.parent.is_dir()


def refuse_local_revision(name: str, revision: str | None) -> None:
    """Refuse a revision of what is no Hub id.

    Raises:
        OptionError: Names both.
    """
    if revision is not None and is_local(name):
        raise OptionError(f"--revision {revision}: {name} is a local folder, which has no revisions; leave it out")


def refuse_unknown(option: str, values: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuse names of values that a configuration does not have, with the nearest name.

    Raises:
        OptionError: One is unknown.
    """
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise OptionError(f"--{option}: unknown key {name}" + (f"; did you mean {near[0]}?" if near else ""))


@contextmanager
def as_option_errors(option: str) -> Iterator[None]:
    """Turn what a configuration refuses into an error that names the option."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise OptionError(f"--{option}: {error}") from error


def _looked() -> str:
    from huggingface_hub.constants import HF_HOME

    return f"Looked in the cache ({HF_HOME}) and, unless it is offline, on the Hub. "


def _ways(to_train: bool) -> str:
    ways = f"a local folder that holds {CONFIG}, {EXTRACTOR} and model.safetensors"
    if not to_train:
        return f"Give {ways}, or set HF_HOME to a folder whose cache holds it"
    return (
        f"Give {ways}, set HF_HOME to a folder whose cache holds it, or train without pre-trained weights with "
        "--from_scratch"
    )


@contextmanager
def _as_checkpoint_errors(name: str, to_train: bool = True, revision: str | None = None) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, UnpicklingError, SafetensorError) as error:
        why = None if is_local(name) else why_not(error, name)
        if why is not None:
            ways = f". {_ways(to_train)}" if to_train or NOT_CACHED in why else ""
            raise CheckpointError(f"{name}{f'@{revision}' if revision else ''}: {why}{ways}") from error
        lines = str(error).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        if "trust_remote_code" in str(error):
            reason = "it brings code of its own, which is not run here"
        ways = "" if is_local(name) else f". {_looked()}{_ways(to_train)}"
        raise CheckpointError(f"{name}: cannot be loaded ({reason}){ways}") from error
