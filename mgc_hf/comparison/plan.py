"""Which runs an experiment is made of: systems, protocols and seeds to recipes, options and folders."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mgc_hf.comparison.material import System, identify_kind, named_system, slug
from mgc_hf.errors import OptionError
from mgc_hf.outputs import display_name
from mgc_hf.results import FLOOR_MODEL

#: Name of a system -> its recipe and, to tell of a run that is not there, its type of model.
RECIPES = {
    "lstm": ("lstm.py", "mel_lstm"),
    "hubert": ("hubert.py", "hubert"),
    "wavlm": ("wavlm.py", "wavlm"),
    "wav2vec2": ("wav2vec2.py", "wav2vec2"),
    "floor": ("floor.py", FLOOR_MODEL),
}
#: Systems that have an architecture to build from scratch, in a size.
_SIZED = ("hubert", "wavlm", "wav2vec2")
#: Protocols that divide segments, which have no windows anywhere in a clip.
_SEGMENTED = "segment"
#: Options that the experiment sets itself.
_OWN = ("dataset", "protocol", "seed", "output_dir", "resume", "overwrite_output_dir", "config", "push_to_hub")
_NAMED = re.compile(r"([\w.-]+)=(.+)")


@dataclass(frozen=True)
class PlannedRun:
    """One run of an experiment.

    Args:
        system ([`System`]): What is trained, as far as options tell.
        name (`str`): The system's name among `--systems`.
        protocol (`str`): Protocol of its split.
        seed (`int`): Seed of split, weights and training.
        recipe (`str`): The recipe's file.
        options (`dict[str, Any]`): Its options but for the folder.
        folder (`Path`): Its output folder.
    """

    system: System
    name: str
    protocol: str
    seed: int
    recipe: str
    options: dict[str, Any] = field(hash=False)
    folder: Path = field(default=Path())

    @property
    def title(self) -> str:
        """Its name in the progress display."""
        return f"{self.name} {self.protocol} seed {self.seed}"

    @property
    def source(self) -> str:
        """The run as `read_material` takes it: checkpoints that the user named keep that name."""
        return str(self.folder) if self.name in RECIPES else f"{self.name}={self.folder}"

    def arguments(self) -> list[str]:
        """Return the recipe's command line, but for `--resume` and its like."""
        words = []
        for name, value in {**self.options, "output_dir": self.folder}.items():
            words.append(f"--{name}")
            if isinstance(value, list | tuple):
                words += map(str, value)
            elif isinstance(value, dict):
                words.append(json.dumps(value))
            else:
                words.append(str(value))
        return words


def plan(
    systems: Sequence[str],
    protocols: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    *,
    dataset: str,
    from_scratch: bool = False,
    size: str | None = None,
    system_options: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[PlannedRun]:
    """Return every run of an experiment, system by system.

    Args:
        systems (`Sequence[str]`): Keys of `RECIPES`, `NAME=CHECKPOINT` for any other model of transformers, or
            `NAME=FILE.yaml` for the LSTM with the options of a file.
        protocols (`Sequence[str]`): Protocols of the recipes.
        seeds (`Sequence[int]`): Each seeds split, weights and training alike.
        folder (`Path`): Folder of the experiment; runs go to `runs/` in it.
        dataset (`str`): Data to train on, as the recipes take it.
        from_scratch (`bool`, *optional*, defaults to `False`): Build the speech models without pre-trained weights.
        size (`str`, *optional*): `tiny` or `base`, with `from_scratch`.
        system_options (`Mapping[str, Mapping[str, Any]]`, *optional*): Name of a system, `all` or `SYSTEM/PROTOCOL` ->
            options of its recipe.

    Raises:
        OptionError: A system is unknown or stands twice, options are of a system that is not asked for, or set what the
            experiment sets itself.
    """
    given = _given_options(system_options or {}, systems, protocols)
    runs = []
    for system in systems:
        name, recipe, kind, base = _recipe_of(system)
        options_of_file = _options_of_file(base) if kind and base else {}
        base = None if kind else base
        for protocol in protocols:
            own = {**options_of_file, **_options(name, kind, protocol, base, from_scratch, size)}
            extra = {**given.get("all", {}), **given.get(name, {}), **given.get(f"{name}/{protocol}", {})}
            for seed in seeds:
                options = {"dataset": dataset, "protocol": protocol, "seed": seed, **own, **extra}
                runs.append(
                    PlannedRun(
                        system=_about(name, kind, options),
                        name=name,
                        protocol=protocol,
                        seed=seed,
                        recipe=recipe,
                        options=options,
                        folder=folder / "runs" / f"{slug(name)}-{slug(protocol)}-{seed}",
                    )
                )
    folders = [run.folder for run in runs]
    twice = sorted({path.name for path in folders if folders.count(path) > 1})
    if twice:
        raise OptionError(f"--systems, --protocols, --seeds: {', '.join(twice)} would be made twice; name each once")
    return runs


def read_system_options(given: str | None) -> dict[str, dict[str, Any]]:
    """Read `--system_options`: a YAML or JSON file, or JSON itself.

    Args:
        given (`str`, *optional*): As it was given.

    Returns:
        `dict[str, dict[str, Any]]`: Name of a system, `all` or `SYSTEM/PROTOCOL` -> options.

    Raises:
        OptionError: It cannot be read, or is no object of objects.
    """
    if not given:
        return {}
    import yaml

    path = Path(given).expanduser()
    try:
        text = given if given.lstrip().startswith("{") else path.read_text(encoding="utf-8-sig")
        value = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise OptionError(
            f"--system_options {given}: is neither JSON nor a YAML file that can be read ({error})"
        ) from error
    if not isinstance(value, dict) or not all(isinstance(options, dict) for options in value.values()):
        raise OptionError(
            f'--system_options {given}: must be options by system, such as {{"lstm": {{"num_train_epochs": 5}}}}'
        )
    return {
        str(system): {str(k).replace("-", "_"): v for k, v in options.items()} for system, options in value.items()
    }


def command(run: PlannedRun, launcher: str, recipes: Path, resume: Sequence[str] = ()) -> list[str]:
    """Return the command that makes a run.

    Args:
        run ([`PlannedRun`]): The run.
        launcher (`str`): What starts a recipe, `accelerate launch` with its own options.
        recipes (`Path`): Folder of the recipes.
        resume (`Sequence[str]`, *optional*): Further options, such as `--resume true`.
    """
    return [*shlex.split(launcher), str(recipes / run.recipe), *run.arguments(), *resume]


def _recipe_of(system: str) -> tuple[str, str, str | None, str | None]:
    """Return a system's name, recipe, type of model and checkpoint (or, of the LSTM, file of options)."""
    if system in RECIPES:
        recipe, kind = RECIPES[system]
        return system, recipe, kind, None
    match = _NAMED.fullmatch(system)
    if match is None:
        raise OptionError(
            f"--systems {system}: is none of {', '.join(RECIPES)}; any other model of transformers is NAME=FOLDER or "
            "NAME=ORG/NAME, and the LSTM with other options NAME=FILE.yaml"
        )
    if match[1] in RECIPES or match[1] == "all":
        raise OptionError(f"--systems {system}: {match[1]} means something else; give it another name")
    if match[2].endswith((".yaml", ".yml")):
        return match[1], *RECIPES["lstm"], match[2]
    return match[1], "audio_model.py", None, match[2]


def _options_of_file(path: str) -> dict[str, Any]:
    """Return the options of a file that a recipe takes by `--config`."""
    import yaml

    try:
        value = yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise OptionError(f"--systems: {path} cannot be read as a YAML file of options ({error})") from error
    if not isinstance(value, dict) or (wrong := [name for name in value if name in _OWN]):
        fault = f"sets {wrong[0]}, which the experiment does" if isinstance(value, dict) else "holds no options"
        raise OptionError(f"--systems: {path} {fault}; give options of recipes/lstm.py")
    return {str(name): option for name, option in value.items()}


def _options(
    name: str, kind: str | None, protocol: str, base: str | None, from_scratch: bool, size: str | None
) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if base is not None:
        options["model_name_or_path"] = base
    if name in _SIZED and from_scratch:
        options["from_scratch"] = True
        if size is not None:
            options["size"] = size
    if protocol == _SEGMENTED and (name in _SIZED or kind is None):
        options["random_windows"] = 0  # segments are divided, so there is no clip to take windows of
    return options


def _given_options(
    given: Mapping[str, Mapping[str, Any]], systems: Sequence[str], protocols: Sequence[str]
) -> dict[str, dict[str, Any]]:
    names = [_recipe_of(system)[0] for system in systems]
    known = {"all", *names, *(f"{name}/{protocol}" for name in names for protocol in protocols)}
    for key, options in given.items():
        if key not in known:
            raise OptionError(f"--system_options: {key} is not asked for; known here are {', '.join(sorted(known))}")
        wrong = [name for name in options if name in _OWN]
        if wrong:
            raise OptionError(f"--system_options: {key}: {wrong[0]} is set by the experiment; leave it out")
    return {key: dict(options) for key, options in given.items()}


def _about(name: str, kind: str | None, options: Mapping[str, Any]) -> System:
    """Tell what a run would be, for a report in which it is missing."""
    if kind is None:
        base = display_name(str(options["model_name_or_path"]))
        return named_system(name, identify_kind("audio model", base, None))
    if name not in RECIPES:
        return named_system(name, identify_kind(kind, None, None))
    if options.get("from_scratch"):
        return identify_kind(kind, None, options.get("size"))
    return identify_kind(kind, display_name(str(options.get("model_name_or_path", "the recipe's checkpoint"))), None)
