"""Figures that others have published, each with its source (`published.json`), and how far ours can be set beside them."""

from mgc_hf.comparison.formatting import interval_text, listed, percent, protocol_title
from mgc_hf.comparison.material import Material
from mgc_hf.comparison.paper import published
from mgc_hf.comparison.ranking import standings
from mgc_hf.comparison.sections import Cell, Section, Table
from mgc_hf.evaluation.intervals import wilson
from mgc_hf.results import Interval

FAULT_FILTERED, COURSE = "fault_filtered", "course"


def context(material: Material) -> list[Section]:
    """Return the page of context: the fault-filtered split, and the audio course's."""
    return [_fault_filtered(material), _course(material)]


def _fault_filtered(material: Material) -> Section:
    content = published()
    rows = []
    for item in sorted(content["figures"], key=lambda item: -item["accuracy"]):
        spread = "" if item["spread"] is None else f" ± {100 * item['spread']:.1f}"
        source = content["sources"][item["source"]]
        rows.append(
            [
                Cell(item["system"]),
                Cell(f"{100 * item['accuracy']:.1f}{spread} %", item["accuracy"]),
                Cell(item["kind"]),
                Cell(source["title"], link=source["url"]),
            ]
        )
    words = [f"Accuracies of tracks on {content['split']}."]
    words += _ours(material, FAULT_FILTERED)
    columns = ["System", "Accuracy", "What was trained", "Source"]
    table = Table("published", "Published figures on the fault-filtered split", columns, rows)
    return Section("published", "The fault-filtered split", words, [], [table], page="context")


def _course(material: Material) -> Section:
    course = published()["course"]
    source = published()["sources"][course["source"]]
    clips = course["clips"]
    rows = []
    for item in course["figures"]:
        interval = wilson(round(item["accuracy"] * clips), clips)
        rows.append(
            [
                Cell(item["what"]),
                Cell(percent(item["accuracy"], 0), item["accuracy"]),
                Cell(interval_text(Interval(item["accuracy"], interval)), item["accuracy"]),
                Cell(source["title"], link=source["url"]),
            ]
        )
    ends = [wilson(round(item["accuracy"] * clips), clips) or [0.0, 1.0] for item in course["figures"]]
    overlap = ends[0][1] >= course["figures"][1]["accuracy"]
    words = [course["about"]]
    if overlap:
        words.append(
            f"On {clips} clips the 95 % interval of the one figure holds the other: the certificate's bar may be passed "
            "without a better model, by a luckier split or by choosing the epoch on the test clips."
        )
    words += _ours(material, COURSE)
    columns = ["What", "Accuracy", f"95 % interval (Wilson, {clips} clips)", "Source"]
    table = Table("course", "The audio course's figures", columns, rows)
    return Section("course", "The Hugging Face audio course", words, [], [table], page="context")


def _ours(material: Material, protocol: str) -> list[str]:
    """Say what this report's runs have on a split, or that they have nothing."""
    if protocol not in material.protocols:
        return [
            f"Ours: no system was run under {protocol_title(protocol)}, so none of ours stands beside these figures."
        ]
    figures = [f"{one.system.title} {interval_text(one.accuracy)}" for one in standings(material, protocol)]
    return [f"Ours, under {protocol_title(protocol)}: {listed(figures)}."]
