"""The errors to listen to: tracks that a run has wrong, what each run says along them, their sound and known faults.

What a run says comes from its predictions alone; the sound from the user's own copy of the data, where it is at hand.
"""

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from mgc_hf.comparison.material import Material, RunEntry, identify_floor, protocol_rank
from mgc_hf.data.audio import decode
from mgc_hf.data.facts import gtzan_artists, gtzan_faults, gtzan_same_titles, gtzan_track_id, recording_of
from mgc_hf.data.sources import load_gtzan
from mgc_hf.errors import AudioError, SourceError
from mgc_hf.models.mel_lstm import LogMelFeatureExtractor
from mgc_hf.pictures.sound import DYNAMIC_RANGE_DB
from mgc_hf.predictions import most_probable

#: More tracks than these are not shown: the page would be too large to open on a phone.
MOST_TRACKS = 60
SAMPLING_RATE = 22050
EXCERPT_SECONDS = 5.0
#: Most columns (time) and rows (mel) of the spectrogram's picture.
COLUMNS, ROWS = 400, 64
#: Protocols whose errors say most, those first that many tracks were tested by without a leak.
_PREFERRED = ("kfold", "track", "artist", "fault_filtered")
#: Kinds of known faults and the lists that name them (`data/facts`), in words.
_FAULTS = {
    "exact repeat": "Repeats another track exactly",
    "distorted": "Distorted beyond recognition",
    "broken": "Does not decode in public copies",
    "fault filter": "Left out of the fault-filtered split",
}
_LISTS = {"foleis2020": "Foleis and Tavares, 2020", "kereliuk2015": "Kereliuk, Sturm and Larsen, 2015"}


@dataclass(frozen=True)
class Heard:
    """What one run says of one track.

    Args:
        run ([`RunEntry`]): The run.
        genres (`tuple[str, ...]`): Class names in label order.
        label (`int`): True class.
        start_s (`np.ndarray`, shape `(num_segments,)`): Start of each segment, seconds, ascending.
        probabilities (`np.ndarray`, shape `(num_segments, num_labels)`): Of each segment.
    """

    run: RunEntry
    genres: tuple[str, ...]
    label: int
    start_s: np.ndarray
    probabilities: np.ndarray

    @property
    def segment_seconds(self) -> float:
        """Length of a segment, seconds."""
        return self.run.result.data.segment_seconds

    @property
    def mean(self) -> np.ndarray:
        """Probabilities of the track: the mean of its segments', shape `(num_labels,)`."""
        return self.probabilities.mean(axis=0)

    @property
    def predicted(self) -> int:
        """Class that the track is taken for."""
        return int(most_probable(self.mean))

    @property
    def is_right(self) -> bool:
        """Whether that is the true one."""
        return self.predicted == self.label

    @property
    def worst_seconds(self) -> float:
        """Middle of the segment that speaks most against the true genre, seconds."""
        others = np.delete(self.probabilities, self.label, axis=1).max(axis=1)
        worst = int((others - self.probabilities[:, self.label]).argmax())
        return float(self.start_s[worst] + self.segment_seconds / 2)


@dataclass(frozen=True)
class WrongTrack:
    """A test track that at least one run has wrong.

    Args:
        track_id (`str`): The track.
        genre (`str`): Its true genre.
        heard (`tuple[Heard, ...]`): What the runs say, in the order of systems; a run that has not heard it is missing.
    """

    track_id: str
    genre: str
    heard: tuple[Heard, ...]

    @property
    def wrong(self) -> list[Heard]:
        """Those that have it wrong."""
        return [one for one in self.heard if not one.is_right]

    @property
    def seconds(self) -> float:
        """End of the last segment that a run has heard."""
        return max(float(one.start_s[-1]) + one.segment_seconds for one in self.heard)


def chosen_runs(material: Material) -> list[RunEntry]:
    """Return the runs whose errors are shown: of one protocol, one run for each system, its lowest seed.

    It is the protocol under which most systems were run, at a tie the one whose errors say most; not one that divides
    segments, whose test part holds a few segments of each track, which is then neither right nor wrong as a whole. The
    linear floor has a run of its own, or what it says stands in the folder of another.
    """

    def order(protocol: str) -> tuple[int, int, int]:
        place = _PREFERRED.index(protocol) if protocol in _PREFERRED else len(_PREFERRED)
        return -len({run.system for run in material.of(protocol=protocol)}), place, protocol_rank(protocol)

    whole = [name for name in material.protocols if material.of(protocol=name)[0].unit == "track"]
    protocol = min(whole, key=order, default=None)
    if protocol is None:
        return []
    shown = [run for system in material.systems if (run := material.best_shown(system, protocol)) is not None]
    beside = next((run for run in shown if run.floor is not None), None)
    if beside is not None and beside.floor is not None and not any(run.system.is_floor for run in shown):
        shown.append(replace(beside, system=identify_floor(), predictions=beside.floor, floor=None))
    return shown


def wrong_tracks(runs: Sequence[RunEntry]) -> list[WrongTrack]:
    """Return every test track that a run has wrong: those that most runs have wrong first, then the surest errors.

    Args:
        runs ([`Sequence[RunEntry]`]): Runs of one protocol, at most one a system.
    """
    heard: dict[str, list[Heard]] = {}
    for run in runs:
        predictions = run.predictions
        ids = predictions.track_id.astype(str)
        probabilities = predictions.probabilities
        order = np.lexsort((predictions.start_s, ids))
        _, begins = np.unique(ids[order], return_index=True)
        for rows in np.split(order, begins[1:]):
            heard.setdefault(str(ids[rows[0]]), []).append(
                Heard(
                    run,
                    predictions.genres,
                    int(predictions.label[rows[0]]),
                    predictions.start_s[rows],
                    probabilities[rows],
                )
            )
    tracks = [
        WrongTrack(track_id, ones[0].genres[ones[0].label], tuple(ones))
        for track_id, ones in heard.items()
        if not all(one.is_right for one in ones)
    ]

    def order_of(track: WrongTrack) -> tuple[float, float, str]:
        sure = max(float(one.mean[one.predicted] - one.mean[one.label]) for one in track.wrong)
        return -len(track.wrong) / len(track.heard), -sure, track.track_id

    return sorted(tracks, key=order_of)


def player(track: WrongTrack) -> str | None:
    """Return who plays, where the track is one of GTZAN's and that is known."""
    return gtzan_artists().get(recording_of(track.track_id)) if _is_gtzan(track) else None


def known_faults(track: WrongTrack) -> list[str]:
    """Return in sentences what is known to be wrong with a track of GTZAN; nothing of other data."""
    if not _is_gtzan(track):
        return []
    track_id = recording_of(track.track_id)
    known = gtzan_faults().get(track_id, ())
    faults = [
        _FAULTS.get(one.kind, one.kind.capitalize())
        + (f", likely {' or '.join(one.others)}" if one.others else "")
        + f" ({_LISTS.get(one.source, one.source)})."
        for one in known
    ]
    others = gtzan_same_titles().get(track_id, ())
    if others and not any(one.others for one in known):
        faults.append(f"Artist and title are those of {' and '.join(others)}: likely a repeat.")
    return faults


def _is_gtzan(track: WrongTrack) -> bool:
    # the ids of the synthetic demo corpus look like GTZAN's
    return gtzan_track_id(track.track_id) is not None and not track.heard[0].run.result.data.is_demo


class Sounds:
    """The user's copy of the data, by track.

    Args:
        source (`str` or `PathLike`): Any source of [`load_gtzan`]; a local folder also gives links to its files.

    Raises:
        SourceError: It cannot be found or understood.
    """

    def __init__(self, source: str | os.PathLike[str]):
        data = load_gtzan(source)
        names = data.features["genre"].names
        self._rows = {
            track_id: (names[genre], row)
            for row, (track_id, genre) in enumerate(zip(data["track_id"], data["genre"], strict=True))
        }
        self._data = data

    def find(self, track: WrongTrack) -> "Sound | None":
        """Return the sound of a track, `None` where the data has none of this name and genre, or it cannot be read."""
        genre, row = self._rows.get(track.track_id, (None, 0))
        if genre != track.genre:
            return None
        audio: dict[str, Any] = self._data[row]["audio"]
        path = audio["path"]
        local = Path(path).resolve() if path and audio["bytes"] is None and Path(path).is_file() else None
        source = audio["bytes"] if local is None else local
        try:
            return Sound(decode(source, SAMPLING_RATE, name=track.track_id).samples, local)
        except AudioError:
            return None


@dataclass(frozen=True)
class Sound:
    """A decoded track.

    Args:
        samples (`np.ndarray` of `float32`, shape `(num_samples,)`): Mono, at `SAMPLING_RATE`.
        path (`Path`, *optional*): The local file.
    """

    samples: np.ndarray
    path: Path | None

    def spectrogram(self, seconds: float) -> str:
        """Return the mel-spectrogram of the first `seconds` as a PNG file in a data URI: time to the right, 80 dB."""
        import matplotlib
        from PIL import Image

        extractor = LogMelFeatureExtractor(sampling_rate=SAMPLING_RATE)
        wanted = round(seconds * SAMPLING_RATE)
        samples = np.pad(self.samples[:wanted], (0, max(0, wanted - len(self.samples))))
        mel = extractor(samples, sampling_rate=SAMPLING_RATE, return_tensors="np")["input_features"][0]
        decibels = mel
        for axis, most in enumerate((COLUMNS, ROWS)):
            edges = np.linspace(0, mel.shape[axis], min(most, mel.shape[axis]) + 1).astype(np.int64)[:-1]
            decibels = np.maximum.reduceat(decibels, edges, axis=axis)
        shade = np.clip(1 + (decibels - decibels.max()) / DYNAMIC_RANGE_DB, 0, 1)
        image = Image.fromarray(np.round(63 * shade.T[::-1]).astype(np.uint8), mode="P")
        colours = matplotlib.colormaps["viridis"](np.arange(64) / 63)[:, :3]
        image.putpalette(np.round(255 * colours).astype(np.uint8).tobytes())
        written = BytesIO()
        image.save(written, "PNG", optimize=True)
        return data_uri("image/png", written.getvalue())

    def excerpt(self, middle: float) -> tuple[str, float]:
        """Return five seconds around `middle` as an MP3 file in a data URI, and where they begin, seconds."""
        import soundfile

        length = round(EXCERPT_SECONDS * SAMPLING_RATE)
        begin = min(max(0, round(middle * SAMPLING_RATE) - length // 2), max(0, len(self.samples) - length))
        samples = self.samples[begin : begin + length]
        fade = np.minimum(1, np.arange(len(samples)) / (0.02 * SAMPLING_RATE))
        written = BytesIO()
        soundfile.write(
            written,
            np.clip(samples, -1, 1) * fade * fade[::-1],
            SAMPLING_RATE,
            format="MP3",
            subtype="MPEG_LAYER_III",
            bitrate_mode="CONSTANT",
            compression_level=0.8,
        )
        return data_uri("audio/mpeg", written.getvalue()), begin / SAMPLING_RATE


def open_sounds(source: str | os.PathLike[str] | None) -> Sounds | None:
    """Open the user's copy of the data; `None` where there is none to open.

    Raises:
        SourceError: It was given, and cannot be found or understood; the text names the option.
    """
    if source is None:
        return None
    try:
        return Sounds(source)
    except SourceError as error:
        raise SourceError(f"--audio: {error}") from error


def data_uri(kind: str, content: bytes) -> str:
    """Return a file as an address that holds it.

    Args:
        kind (`str`): Its media type, such as `image/png`.
        content (`bytes`): The file.
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
