"""The report's first sections: what was compared, how the systems rank, what the leak is worth; the paper's last table."""

from collections.abc import Collection, Sequence

import numpy as np

from mgc_hf.comparison import charts
from mgc_hf.comparison.conclusion import conclusion
from mgc_hf.comparison.formatting import (
    NOT_RUN,
    counted,
    interval_cell,
    listed,
    missing,
    number,
    p_cell,
    percent,
    points,
    protocol_title,
    spread_text,
)
from mgc_hf.comparison.material import Material, RunEntry, System
from mgc_hf.comparison.paper import paper, paper_systems
from mgc_hf.comparison.ranking import Duel, LeakWorth, Standing, doubted_systems, leaks, mark_of
from mgc_hf.comparison.sections import Cell, Picture, Section, Table


def compared(material: Material) -> Section:
    """Return what was compared: data, systems and runs, what leaks, and what was asked for and is not there."""
    systems = [
        [
            Cell(system.title),
            Cell(system.about),
            Cell(paper_systems()[system.paper].title if system.paper else "none"),
            *(_seeds(material.of(system, protocol)) for protocol in material.protocols),
        ]
        for system in material.systems
    ]
    columns = ["System", "What it is", "Stands for the paper's", *map(protocol_title, material.protocols)]
    tables = [Table("compared", "Systems, and the seeds of their runs by protocol", columns, systems)]
    if material.missing:
        rows = [
            [Cell(run.system.title), Cell(run.protocol), Cell(str(run.seed)), Cell(run.reason, mark="missing")]
            for run in material.missing
        ]
        tables.append(Table("missing", "Runs that are not there", ["System", "Protocol", "Seed", "Why"], rows))
    return Section("compared", "What was compared", _about_data(material), _warnings(material), tables)


def ranking(material: Material, found: dict[str, list[Standing]], fought: dict[str, list[Duel]]) -> Section:
    """Return the paper's ranking under every protocol: accuracies, paired differences, and what they say.

    Args:
        material ([`Material`]): The runs.
        found (`dict[str, list[Standing]]`): Protocol -> systems, the most accurate first.
        fought (`dict[str, list[Duel]]`): Protocol -> pairs of systems.
    """
    columns = ["System", "The paper, accuracy", "Its place"]
    for protocol in material.protocols:
        name = protocol_title(protocol)
        columns += [f"{name}: place", f"{name}: accuracy, 95 % interval", f"{name}: mean ± sd (seeds)"]
    by_system = {name: {one.system: one for one in standing} for name, standing in found.items()}
    systems = sorted({one.system for standing in found.values() for one in standing})
    rows = [_ranking_row(material, system, found, by_system) for system in systems]
    rows += [_not_run_row(key, len(columns)) for key in paper_systems() if not _stands(systems, key)]
    note = (
        "Accuracy is of segments where the protocol divides segments, else of tracks. Intervals come from drawing tracks, "
        "each with all its answers under all seeds. What is not known to be honest has no place. A figure under a leaky protocol says how well known tracks are "
        "recognised again."
    )
    tables = [Table("ranking", "Every system under every protocol", columns, rows, note, "Table 5")]
    tables += [
        duel_table(protocol, fought[protocol], doubted_systems(material, protocol))
        for protocol in material.protocols
        if fought[protocol]
    ]
    picture = Picture(
        "accuracy-by-protocol",
        "Accuracy by protocol",
        "Segments right under each protocol, each seed's, their mean and 95 % interval, and the paper's accuracy. What lies "
        "between the leaky protocol and the others is what the leak is worth.",
        f"Accuracies of {listed([system.title for system in systems])} under {listed(material.protocols)}; the figures are "
        "in the table above.",
        draw=lambda: charts.accuracy_by_protocol(material),
    )
    pictures = [picture]
    if any(run.unit == "track" for run in material.runs):
        pictures.append(
            Picture(
                "track-accuracy-by-protocol",
                "Accuracy of tracks by protocol",
                "Tracks right under each protocol that does not divide segments, as the table above ranks them.",
                "Accuracies of tracks; the figures are in the table above.",
                draw=lambda: charts.accuracy_by_protocol(material, level="track"),
            )
        )
    title = "The paper's ranking under honest protocols"
    return Section("ranking", title, conclusion(material, found, fought), [], tables, pictures, paper_item="Table 5")


def duel_table(protocol: str, fought: Sequence[Duel], doubted: Collection[System] = ()) -> Table:
    """Return the paired comparisons of a protocol; those with a system that is to be doubted are marked."""
    rows = []
    for duel in fought:
        needed = duel.tracks.tracks_needed
        rows.append(
            [
                Cell(
                    f"{duel.first.title} less {duel.second.title}",
                    mark="warning" if {duel.first, duel.second} & set(doubted) else None,
                ),
                interval_cell(duel.difference, signed=True),
                number(duel.tracks.first_alone),
                number(duel.tracks.second_alone),
                number(duel.tracks.n),
                p_cell(duel.corrected_p),
                missing("no number would") if needed is None else number(needed),
                Cell(counted(len(duel.seeds), "seed"), len(duel.seeds)),
            ]
        )
    columns = [
        "Systems",
        "Difference, points, 95 % interval",
        "Tracks that the first does better",
        "Tracks that the second does better",
        "Common test tracks",
        "p, Holm-corrected",
        "Tracks needed to tell them apart",
        "Seeds",
    ]
    note = (
        "Each track counts once, for the system that has more of its answers right. p: exact McNemar test, "
        "which of several answers a track is the sign test, corrected by Holm's method for all pairs of this table. Tracks "
        "needed: 5 % two-sided, power 0.8, at the shares found here."
    )
    if not all(duel.same_items for duel in fought):
        note += " Some systems were tested on segments of another length; they are compared on tracks that both were asked."
    return Table(
        f"pairs-{protocol.replace('_', '-')}",
        f"Pairs of systems under {protocol_title(protocol)}",
        columns,
        rows,
        note,
    )


def leak_section(material: Material) -> Section:
    """Return what the leak is worth for each system: segments of tracks that were trained on against unheard tracks."""
    found = leaks(material)
    title = "What the leak is worth"
    if not found:
        why = (
            "No system was run both under a protocol that leaks (segment) and under one that does not (track), so what the "
            "leak is worth was not measured."
        )
        return Section("leak", title, [why])
    rows = [
        [
            Cell(leak.system.title),
            Cell(f"{leak.leaky} less {leak.honest}"),
            interval_cell(leak.leaky_accuracy, "leaky"),
            interval_cell(leak.honest_accuracy),
            interval_cell(leak.difference, _clear(leak), signed=True),
            number(leak.shared_tracks),
        ]
        for leak in found
    ]
    columns = [
        "System",
        "Protocols",
        "Segments right, leaky",
        "Segments right, not leaky",
        "Difference, points, 95 % interval",
        "Tracks tested under both",
    ]
    note = (
        "All figures are of segments, so that both sides are of the same kind. The interval comes from drawing tracks; one "
        "that is tested under both protocols is drawn with its answers under both."
    )
    table = Table("leak", title, columns, rows, note)
    return Section("leak", title, [_leak_in_words(leak) for leak in found], [], [table])


def final_table(material: Material) -> Section:
    """Return the paper's Table 5 beside ours."""
    content = paper()
    columns = [
        "System",
        "The paper",
        *(f"Ours, {protocol_title(name)}" for name in material.protocols),
        "What ours is",
    ]
    rows = []
    for key, system in paper_systems().items():
        ours = [one for one in material.systems if one.paper == key]
        printed = Cell(percent(system.accuracy, 2), system.accuracy, "paper")
        if not ours:
            gone = [missing(NOT_RUN) for _ in material.protocols]
            rows.append([Cell(system.title), printed, *gone, missing(NOT_RUN)])
        for one in ours:
            cells = [_mean_accuracy(material, one, protocol) for protocol in material.protocols]
            rows.append([Cell(one.title), printed, *cells, Cell(one.about)])
    others = [one for one in material.systems if one.paper is None]
    for one in others:
        cells = [_mean_accuracy(material, one, protocol) for protocol in material.protocols]
        rows.append([Cell(one.title), missing("not in the paper"), *cells, Cell(one.about)])
    title = f"{content['final']['table']}: {content['final']['title']}"
    note = "Ours: mean over seeds, of segments where the protocol divides segments, else of tracks."
    table = Table("table-5", title, columns, rows, note, content["final"]["table"])
    return Section("table-5", title, [], [], [table], page="paper", paper_item=content["final"]["table"])


def _seeds(runs: Sequence[RunEntry]) -> Cell:
    if not runs:
        return missing(NOT_RUN)
    text = ", ".join(str(run.seed) if run.seed >= 0 else "none" for run in runs)
    marks = {run.mark for run in runs}
    return Cell(text, len(runs), "leaky" if "leaky" in marks else "warning" if "warning" in marks else None)


def _about_data(material: Material) -> list[str]:
    sources = sorted({run.result.data.tested[0] for run in material.runs})
    genres = sorted({len(run.result.data.genres) for run in material.runs})
    words = [
        f"{counted(len(material.runs), 'run')} of {counted(len(material.systems), 'system')} on {listed(sources)} "
        f"({listed([str(count) for count in genres])} genres), compared with {paper()['citation']}."
    ]
    for protocol in material.protocols:
        run = material.example(protocol)
        statement = run.result.split.statement.strip()
        words.append(f"{protocol_title(protocol)} ({run.result.leak}): {statement}")
    return words


def _warnings(material: Material) -> list[str]:
    words = []
    if any(run.result.data.is_demo for run in material.runs):
        words.append("The data is the synthetic demo corpus: these figures say nothing about real music.")
    sources = {run.result.data.tested for run in material.runs}
    if len(sources) > 1:
        names = listed(sorted(f"{name}{f' at {revision}' if revision else ''}" for name, revision in sources))
        words.append(f"The runs were tested on different data ({names}): tracks of one name are taken as the same.")
    unlike = [system.title for system in material.systems if system.paper and not system.faithful]
    if unlike:
        words.append(
            f"{listed(unlike)} {'is' if len(unlike) == 1 else 'are'} not what the paper fine-tuned, as far as it "
            "says: trained from other weights, or from none. These figures say nothing of the paper's."
        )
    return words


def _ranking_row(
    material: Material,
    system: System,
    found: dict[str, list[Standing]],
    by_system: dict[str, dict[System, Standing]],
) -> list[Cell]:
    row = [Cell(system.title)]
    if system.paper:
        ranked = sorted(paper_systems().values(), key=lambda one: -one.accuracy)
        reported = paper_systems()[system.paper]
        row += [Cell(percent(reported.accuracy, 2), reported.accuracy, "paper"), number(ranked.index(reported) + 1)]
    else:
        row += [missing("not in the paper"), missing("none")]
    for protocol in material.protocols:
        one = by_system[protocol].get(system)
        if one is None:
            row += [missing(NOT_RUN), missing(NOT_RUN), missing(NOT_RUN)]
            continue
        mark, doubted = mark_of(material, protocol, system), doubted_systems(material, protocol)
        ahead = [other for other in found[protocol] if other.accuracy.value > one.accuracy.value + 1e-9]
        place = 1 + sum(other.system not in doubted for other in ahead)
        row += [
            Cell("none", mark=mark) if system in doubted else number(place),
            interval_cell(one.accuracy, mark),
            Cell(f"{spread_text(one.accuracy.value, one.spread)} ({len(one.seeds)})", one.accuracy.value, mark),
        ]
    return row


def _not_run_row(key: str, width: int) -> list[Cell]:
    system = paper_systems()[key]
    ranked = sorted(paper_systems().values(), key=lambda one: -one.accuracy)
    start = [Cell(system.title), Cell(percent(system.accuracy, 2), system.accuracy, "paper")]
    return [*start, number(ranked.index(system) + 1), *(missing(NOT_RUN) for _ in range(width - 3))]


def _stands(systems: Sequence[System], key: str) -> bool:
    return any(system.paper == key for system in systems)


def _mean_accuracy(material: Material, system: System, protocol: str) -> Cell:
    values = [run.scores.accuracy.value for run in material.of(system, protocol)]
    if not values:
        return missing(NOT_RUN)
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    mean = float(np.mean(values))
    return Cell(spread_text(mean, spread), mean, mark_of(material, protocol, system))


def _clear(leak: LeakWorth) -> str | None:
    return "strong" if leak.difference.ci95 is not None and leak.difference.ci95[0] > 0 else None


def _leak_in_words(leak: LeakWorth) -> str:
    assert leak.difference.ci95 is not None
    low, high = leak.difference.ci95
    worth = (
        f"{leak.system.title}: {leak.leaky} less {leak.honest} is {points(leak.difference.value)} points of segments"
    )
    told = (
        "the leak raises the figure beyond chance"
        if low > 0
        else "the leak lowers it, which a leak does not do: look at the runs"
        if high < 0
        else "on so few tracks that could be chance"
    )
    return f"{worth} (95 % interval {100 * low:+.1f} to {100 * high:+.1f}): {told}."
