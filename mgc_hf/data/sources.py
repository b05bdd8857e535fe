"""`load_gtzan`: a Hub id, a local folder, an archive, a CSV or the demo corpus, as one `datasets.Dataset`."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgc_hf.data import faults, hub
from mgc_hf.data.archive import is_archive, unpack
from mgc_hf.data.arrow import build
from mgc_hf.data.caching import default_cache
from mgc_hf.data.folder import list_folder
from mgc_hf.data.index import is_demo, is_index, is_pushed, join_audio, read_index
from mgc_hf.data.listing import Clip, Fault, Listing, finish, is_audio_name, is_gtzan
from mgc_hf.data.parquet import choose_columns, list_parquet
from mgc_hf.data.tables import list_csv
from mgc_hf.errors import AudioError, OptionError, SourceError
from mgc_hf.results import SkippedFile

if TYPE_CHECKING:
    import datasets

logger = logging.getLogger(__name__)

#: The name of the embedded synthetic corpus.
DEMO = "demo"
#: How many of the files that are left out a warning names; the record names all.
_SHOWN = 20
_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_PATH_ENDINGS = (*_TAR_ENDINGS, ".csv", ".gz", ".zip", ".parquet")
_INSTEAD = "give a folder (<genre>/<file>), a genres.tar.gz, a CSV, a Hub data set (owner/name), or demo"


@dataclass(frozen=True)
class Corpus:
    """A data set and where it came from.

    Args:
        dataset (`datasets.Dataset`): Arrow-backed, with the columns `audio` (`Audio(decode=False)`: `bytes`, or a
            `path`), `genre` (`ClassLabel`), `track_id` (string), `artist` (string or null) and, where the source
            defines a split, `part` (`train`, `validation`, `test` or null).
        name (`str`): Hub id, `demo`, or the last component of the local path.
        revision (`str`, *optional*): Commit on the Hub.
        is_demo (`bool`): Whether it is the synthetic demo corpus.
        skipped (`list[SkippedFile]`): Files left out, by their names within the source, with reasons.
        has_parts (`bool`): Whether the source defines a split.
        unusable (`list[tuple[Clip, str]]`): Clips of the data whose audio cannot be used, with reasons; among `skipped`.
        faults (`list[Fault]`): The same files as `skipped`, each with the kind of its fault.
        faults_left_out (`int`, *optional*): Known faults of GTZAN among `skipped`; `None` where none was asked to be left
            out, or the data are not GTZAN.
    """

    dataset: "datasets.Dataset"
    name: str
    revision: str | None
    is_demo: bool
    skipped: list[SkippedFile]
    has_parts: bool
    unusable: list[tuple[Clip, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    faults_left_out: int | None = None

    @property
    def is_gtzan(self) -> bool:
        """Whether these are GTZAN's clips, by the names of the tracks and their genres."""
        names = self.dataset.features["genre"].names
        rows = zip(self.dataset["track_id"], self.dataset["genre"], strict=True)
        return not self.is_demo and is_gtzan([Clip(item, names[label], item) for item, label in rows])


def load_gtzan(source: str | os.PathLike[str] = "marsyas/gtzan", **options: Any) -> "datasets.Dataset":
    """Load GTZAN, or any music sorted by genre, as a `datasets.Dataset`.

    Args:
        source (`str` or `PathLike`, *optional*, defaults to `"marsyas/gtzan"`): A Hub data set, a local folder, a
            `genres.tar.gz`, a CSV that lists clips, or `demo` for the embedded synthetic corpus.
        options: The options of [`read_corpus`].

    Returns:
        `datasets.Dataset`: Backed by Arrow files, so that `map` caches, with the columns that [`Corpus`] names.

    Raises:
        SourceError: The source cannot be found, reached or understood.
        AudioError: With `on_bad_audio="error"`, the first bad file.
        OptionError: An option is out of its range.

    Example:

    ```python
    >>> from mgc_hf import load_gtzan
    >>> dataset = load_gtzan("demo", demo_clips_per_genre=1, demo_seconds=5.0)
    >>> dataset.features["genre"].names[:3]
    ['blues', 'classical', 'country']
    ```
    """
    return read_corpus(source, **options).dataset


def read_corpus(
    source: str | os.PathLike[str] = "marsyas/gtzan",
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    on_bad_audio: str = "skip",
    min_seconds: float = 0.5,
    revision: str | None = None,
    config: str | None = None,
    columns: dict[str, str] | None = None,
    audio: str | os.PathLike[str] | None = None,
    leave_out_faults: bool = False,
    demo_clips_per_genre: int = 20,
    demo_seconds: float = 30.0,
    demo_seed: int = 0,
) -> Corpus:
    """Load a source as [`load_gtzan`] does, and tell what was left out.

    Args:
        source (`str` or `PathLike`, *optional*, defaults to `"marsyas/gtzan"`): As for [`load_gtzan`].
        cache_dir (`str` or `PathLike`, *optional*): Folder for Arrow files, unpacked archives and downloads; defaults
            to the caches of `datasets` and the Hub.
        on_bad_audio (`str`, *optional*, defaults to `"skip"`): `skip` leaves unreadable, empty, silent, too short and
            truncated audio out, with one warning; `error` raises for the first.
        min_seconds (`float`, *optional*, defaults to 0.5): Shorter clips are too short, in seconds.
        revision (`str`, *optional*): Branch, tag or commit of a Hub data set.
        config (`str`, *optional*): Configuration of a Hub data set that has several.
        columns (`dict[str, str]`, *optional*): For a Hub data set, its column for each of ours: `audio`, `genre`,
            `track_id`, `artist`. What is not given is guessed, with a warning.
        audio (`str` or `PathLike`, *optional*): For a Hub data set that is an index without audio (as `mgc-hf
            push-dataset` makes it): the folder or tar archive that holds the audio, under any names. It is found by
            the SHA-256 of the files, else by that of the decoded samples; tracks that are missing are left out as
            unusable audio is.
        leave_out_faults (`bool`, *optional*, defaults to `False`): Leave out GTZAN's known repeats, distorted and broken
            tracks ([`faults.LEFT_OUT`]); without effect on other data, of which none are known.
        demo_clips_per_genre (`int`, *optional*, defaults to 20): Size of the demo corpus.
        demo_seconds (`float`, *optional*, defaults to 30.0): Length of its clips, in seconds.
        demo_seed (`int`, *optional*, defaults to 0): Its seed.

    Returns:
        [`Corpus`]: At least one clip.

    Raises:
        SourceError: The source cannot be found, reached or understood, or holds no usable audio.
        AudioError: With `on_bad_audio="error"`, the first bad file; or no audio can be decoded on this machine.
        OptionError: An option is out of its range.
    """
    _check_options(on_bad_audio, min_seconds)
    cache = _Cache(cache_dir)
    kind, where = _resolve(source)
    if audio is not None and kind != "hub":
        raise OptionError(f"audio={os.fspath(audio)!r}: is for an index on the Hub; {where} has its audio itself")
    if kind == "demo":
        return _read_demo(cache, min_seconds, demo_clips_per_genre, demo_seconds, demo_seed)
    audio_column = None
    if kind == "hub":
        listing, audio_column = _list_hub(where, revision, config, columns, audio, cache)
    elif kind == "archive":
        listing = _list_archive(where, cache)
    else:
        listing = list_csv(where) if kind == "csv" else list_folder(where)
    listing, left_out = finish(listing), None
    if leave_out_faults:
        listing, left_out = faults.leave_out_faults(listing)
    corpus = _to_corpus(listing, cache, min_seconds, on_bad_audio, audio_column)
    return replace(corpus, faults_left_out=left_out)


@dataclass(frozen=True)
class _Cache:
    """Where things are kept: in one folder that the user names, or in the usual caches."""

    given: str | os.PathLike[str] | None

    @property
    def datasets(self) -> str:
        if self.given is not None:
            return os.fspath(self.given)
        return default_cache()

    @property
    def hub(self) -> str | None:
        return None if self.given is None else os.path.join(self.given, "hub")

    def own(self, *names: str) -> Path:
        return Path(self.datasets, "mgc_hf", *names)


def _check_options(on_bad_audio: str, min_seconds: float) -> None:
    if on_bad_audio not in ("skip", "error"):
        raise OptionError(f"on_bad_audio={on_bad_audio!r}: allowed are 'skip' and 'error'")
    if not 0 <= min_seconds < float("inf"):
        raise OptionError(f"min_seconds={min_seconds}: must be 0 or more seconds")


def _resolve(source: str | os.PathLike[str]) -> tuple[str, str]:
    """Tell what a source is: `demo`, `hub`, `folder`, `archive` or `csv`, and where."""
    text = os.fspath(source)
    if text == DEMO and isinstance(source, str):
        return "demo", text
    if isinstance(source, str) and hub.has_hub_prefix(text):
        repo_id = hub.parse_hub_id(text)
        if repo_id is None:
            raise SourceError(f"{text}: not a Hub data set; hf://datasets/OWNER/NAME is one")
        return "hub", repo_id
    if text and os.path.lexists(text):
        return _resolve_path(text)
    repo_id = hub.parse_hub_id(text) if isinstance(source, str) else None
    if repo_id is None or is_audio_name(text) or text.casefold().endswith(_PATH_ENDINGS):
        raise SourceError(f"{text or repr(text)}: no such file or folder; {_INSTEAD}")
    parent = os.path.dirname(text)
    if os.path.exists(parent):
        raise SourceError(
            f"{text}: no such file or folder, though {parent} exists; {_INSTEAD} (to have {text} looked up on the Hub, "
            f"write hf://datasets/{text})"
        )
    return "hub", repo_id


def _resolve_path(text: str) -> tuple[str, str]:
    if os.path.isdir(text):
        return "folder", text
    if not os.path.exists(text):
        raise SourceError(f"{text}: a link to nothing")
    if text.casefold().endswith(".csv"):
        return "csv", text
    if is_archive(text):
        return "archive", text
    if is_audio_name(text):
        raise SourceError(f"{text}: one audio file is no data set; give the folder that holds the genre folders")
    if text.casefold().endswith(_TAR_ENDINGS):
        raise SourceError(f"{text}: this is no tar archive, or a damaged one; fetch it again")
    raise SourceError(f"{text}: neither a folder, a tar archive nor a CSV (unpack other archives first)")


def _list_archive(path: str, cache: _Cache) -> Listing:
    folder, left_out = unpack(path, cache.own("archives"))
    listing = list_folder(folder)
    return replace(listing, name=Path(path).name, faults=left_out + listing.faults)


def _list_hub(
    repo_id: str,
    revision: str | None,
    config: str | None,
    columns: dict[str, str] | None,
    audio: str | os.PathLike[str] | None,
    cache: _Cache,
) -> tuple[Listing, str | None]:
    data = hub.find_data(repo_id, revision, config, cache.own("hub"))
    if data.is_archive:
        _refuse_audio(repo_id, audio)
        listing = _list_archive(str(hub.download(data, data.files[0], cache.hub)), cache)
        return replace(listing, name=repo_id, revision=data.revision), None
    import pyarrow.parquet as pq

    files = [(hub.download(data, file, cache.hub), file.split) for file in data.files]
    schema = pq.read_schema(files[0][0])
    pushed: dict[str, Any] = {"revision": data.revision, "is_demo": is_demo(schema), "has_artists": is_pushed(schema)}
    if is_index(schema):
        return _join_index(repo_id, [path for path, _ in files], columns, audio, cache, pushed), None
    _refuse_audio(repo_id, audio)
    clips, faults = list_parquet(repo_id, files, columns)
    column = choose_columns(repo_id, schema, columns, say=False)["audio"]
    return Listing(repo_id, clips, faults, **pushed), column


def _join_index(
    repo_id: str,
    files: Sequence[Path],
    columns: dict[str, str] | None,
    audio: str | os.PathLike[str] | None,
    cache: _Cache,
    pushed: dict[str, Any],
) -> Listing:
    if columns:
        raise OptionError(f"columns={columns}: {repo_id} is an index of mgc_hf, whose columns are known; leave it out")
    if audio is None:
        raise SourceError(
            f"{repo_id}: is an index without audio; name the folder that holds the audio by audio=FOLDER "
            "(--audio FOLDER); its files are found by their hashes, whatever their names"
        )
    folder = Path(audio)
    if is_archive(folder):
        folder, _ = unpack(folder, cache.own("archives"))
    if not folder.is_dir():
        raise SourceError(f"{audio}: no such folder; audio is the folder, or a tar archive, that holds the audio")
    clips, faults = join_audio(repo_id, read_index(files), folder)
    return Listing(repo_id, clips, faults, **pushed)


def _refuse_audio(repo_id: str, audio: str | os.PathLike[str] | None) -> None:
    if audio is not None:
        raise OptionError(
            f"audio={os.fspath(audio)!r}: {repo_id} has its audio itself; leave audio (--audio) out, which is for an "
            "index without audio"
        )


def _read_demo(cache: _Cache, min_seconds: float, clips_per_genre: int, seconds: float, seed: int) -> Corpus:
    from mgc_hf.data.demo import DEMO_VERSION, generate_demo
    from mgc_hf.labels import GTZAN_GENRES

    try:
        generate_demo(clips_per_genre, seconds, seed)  # checks its arguments and what is installed
    except ValueError as error:
        raise OptionError(f"demo corpus: {error}") from error
    except ImportError as error:
        raise SourceError(f"the demo corpus cannot be made here: {error}") from error
    demo = {"clips_per_genre": clips_per_genre, "seconds": seconds, "seed": seed, "version": DEMO_VERSION}
    dataset, faults = build([], GTZAN_GENRES, cache_dir=cache.datasets, min_seconds=min_seconds, demo=demo)
    if not len(dataset):
        raise SourceError(f"demo corpus: no clip is usable; first: {faults[0].reason}")
    return Corpus(dataset, DEMO, None, True, _report(DEMO, len(dataset), faults), False, faults=faults)


def _to_corpus(
    listing: Listing, cache: _Cache, min_seconds: float, on_bad_audio: str, audio_column: str | None
) -> Corpus:
    found = list(listing.faults)
    # of GTZAN and of data that were published with their artists the tables say all that is known
    artists_of_files = not (listing.has_artists or is_gtzan(listing.clips))
    while True:
        dataset, bad = build(
            listing.clips,
            listing.genres,
            cache_dir=cache.datasets,
            min_seconds=min_seconds,
            has_parts=listing.has_parts,
            audio_column=audio_column,
            artists_of_files=artists_of_files,
        )
        found += bad
        _raise_first(found, listing, on_bad_audio)
        if not len(dataset):
            raise SourceError(
                f"{listing.name}: none of its {len(bad)} files is usable; first: {bad[0].file}: {bad[0].reason}"
            )
        emptied = _emptied(dataset, listing.genres)
        if not emptied:
            break
        logger.warning("%s: no usable audio is left of %s; left out as a class", listing.name, ", ".join(emptied))
        listing = replace(listing, clips=[clip for clip in listing.clips if clip.genre not in emptied])
        found = [fault for fault in found if fault not in bad or fault.file not in _names(listing)]
    skipped = _report(listing.name, len(dataset), found)
    reasons = {fault.file: fault.reason for fault in bad}
    unusable = [(clip, reasons[clip.name]) for clip in listing.clips if clip.name in reasons]
    return Corpus(
        dataset, listing.name, listing.revision, listing.is_demo, skipped, listing.has_parts, unusable, found
    )


def _names(listing: Listing) -> set[str]:
    return {clip.name for clip in listing.clips}


def _emptied(dataset: "datasets.Dataset", genres: Sequence[str]) -> list[str]:
    """Return the classes of which no clip is usable."""
    left = set(dataset.data.column("genre").to_pylist())
    return [name for label, name in enumerate(genres) if label not in left]


def _raise_first(faults: Sequence[Fault], listing: Listing, on_bad_audio: str) -> None:
    bad = [fault for fault in faults if fault.kind != "left_out"]
    if on_bad_audio == "error" and bad:
        paths = {clip.name: clip.path for clip in listing.clips if clip.row is None}
        raise AudioError(paths.get(bad[0].file) or bad[0].file, bad[0].reason, bad[0].kind)


def _report(name: str, used: int, faults: Sequence[Fault]) -> list[SkippedFile]:
    """Say once what was left out and why."""
    if faults:
        lines = "".join(f"\n  {fault.file}: {fault.reason}" for fault in faults[:_SHOWN])
        if faults[_SHOWN:]:
            lines += f"\n  ... and {len(faults) - _SHOWN} more"
        logger.warning("%s: of %d files, %d left out:%s", name, used + len(faults), len(faults), lines)
    return [SkippedFile(fault.file, fault.reason) for fault in faults]
