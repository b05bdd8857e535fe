"""The page of each system: what it is, its runs one by one, and how they were trained."""

from mgc_hf.cards.markdown import without_paths
from mgc_hf.comparison.formatting import (
    counted,
    interval_cell,
    listed,
    missing,
    number,
    protocol_title,
    time_cell,
)
from mgc_hf.comparison.material import Material, RunEntry, System
from mgc_hf.comparison.sections import Cell, Section, Table
from mgc_hf.results import format_duration


def systems_page(material: Material) -> list[Section]:
    """Return a section for each system: every run with both levels, and how it was trained."""
    return [_section(system, material.of(system)) for system in material.systems]


def _section(system: System, runs: list[RunEntry]) -> Section:
    words = [f"{system.title} is {system.about}; {runs[0].result.model.num_parameters:,} parameters."]
    words += _training(runs)
    rows = [_row(run) for run in runs]
    columns = [
        "Protocol",
        "Seed",
        "Leak",
        "Tracks right, 95 % interval",
        "Test tracks",
        "Segments right, 95 % interval",
        "Test segments",
        "95 % interval by artist",
        "Macro F1",
        "Training",
        "Weights",
        "Run",
    ]
    note = (
        "Tracks right: the mean of a track's segments' probabilities decides; not defined where segments of one track are "
        "trained on and tested on. By artist: the accuracy again, its interval from drawing artists with all their tracks."
    )
    table = Table(f"runs-{system.key}", f"{system.title}, run by run", columns, rows, note)
    return Section(f"system-{system.key}", system.title, words, [], [table], page="systems")


def _row(run: RunEntry) -> list[Cell]:
    result = run.result
    mark = run.mark
    seconds = [one.training.seconds for one in run.trained if one.training]
    chosen = sorted({f"{one.training.selected}" for one in run.trained if one.training})
    where = f"{run.source}" if run.commit else run.folder.name
    return [
        Cell(protocol_title(run.protocol)),
        Cell(str(run.seed) if run.seed >= 0 else "none", run.seed),
        Cell(result.leak, mark=mark),
        missing("not defined") if result.track is None else interval_cell(result.track.accuracy, mark),
        missing("not defined") if result.track is None else number(result.track.n),
        interval_cell(result.segment.accuracy, mark),
        number(result.segment.n),
        interval_cell(run.scores.accuracy_by_artist, mark),
        interval_cell(run.scores.macro_f1, mark),
        time_cell(sum(seconds) if seconds else None),
        Cell(listed(chosen) or "of a finished model"),
        Cell(where + (f"@{run.commit[:7]}" if run.commit else "")),
    ]


def _training(runs: list[RunEntry]) -> list[str]:
    """Say how a system was trained: recipe, options that are not the recipe's defaults, time."""
    words = []
    options: dict[str, set[str]] = {}
    recipes = set()
    seconds = []
    for run in runs:
        for one in run.trained:
            assert one.training is not None
            recipes.add(one.training.recipe)
            seconds.append(one.training.seconds)
            for name, value in one.training.options.items():
                if name not in ("protocol", "seed", "dataset", "output_dir"):
                    options.setdefault(name, set()).add(str(without_paths(value)))
    if recipes:
        said = [f"{name} = {' or '.join(sorted(values))}" for name, values in sorted(options.items())]
        changed = f"with {', '.join(said)}" if said else "with its defaults"
        words.append(f"Trained by {listed(sorted(recipes))} {changed}.")
        total = format_duration(sum(seconds))
        words.append(f"{counted(len(seconds), 'training')} of {total} in all.")
    return words
