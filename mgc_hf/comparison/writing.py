"""The report's folder: Markdown pages, one HTML page, pictures and a table of every figure, whole or not at all."""

import shutil
from pathlib import Path

from mgc_hf.comparison.contents import all_sections
from mgc_hf.comparison.drawing import save_png
from mgc_hf.comparison.figures import write_figures
from mgc_hf.comparison.formatting import counted, interval_text
from mgc_hf.comparison.markdown import HTML_PAGE, render_pages
from mgc_hf.comparison.material import Material
from mgc_hf.comparison.page import render_page
from mgc_hf.comparison.ranking import standings
from mgc_hf.comparison.sections import PAGES, Section
from mgc_hf.errors import OptionError
from mgc_hf.files import atomic_folder, write_text

FIGURES, IMAGES = "results.parquet", "images"
#: All that a report's folder holds; a folder with anything else in it is not replaced.
_OURS = {*(f"{page}.md" for page in PAGES), HTML_PAGE, FIGURES, IMAGES}


def write_comparison(
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
        audio (`str` or `Path`, *optional*): The user's copy of the data, for the page's players and spectrograms.
        embed_audio (`bool`, *optional*, defaults to `False`): Embed five seconds of each wrong track in the page.
        overwrite (`bool`, *optional*, defaults to `False`): Replace an earlier report, once the new one is whole.

    Returns:
        `Path`: The folder.

    Raises:
        OptionError: The folder is there and is not to be replaced, or holds more than a report.
        RecordError: There is no run.
        SourceError: `audio` cannot be found or understood.
    """
    folder = Path(folder)
    check_report_folder(folder, overwrite)
    sections = all_sections(material)
    with atomic_folder(folder, replace=overwrite) as temporary:
        pictures = _draw(sections, temporary, _words(material))
        for name, text in render_pages(sections, pictures).items():
            write_text(temporary / name, text)
        page = render_page(sections, material, audio=audio, embed_audio=embed_audio, folder=folder)
        write_text(temporary / HTML_PAGE, page)
        write_figures(material, temporary / FIGURES)
    return folder


def check_report_folder(folder: Path, overwrite: bool) -> None:
    """Refuse a report's folder before the work is done.

    Args:
        folder (`Path`): The folder.
        overwrite (`bool`): Whether an earlier report may be replaced.

    Raises:
        OptionError: It is a file, is there and is not to be replaced, or holds more than a report.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OptionError(f"--output_dir {folder}: is a file; name a folder")
    held = {path.name for path in folder.iterdir()}
    if not held:
        folder.rmdir()  # a new one takes its place
        return
    if not overwrite:
        raise OptionError(
            f"--output_dir {folder}: already exists; replace the report in it by --overwrite, or name another"
        )
    others = sorted(held - _OURS)
    if others or FIGURES not in held:
        what = f"{others[0]}, which is no part of a report" if others else f"no {FIGURES}, so it is no report"
        raise OptionError(f"--output_dir {folder}: holds {what}; name another folder")


def tell_report(material: Material, folder: Path) -> str:
    """Return what a report came to in lines of text: every system's accuracy, what stands, and where it lies."""
    lines = []
    for protocol in material.protocols:
        for one in standings(material, protocol):
            figure = f"{interval_text(one.accuracy)} of {one.unit}s, {counted(len(one.seeds), 'seed')}"
            lines.append(f"{protocol:<15} {one.system.title:<32} {figure}")
    lines += [f"{run.system.title}, {run.protocol}, seed {run.seed}: {run.reason}" for run in material.missing]
    return "\n".join([*lines, f"report: {folder / HTML_PAGE}, {folder / 'README.md'}"])


def _words(material: Material) -> list[str]:
    """Return the words of users that pictures show, for which fonts are looked for."""
    genres = {genre for run in material.runs for genre in run.result.data.genres}
    return [
        *sorted(genres),
        *(system.title for system in material.systems),
        *(run.result.name for run in material.runs),
    ]


def _draw(sections: list[Section], folder: Path, words: list[str]) -> dict[str, str]:
    """Write every picture as a PNG file, and return its name relative to the folder by the picture's key."""
    files = {}
    (folder / IMAGES).mkdir()
    for section in sections:
        for picture in section.pictures:
            name = f"{IMAGES}/{picture.key}.png"
            if picture.draw is not None:
                save_png(picture.draw, words, folder / name)
            elif picture.file is not None:
                shutil.copyfile(picture.file, folder / name)
            files[picture.key] = name
    return files
