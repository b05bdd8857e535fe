"""The paper's Tables 1 to 4 and Images 1 to 11, each beside ours."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mgc_hf.comparison import charts
from mgc_hf.comparison.formatting import NOT_RUN, counted, missing, number, points, protocol_title, share
from mgc_hf.comparison.material import Material, RunEntry, System, slug
from mgc_hf.comparison.paper import PaperSystem, paper, paper_systems
from mgc_hf.comparison.sections import Cell, Picture, Section, Table
from mgc_hf.results import PICTURE_FILES, AverageScores, GenreScores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SCORES = ("precision", "recall", "f1")


def data_images(material: Material) -> list[Section]:
    """Return Images 1 to 3: the classes, a waveform and a mel-spectrogram of each genre."""
    first = next((run for run in material.runs if run.trained), None)
    sections = []
    for item, name, words in (
        ("Image 1", None, "Number of tracks and of segments per genre and part"),
        ("Image 2", "waveforms", "Waveform of one clip per genre"),
        ("Image 3", "mel_spectrograms", "Mel-spectrogram of one clip per genre"),
    ):
        section = Section(slug(item), _title(item), [_shows(item)], page="paper", paper_item=item)
        shown = first if name is None else _with_picture(material, name)
        if shown is None:
            section.paragraphs.append("Ours: no run of this report has this picture.")
        else:
            section.pictures.append(_data_picture(item, name, words, shown))
        sections.append(section)
    return sections


def system_items(material: Material) -> list[Section]:
    """Return for each system of the paper its curves, its confusion matrix and its table, beside ours."""
    sections = []
    for system in paper_systems().values():
        ours = [one for one in material.systems if one.paper == system.key]
        sections += [
            _image_section(material, system.curves, ours, "curves", _curves),
            _image_section(material, system.matrix, ours, "confusion", _matrix),
            _table_section(material, system, ours),
        ]
    return sections


def _title(item: str) -> str:
    return f"{item}: {paper()['images'][item]['title']}"


def _shows(item: str) -> str:
    return f"The paper's: {paper()['images'][item]['shows']}"


def _with_picture(material: Material, name: str) -> RunEntry | None:
    """Return the first run whose folder has a picture."""
    return next((run for run in material.runs if (run.folder / PICTURE_FILES[name]).is_file()), None)


def _data_picture(item: str, name: str | None, words: str, run: RunEntry) -> Picture:
    caption = f"Ours: {words.lower()}, of {run.result.data.source}."
    key = slug(item)
    if name is None:
        caption += f" Parts of {run.key}."
        return Picture(key, words, caption, words, draw=lambda: charts.classes(run), paper_item=item)
    return Picture(key, words, caption, words, file=run.folder / PICTURE_FILES[name], paper_item=item)


def _image_section(
    material: Material,
    item: str,
    ours: Sequence[System],
    kind: str,
    draw: "Callable[[RunEntry], Picture | None]",
) -> Section:
    section = Section(slug(item), _title(item), [_shows(item)], page="paper", paper_item=item)
    if not ours:
        section.paragraphs.append(f"Ours: {NOT_RUN}.")
    for system in ours:
        for protocol in material.protocols:
            run = material.best_shown(system, protocol)
            picture = None if run is None else draw(run)
            if picture is not None:
                section.pictures.append(picture)
    if ours and not section.pictures:
        section.paragraphs.append(f"Ours: the runs' records hold no {'curves' if kind == 'curves' else 'matrix'}.")
    return section


def _of_run(run: RunEntry) -> str:
    leak = "LEAKY" if run.result.leaky else run.result.leak
    seed = f", seed {run.seed}" if run.seed >= 0 else ""
    return f"{run.system.title}, protocol {protocol_title(run.protocol)} ({leak}){seed}"


def _curves(run: RunEntry) -> Picture | None:
    measured = [
        value
        for one in run.trained
        for epoch in (one.training.history if one.training else [])
        for name, value in vars(epoch).items()
        if name not in ("epoch", "step") and value is not None
    ]
    if not measured:
        return None
    folds = f" Curves of {counted(len(run.folds), 'fold')}." if run.folds else ""
    system = paper_systems()[run.system.paper or "lstm"]
    return _picture(
        f"curves-{run.key}",
        "Accuracy and loss per epoch",
        f"Ours: {_of_run(run)}.{folds}",
        lambda: charts.curves(run),
        system.curves,
    )


def _matrix(run: RunEntry) -> Picture:
    system = paper_systems()[run.system.paper or "lstm"]
    scores = run.scores
    right = f"{100 * scores.accuracy.value:.1f} % of {scores.n} {run.unit}s right"
    return _picture(
        f"confusion-{run.key}",
        f"Confusion matrix of {run.unit}s",
        f"Ours: {_of_run(run)}; {right}.",
        lambda: charts.confusion(run),
        system.matrix,
    )


def _picture(key: str, title: str, caption: str, draw: "Callable[[], Figure]", item: str) -> Picture:
    return Picture(key, title, caption, f"{title}. {caption}", draw=draw, paper_item=item)


def _table_section(material: Material, system: PaperSystem, ours: Sequence[System]) -> Section:
    """Return a table of the paper: its scores per genre, ours under each protocol, and what they differ by."""
    title = f"{system.table}: {paper()['tables'][system.table]['title']}"
    section = Section(slug(system.table), title, [], page="paper", paper_item=system.table)
    if not ours:
        section.paragraphs.append(
            f"Ours: {system.title} was {NOT_RUN}; the columns of this report's runs are left out."
        )
        section.tables.append(_genre_table(system, None, [], title))
    for one in ours:
        for protocol in material.protocols:
            runs = material.of(one, protocol)
            if not runs:
                section.paragraphs.append(f"Ours: {one.title} was {NOT_RUN} under {protocol_title(protocol)}.")
                continue
            section.tables.append(_genre_table(system, one, runs, title))
            shown = min(runs, key=lambda run: run.seed)
            known = {genre: scores.f1 for genre, scores in system.genres.items()}
            if not set(known).isdisjoint(shown.result.data.genres):
                section.pictures.append(_difference_picture(shown, system, known))
    return section


def _difference_picture(run: RunEntry, system: PaperSystem, known: dict[str, float]) -> Picture:
    return Picture(
        f"genres-{run.key}",
        "F1 per genre, ours less the paper's",
        f"Ours: {_of_run(run)}, less {system.table}.",
        "Difference of F1 per genre; the figures are in the table above.",
        draw=lambda: charts.genre_differences(run, known),
        paper_item=system.table,
    )


def _genre_table(system: PaperSystem, one: System | None, runs: Sequence[RunEntry], title: str) -> Table:
    """Return the scores of each genre: the paper's, ours as means over seeds, and the difference of F1."""
    mine = [*system.genres]
    others = [genre for genre in (runs[0].result.data.genres if runs else []) if genre not in system.genres]
    rows = [_genre_row(genre, system.genres.get(genre), runs) for genre in [*mine, *others]]
    averages: list[tuple[str, AverageScores]] = [
        (f"{name.capitalize()} average", scores) for name, scores in system.averages.items()
    ]
    for (name, reported), kind in zip(averages, system.averages, strict=True):
        found = [getattr(run.scores, kind) for run in runs]
        rows.append(_row(name, reported, found, None))
    rows.append(_accuracy_row(system, runs))
    columns = ["Genre", *(f"The paper, {name}" for name in ("precision", "recall", "F1"))]
    if one is None or not runs:
        return Table(slug(system.table), title, columns, [row[:4] for row in rows], paper_item=system.table)
    run = runs[0]
    where = f"{one.title}, {protocol_title(run.protocol)}"
    columns += [f"Ours, {name}" for name in ("precision", "recall", "F1")]
    columns += ["F1, ours less the paper's, points", f"Our test {run.unit}s"]
    note = f"Ours: {one.about}; protocol {protocol_title(run.protocol)} ({run.result.leak}), of {run.unit}s"
    note += f", mean over {counted(len(runs), 'seed')}." if len(runs) > 1 else "."
    key = f"{slug(system.table)}-{one.key}-{slug(run.protocol)}"
    return Table(key, f"{title}; ours: {where}", columns, rows, note, system.table)


def _genre_row(genre: str, reported: AverageScores | None, runs: Sequence[RunEntry]) -> list[Cell]:
    found = [run.scores.per_genre[genre] for run in runs if genre in run.scores.per_genre]
    support = sum(scores.support for scores in found)
    return _row(genre, reported, [scores for scores in found if scores.support], support if found else None)


def _row(
    name: str,
    reported: AverageScores | None,
    found: Sequence[AverageScores | GenreScores],
    support: int | None,
) -> list[Cell]:
    row = [Cell(name)]
    if reported is None:
        row += [missing("not in the paper") for _ in _SCORES]
    else:
        row += [share(getattr(reported, key), "paper") for key in _SCORES]
    if not found:
        gone = "not in the data" if support is None else "no test item"
        return [*row, *(missing(gone) for _ in _SCORES), missing(gone), number(support or 0)]
    means = {key: float(np.mean([getattr(scores, key) for scores in found])) for key in _SCORES}
    row += [share(means[key]) for key in _SCORES]
    difference = None if reported is None else means["f1"] - reported.f1
    row.append(missing("none") if difference is None else Cell(points(difference), 100 * difference))
    return [*row, Cell("") if support is None else number(support)]


def _accuracy_row(system: PaperSystem, runs: Sequence[RunEntry]) -> list[Cell]:
    """Return the accuracy, in the column of F1 as the paper prints it."""
    row = [Cell("Accuracy"), Cell(""), Cell(""), share(system.table_accuracy, "paper"), Cell(""), Cell("")]
    if not runs:
        return [*row, missing(NOT_RUN), missing(NOT_RUN), Cell("")]
    mean = float(np.mean([run.scores.accuracy.value for run in runs]))
    difference = mean - system.table_accuracy
    total = sum(run.scores.n for run in runs)
    return [*row, share(mean, "strong"), Cell(points(difference), 100 * difference), number(total)]
