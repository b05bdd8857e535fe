"""A page that lists cards with their figures: the README.md of a folder of model folders."""

from collections.abc import Mapping

from mgc_hf.cards.card import card_title, source_text
from mgc_hf.cards.markdown import Markdown, escape
from mgc_hf.cards.paper import REPORTED
from mgc_hf.results import RunResult, format_interval

_TEXT = """# Model cards

One folder for each system of the paper, and one for a pre-trained encoder: its card (`README.md`), the record that the
card was generated from (`results.json`), split, predictions and pictures, as a run writes them and `mgc-hf push`
publishes them. No weights and no audio of any data set are kept here.

Every figure comes from a run that was made, with the command that its card gives under "How to repeat it". Accuracies
are of whole tracks and of segments, with 95 % intervals over tracks. Where rows differ in data or
protocol, their figures answer different questions; a title says "leaky split" where segments of one track were trained
on and tested on, "synthetic demo corpus" where no real music was involved, and "not pre-trained" where a speech model
began at random, for lack of published weights where it was trained: such a row shows that the recipe works, and
nothing about what the model can do.

"""

_HEAD = ("Card", "Parameters", "Data", "Protocol", "Test tracks", "Accuracy of tracks", "of segments", "Paper")


def render_index(results: Mapping[str, RunResult]) -> str:
    """Render the page.

    Args:
        results (`Mapping[str, RunResult]`): Record of each folder, by the folder's name.

    Returns:
        `str`: Markdown, the folders in order of their names.
    """
    lines = [f"| {' | '.join(_HEAD)} |", "|---|---:|---|---|---:|---|---|---|"]
    for name, result in sorted(results.items()):
        leak = "**leaky**" if result.leaky else result.leak
        reported = REPORTED.get(result.model.model_type)
        cells = (
            Markdown(f"[{escape(card_title(result, ''))}]({name}/README.md)"),
            Markdown(f"{result.model.num_parameters:,}"),
            source_text(result),
            Markdown(f"`{result.protocol}`, {leak}"),
            sum(result.data.tracks.get("test", {}).values()),
            Markdown(format_interval(result.track.accuracy)) if result.track else "not defined",
            Markdown(format_interval(result.segment.accuracy)),
            Markdown(f"{reported.system}: {reported.accuracy} %") if reported else "",
        )
        lines.append(f"| {' | '.join(map(escape, cells))} |")
    paper = (
        "\nThe paper's figures (Table 5) are on GTZAN's 1,000 clips: for the LSTM on segments split regardless of their "
        "track, which leaks.\n"
    )
    return _TEXT + "\n".join(lines) + "\n" + paper
