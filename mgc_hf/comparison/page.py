"""The report as one page of HTML that holds all it shows: it asks no other machine for anything, and needs no script.

The template and its style and script are files beside this one. Whatever the template prints is escaped, unless it is
marked as HTML here.
"""

import os
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mgc_hf import __version__
from mgc_hf.cards.markdown import clean
from mgc_hf.comparison import charts
from mgc_hf.comparison.drawing import to_svg
from mgc_hf.comparison.listening import (
    EXCERPT_SECONDS,
    MOST_TRACKS,
    Sound,
    Sounds,
    WrongTrack,
    chosen_runs,
    data_uri,
    known_faults,
    open_sounds,
    player,
    wrong_tracks,
)
from mgc_hf.comparison.material import Material, RunEntry
from mgc_hf.comparison.sections import MARKS, PAGES, Picture, Section, Table

if TYPE_CHECKING:
    import jinja2

_NO_WHOLE_TRACKS = (
    "Left out: every run here divides segments, so that a test part holds a few segments of each track, and no track is right "
    "or wrong as a whole."
)
_ALL_ARE_RIGHT = "Every test track is right in every system shown."


def render_page(
    sections: Sequence[Section],
    material: Material,
    audio: str | Path | None = None,
    embed_audio: bool = False,
    folder: str | Path | None = None,
) -> str:
    """Render the report as one self-contained page of HTML.

    Args:
        sections (`Sequence[Section]`): What it says, by the page that each belongs to.
        material ([`Material`]): The runs, for the errors to listen to.
        audio (`str` or `Path`, *optional*): The user's copy of the data (any source of [`load_gtzan`]), for
            spectrograms and players. Without it there are none.
        embed_audio (`bool`, *optional*, defaults to `False`): Embed five seconds of each wrong track. The recordings of
            most data are other people's: publish no page that holds them. Without it a player reads the local file,
            which works on this machine alone.
        folder (`str` or `Path`, *optional*): Where the page will lie: addresses of local files are relative to it.
            Without it they are absolute.

    Returns:
        `str`: The page. The same input gives the same text.

    Raises:
        SourceError: `audio` cannot be found or understood.
    """
    sounds = open_sounds(audio)
    runs = chosen_runs(material)
    wrong = wrong_tracks(runs)
    shown = wrong[:MOST_TRACKS]
    tracks = [_track(number, track, sounds, embed_audio, folder) for number, track in enumerate(shown)]
    texts = _texts(material)
    groups = [
        {"key": key, "title": title, "sections": [section for section in sections if section.page == key]}
        for key, title in PAGES.items()
    ]
    used = {cell.mark for section in sections for table in section.tables for row in table.rows for cell in row}
    return _template().render(
        title="Music genre classification: systems compared",
        lead=_lead(material),
        warnings=_warnings(material),
        groups=[group for group in groups if group["sections"]],
        marks=MARKS,
        used_marks=[mark for mark in MARKS if mark in used],
        signed=[mark for mark, (sign, _) in MARKS.items() if sign],
        numeric=_numeric,
        long_names=lambda table: any(len(row[0].text) > 14 for row in table.rows),
        drawing=lambda picture: _drawing(picture, texts),
        tracks=tracks,
        listening=_listening(runs, wrong, tracks, audio is not None, embed_audio),
        has_local_clips=any(track["is_local"] for track in tracks),
        time_axis=charts.TIME_AXIS,
        footer=f"Made by mgc_hf {__version__} from the records and predictions of {len(material.runs)} runs.",
        style=_part("page_style.css"),
        script=_part("page_script.js"),
    )


@cache
def _template() -> "jinja2.Template":
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # text without characters that no page may hold, or that turn the direction of what follows
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
    return environment.from_string(str(_part("page_template.html")))


def _part(name: str) -> Any:
    from markupsafe import Markup

    return Markup((resources.files("mgc_hf.comparison") / name).read_text(encoding="utf-8").strip())


def _lead(material: Material) -> str:
    data = sorted({run.result.data.source for run in material.runs})
    systems = ", ".join(system.title for system in material.systems)
    return f"{len(material.runs)} runs on {', '.join(data)}: {systems}; protocols {', '.join(material.protocols)}."


def _warnings(material: Material) -> list[str]:
    if any(run.result.data.is_demo for run in material.runs):
        return ["The data is the synthetic demo corpus: these figures say nothing about real music."]
    return []


def _texts(material: Material) -> list[str]:
    genres = {genre for run in material.runs for genre in run.result.data.genres}
    return sorted(genres | {system.title for system in material.systems})


def _numeric(table: Table) -> set[int]:
    """Return the columns that hold figures: they are set flush right."""
    columns = zip(*table.rows, strict=True)
    return {index for index, cells in enumerate(columns) if any(cell.value is not None for cell in cells)}


def _drawing(picture: Picture, texts: Sequence[str]) -> Any:
    from markupsafe import Markup
    from PIL import Image

    alt = clean(picture.alt)
    if picture.draw is not None:
        return Markup(to_svg(picture.draw, texts, picture.key, alt))
    assert picture.file is not None
    written = BytesIO()
    with Image.open(picture.file) as image:  # a PNG of spectrograms is six times as large
        image.convert("RGB").save(written, "WEBP", quality=85)
        width, height = image.size
    return Markup(
        f'<img src="{data_uri("image/webp", written.getvalue())}" width="{width}" height="{height}" alt="{escape(alt)}">'
    )


def _listening(
    runs: Sequence[RunEntry], wrong: Sequence[WrongTrack], tracks: Sequence[Any], has_sound: bool, embed: bool
) -> dict[str, Any]:
    """Return what the page says above the tracks."""
    total = len({track_id for run in runs for track_id in run.predictions.track_id})
    about = _NO_WHOLE_TRACKS
    if runs:
        leaky = " (its split leaks)" if any(run.result.leaky for run in runs) else ""
        about = (
            f"Test tracks that at least one system has wrong under the protocol {runs[0].protocol}{leaky}: {len(wrong)} of "
            f"{total}. Of each system it is the run of seed {' or '.join(map(str, sorted({run.seed for run in runs})))}. "
        )
        about += "Those that most systems have wrong come first." if wrong else _ALL_ARE_RIGHT
    if len(tracks) < len(wrong):
        about += f" The first {len(tracks)} are shown."
    sound = ""
    if tracks and not has_sound:
        sound = "There are no players and no spectrograms, since the report was made without --audio."
    elif tracks and embed:
        sound = (
            f"Of each track {EXCERPT_SECONDS:.0f} seconds are embedded, around the segment that speaks most against its "
            "genre. The recordings may be protected: do not publish this page."
        )
    elif tracks:
        sound = (
            "The players read the files of the machine that this page was made on, whose addresses the page holds, and are "
            "silent on any other."
        )
    return {
        "about": about,
        "sound": sound,
        "genres": sorted({track["genre"] for track in tracks}),
        "systems": [(run.system.key, run.system.title) for run in runs],
    }


def _track(
    number: int, track: WrongTrack, sounds: Sounds | None, embed: bool, folder: str | Path | None
) -> dict[str, Any]:
    """Return what the page shows of a wrong track."""
    from markupsafe import Markup

    key = f"wrong-{number}"
    said = "; ".join(f"{one.run.system.title}: {one.genres[one.predicted]}" for one in track.heard)
    alt = clean(f"Probabilities along {track.track_id}, whose genre is {track.genre}. {said}.")
    texts = [*track.heard[0].genres, *(one.run.system.title for one in track.heard)]
    sound = sounds.find(track) if sounds is not None else None
    return {
        "key": key,
        "track_id": track.track_id,
        "genre": track.genre,
        "player": player(track),
        "faults": known_faults(track),
        "num_wrong": len(track.wrong),
        "num_heard": len(track.heard),
        "wrong_keys": " ".join(one.run.system.key for one in track.wrong),
        "heard": [
            {
                "title": one.run.system.title,
                "is_right": one.is_right,
                "predicted": one.genres[one.predicted],
                "sure": f"{100 * one.mean[one.predicted]:.0f} %",
                "true": f"{100 * one.mean[one.label]:.0f} %",
            }
            for one in track.heard
        ],
        "seconds": round(track.seconds, 3),
        "chart": Markup(to_svg(lambda: charts.along(track), texts, key, alt)),
        "spectrogram": sound.spectrogram(track.seconds) if sound is not None else None,
        **_audio(track, sound, embed, folder),
    }


def _audio(track: WrongTrack, sound: Sound | None, embed: bool, folder: str | Path | None) -> dict[str, Any]:
    """Return what a player of the track plays: nothing, an embedded excerpt, or the local file."""
    nothing = {"audio": None, "audio_label": "", "offset": 0.0, "is_local": False, "file_name": ""}
    if sound is None:
        return nothing
    if embed:
        address, begin = sound.excerpt(max(track.wrong, key=lambda one: one.mean[one.predicted]).worst_seconds)
        end = min(begin + EXCERPT_SECONDS, track.seconds)
        label = f"{track.track_id} from {begin:.1f} to {end:.1f} s"
        return {**nothing, "audio": address, "audio_label": label, "offset": round(begin, 3)}
    if sound.path is None:
        return nothing
    if folder is None:
        address = sound.path.as_uri()
    else:
        address = quote(Path(os.path.relpath(sound.path, Path(folder).resolve())).as_posix())
    return {
        **nothing,
        "audio": address,
        "audio_label": track.track_id,
        "is_local": True,
        "file_name": sound.path.name,
    }
