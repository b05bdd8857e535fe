"""From a listing to an Arrow-backed `datasets.Dataset`: every clip is decoded once, the bad ones are set apart.

`Dataset.from_generator` keeps the rows in the datasets cache under a fingerprint of our own: names, paths, sizes and
times of the files, the options and the versions of this code. The same input gives the same fingerprint in any process,
and a second run decodes nothing. Bad clips are written too, without audio, after the good ones, so that the list of
them is cached with the rows; the dataset that users see is the part before them.
"""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mgc_hf.data import ffmpeg
from mgc_hf.data.audio import AUDIO_VERSION, verify
from mgc_hf.data.listing import Clip, Fault
from mgc_hf.data.parquet import read_audio
from mgc_hf.data.tags import artist_tag
from mgc_hf.data.threads import count_threads, map_in_order
from mgc_hf.errors import AudioError, MgcHfError, SourceError

if TYPE_CHECKING:
    import datasets

logger = logging.getLogger(__name__)

#: Raise it when the same source would give other rows.
CORPUS_VERSION = 1
_FAULT_COLUMNS = ("fault_file", "fault_reason", "fault_kind")


def build(
    clips: Sequence[Clip],
    genres: Sequence[str],
    *,
    cache_dir: str,
    min_seconds: float,
    has_parts: bool = False,
    audio_column: str | None = None,
    artists_of_files: bool = False,
    demo: dict[str, Any] | None = None,
) -> tuple["datasets.Dataset", list[Fault]]:
    """Build the dataset of a source, or read it from the cache.

    Args:
        clips (`Sequence[Clip]`): Finished clips; empty for the demo corpus.
        genres (`Sequence[str]`): Class names in label order.
        cache_dir (`str`): The datasets cache.
        min_seconds (`float`): Shorter clips are left out, in seconds.
        has_parts (`bool`, *optional*, defaults to `False`): Whether to keep the column `part`.
        audio_column (`str`, *optional*): Column of the audio, for clips in Parquet files.
        artists_of_files (`bool`, *optional*, defaults to `False`): Whether a clip without an artist has that of its file's
            tags, else of its folder.
        demo (`dict`, *optional*): Arguments of `generate_demo` and its version, in place of clips.

    Returns:
        `tuple[datasets.Dataset, list[Fault]]`: Rows with usable audio, in the order of `clips` (of a Parquet file: its
            own), and the other files.

    Raises:
        SourceError: The cache cannot be written.
        AudioError: Of kind `environment`: no audio can be decoded here.
    """
    import datasets

    specification = json.dumps(
        {
            "version": [CORPUS_VERSION, AUDIO_VERSION],
            "ffmpeg": ffmpeg.program() is not None,  # files that could not be read without it can be with it
            "clips": [dataclasses.asdict(clip) for clip in clips],
            "genres": list(genres),
            "min_seconds": min_seconds,
            "audio_column": audio_column,
            "artists_of_files": artists_of_files,
            "demo": demo,
        },
        sort_keys=True,
    )
    text = datasets.Value("string")
    features = datasets.Features(
        {
            # `Audio` itself cannot encode a row without torchcodec; the struct has its Arrow type
            "audio": {"bytes": datasets.Value("binary"), "path": text},
            "genre": datasets.ClassLabel(names=list(genres)),
            "track_id": text,
            "artist": text,
            "part": text,
            **dict.fromkeys(_FAULT_COLUMNS, text),
        }
    )
    rows = _from_generator(specification, features, cache_dir)
    faults = [
        Fault(*values)
        for values in zip(*(rows.data.column(name).to_pylist() for name in _FAULT_COLUMNS), strict=True)
        if values[0] is not None
    ]
    dropped = [*_FAULT_COLUMNS, *([] if has_parts else ["part"])]
    good = rows.select(range(len(rows) - len(faults))).remove_columns(dropped)
    return good.cast_column("audio", datasets.Audio(decode=False)), faults


def _from_generator(specification: str, features: "datasets.Features", cache_dir: str) -> "datasets.Dataset":
    import datasets
    from datasets.exceptions import DatasetGenerationError

    fingerprint = hashlib.sha256(specification.encode()).hexdigest()[:32]
    try:
        return datasets.Dataset.from_generator(
            generate_rows,
            features=features,
            cache_dir=cache_dir,
            gen_kwargs={"specification": specification},
            fingerprint=fingerprint,
        )
    except (DatasetGenerationError, OSError) as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, MgcHfError):
                raise cause from error
            if isinstance(cause, OSError):
                reason = cause.strerror or cause
                raise SourceError(
                    f"{cache_dir}: the dataset cannot be written here ({reason}); free some space, or name another "
                    "folder by cache_dir or HF_DATASETS_CACHE"
                ) from error
            cause = cause.__cause__
        raise


def generate_rows(specification: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a dataset: usable clips first, then one row per fault.

    Args:
        specification (`str`): As JSON, what [`build`] was asked for.
    """
    wanted = json.loads(specification)
    items = _demo_items(wanted["demo"]) if wanted["demo"] else _clip_items(wanted["clips"], wanted["audio_column"])
    min_seconds = wanted["min_seconds"]
    faults = []
    checked = map_in_order(lambda item: _fault_of(*item, min_seconds), items, count_threads())
    for (clip, content), error in checked:
        row = {
            "audio": {"bytes": content, "path": clip.path if clip.row is None and content is None else clip.name},
            "genre": clip.genre,
            "track_id": clip.track_id,
            "artist": clip.artist,
            "part": clip.part,
            **dict.fromkeys(_FAULT_COLUMNS),
        }
        if error is None:
            if clip.artist is None and wanted["artists_of_files"]:
                row["artist"] = artist_tag(content if content is not None else clip.path or "") or clip.artist_folder
            yield row
        else:
            fault = dict(zip(_FAULT_COLUMNS, (clip.name, error.reason, error.kind), strict=True))
            faults.append(row | fault | {"audio": {"bytes": None, "path": None}})
    yield from faults


def _clip_items(clips: Iterable[dict[str, Any]], audio_column: str | None) -> Iterator[tuple[Clip, bytes | None]]:
    made = [Clip(**{**clip, "stamp": tuple(clip["stamp"])}) for clip in clips]
    if audio_column is None:
        yield from ((clip, None) for clip in made)
        return
    for path, group in groupby(made, key=lambda clip: clip.path or ""):
        by_row = {clip.row or 0: clip for clip in group}
        yield from ((by_row[row], content) for row, content in read_audio(path, by_row, audio_column))


def _demo_items(demo: dict[str, Any]) -> Iterator[tuple[Clip, bytes]]:
    from mgc_hf.data.demo import generate_demo

    for made in generate_demo(demo["clips_per_genre"], demo["seconds"], demo["seed"]):
        yield Clip(name=f"{made.track_id}.wav", genre=made.genre, track_id=made.track_id), made.wav


def _fault_of(clip: Clip, content: bytes | None, min_seconds: float) -> AudioError | None:
    if content is None and clip.row is not None:
        return AudioError(clip.name, "its audio is not in the Parquet file")
    source = content if content is not None else clip.path or ""
    try:
        verify(source, min_seconds, clip.name)
    except AudioError as error:
        if error.kind == "environment":
            raise
        return error
    return None
