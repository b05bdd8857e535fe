"""The report's folder: Markdown pages, one HTML page, pictures and a table of every figure, whole or not at all."""

from pathlib import Path

from mgc_hf.comparison.material import Material

# What this module and the sections call, by name (of charts.py and page.py):
#   charts.accuracy_by_protocol(material) -> Figure        every system by protocol, intervals; segment to track
#   charts.curves(run) -> Figure                            Images 4, 6, 8, 10 (run: RunEntry)
#   charts.confusion(run) -> Figure                         Images 5, 7, 9, 11, at the level that the protocol divides
#   charts.classes(run) -> Figure                           Image 1
#   charts.genre_differences(run, paper) -> Figure          F1 ours less paper's; paper: dict genre -> F1, fractions
#   charts.reliability(runs) -> Figure                      runs: list[RunEntry], record's calibration bins
#   page.render_page(sections, material, audio=None, embed_audio=False) -> str
# Images 2 and 3 are Picture(file=...): the PNG of the run's folder.


def write_report(
    material: Material,
    folder: str | Path,
    *,
    audio: str | Path | None = None,
    embed_audio: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a report: `README.md` and further pages, `report.html`, `images/`, `results.parquet`.

    Args:
        material ([`Material`]): The runs.
        folder (`str` or `Path`): Where to; it must not exist, or hold an earlier report and `overwrite` be given.
        audio (`str` or `Path`, *optional*): Local folder of the audio, for the page's players and spectrograms.
        embed_audio (`bool`, *optional*, defaults to `False`): Embed clips of 5 s in the page.
        overwrite (`bool`, *optional*, defaults to `False`): Replace an earlier report, once the new one is whole.
    """
    raise NotImplementedError
