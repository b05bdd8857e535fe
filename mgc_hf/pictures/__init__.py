"""The paper's Images 1 to 5 of one run: class distribution, waveforms, mel-spectrograms, curves, confusion matrices; and
a reliability diagram.

Every number comes from the record (`RunResult`); only the two pictures of sound take arrays, one clip per genre. The
same input gives the same bytes: neither the user's matplotlibrc nor a version or date reaches a file. Figures are made
without pyplot, so that no global state or display is touched.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from mgc_hf.files import atomic_path
from mgc_hf.pictures.charts import class_distribution, confusion_matrix, reliability, training_curves
from mgc_hf.pictures.sound import GenreClips, mel_spectrograms, waveforms
from mgc_hf.pictures.style import fixed_style
from mgc_hf.results import PICTURE_FILES, RunResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "GenreClips",
    "class_distribution",
    "confusion_matrix",
    "draw_all",
    "mel_spectrograms",
    "fixed_style",
    "reliability",
    "training_curves",
    "waveforms",
]


def draw_all(
    result: RunResult, clips: GenreClips | None, folder: str | Path, names: Collection[str] = tuple(PICTURE_FILES)
) -> list[Path]:
    """Draw every picture that belongs to a record (`RunResult.pictures`) and write it atomically.

    Args:
        result ([`RunResult`]): The record.
        clips ([`GenreClips`], *optional*): One clip per genre; a record of training needs them.
        folder (`str` or `Path`): The model folder; the pictures go to its `images/`.
        names (`Collection[str]`, *optional*, defaults to all): Only those of them with these names.

    Returns:
        `list[Path]`: The files written, in the card's order.

    Raises:
        ValueError: A picture of sound is to be drawn and `clips` is missing.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    builders: dict[str, Callable[[], Figure]] = {
        "confusion_matrix_track": lambda: confusion_matrix(result, "track"),
        "confusion_matrix_segment": lambda: confusion_matrix(result, "segment"),
        "reliability": lambda: reliability(result),
        "class_distribution": lambda: class_distribution(result),
        "training_curves": lambda: training_curves(result),
        "waveforms": lambda: waveforms(result, _given(clips)),
        "mel_spectrograms": lambda: mel_spectrograms(result, _given(clips)),
    }
    written = []
    for name in [name for name in result.pictures if name in names]:
        path = Path(folder) / PICTURE_FILES[name]
        with fixed_style([*result.data.genres, result.name]), atomic_path(path) as temporary:
            canvas = FigureCanvasAgg(builders[name]())
            canvas.print_png(temporary, metadata={"Software": "mgc_hf"})
        written.append(path)
    return written


def _given(clips: GenreClips | None) -> GenreClips:
    if clips is None:
        raise ValueError("a record of training is drawn with one clip per genre; none was given")
    return clips
