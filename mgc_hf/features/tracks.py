"""Clips decoded once: int16 samples at the model's rate in a memory-mapped Arrow file, and the reader of that file.

16 bits halve the disk and are exact for GTZAN's own files; what 16 bits cannot hold exactly is scaled to use all of
them, so that the error stays 98 dB under the clip's own peak.
"""

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mgc_hf.data import audio
from mgc_hf.features.cache import cached_map, code_version, fingerprint

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset


def decode_tracks(dataset: "Dataset", sampling_rate: int, *, num_proc: int | None = None) -> "Dataset":
    """Decode every clip once; a second call, in any process, reads the cache.

    Args:
        dataset (`datasets.Dataset`): Columns `audio` (`Audio(decode=False)`), `genre` and `track_id`, as `load_gtzan`
            gives them.
        sampling_rate (`int`): The model's rate, Hz.
        num_proc (`int`, *optional*): Processes that decode; this one by default.

    Returns:
        `datasets.Dataset`: In the same order, with columns `track_id`, `genre`, `samples` (list of int16), `scale`
        (float32) and `sampling_rate` (int32). The waveform is `samples * scale`, float32 mono.

    Raises:
        AudioError: A clip cannot be decoded (`load_gtzan` has left such clips out).
        ValueError: The data set is empty or lacks a column.
    """
    import datasets

    missing = {"audio", "genre", "track_id"} - set(dataset.column_names)
    if missing or len(dataset) == 0:
        problem = f"has no column {', '.join(sorted(missing))}" if missing else "has no clips"
        raise ValueError(f"the data set {problem}; decode_tracks takes what load_gtzan returns")
    features = datasets.Features(
        {
            "track_id": datasets.Value("string"),
            "genre": dataset.features["genre"],
            "samples": datasets.List(datasets.Value("int16")),
            "scale": datasets.Value("float32"),
            "sampling_rate": datasets.Value("int32"),
        }
    )
    new_fingerprint = fingerprint(
        dataset=dataset._fingerprint,
        sampling_rate=sampling_rate,
        genre=str(dataset.features["genre"]),
        code=code_version(_decode_table, audio.decode),
    )
    return cached_map(
        dataset,
        partial(_decode_table, sampling_rate=sampling_rate),
        new_fingerprint,
        beside=dataset,
        batch_size=1,  # one clip a record batch: memory holds one clip, however many there are
        features=features,
        num_proc=num_proc,
        desc="Decoding clips",
    )


def _decode_table(table: "pa.Table", sampling_rate: int) -> "pa.Table":
    import pyarrow as pa

    samples, scales = [], []
    for source, track_id in zip(table["audio"].to_pylist(), table["track_id"].to_pylist(), strict=True):
        data = source["bytes"] if source["bytes"] is not None else source["path"]
        integers, scale = to_int16(audio.decode(data, sampling_rate, name=source["path"] or track_id).samples)
        samples.append(pa.array(integers))
        scales.append(scale)
    offsets = np.cumsum([0, *map(len, samples)], dtype=np.int32)
    return pa.table(
        {
            "track_id": table["track_id"],
            "genre": table["genre"],
            "samples": pa.ListArray.from_arrays(pa.array(offsets), pa.concat_arrays(samples)),
            "scale": pa.array(scales, pa.float32()),
            "sampling_rate": pa.array([sampling_rate] * len(samples), pa.int32()),
        }
    )


def to_int16(samples: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """Return integers and the scale that gives the waveform back.

    Args:
        samples (`np.ndarray` of `float32`, shape `(num_samples,)`): Finite.

    Returns:
        `tuple[np.ndarray, np.float32]`: `int16` of the same shape and the scale: 1/32768 where that loses nothing (a
        16-bit file at its own rate), else the peak over 32767.
    """
    scaled = samples * np.float32(32768)
    integers = np.rint(scaled)
    if np.array_equal(scaled, integers) and np.array_equal(integers, np.clip(integers, -32768, 32767)):
        return integers.astype(np.int16), np.float32(1 / 32768)
    scale = np.float32(max(float(np.abs(samples).max()) / 32767, float(np.finfo(np.float32).tiny)))
    return np.clip(np.rint(samples / scale), -32767, 32767).astype(np.int16), scale


class TrackReader:
    """Random access to decoded tracks; reads only what is asked for from the memory-mapped file.

    Pickled by the file's name, so that worker processes map it too.

    Args:
        tracks (`datasets.Dataset`): From `decode_tracks`; selections and concatenations of it too.

    Attributes:
        sampling_rate (`int`): Hz.
        num_samples (`np.ndarray` of `int64`, shape `(num_tracks,)`): Length of each track, samples.

    Raises:
        ValueError: The data set is not one of `decode_tracks`, or joins tracks of different rates.
    """

    def __init__(self, tracks: "Dataset"):
        missing = {"samples", "scale", "sampling_rate"} - set(tracks.column_names)
        if missing:
            raise ValueError(f"the tracks have no column {', '.join(sorted(missing))}; call decode_tracks first")
        self._tracks = tracks
        self._open()

    def _open(self) -> None:
        table = self._tracks.data
        views: list[np.ndarray] = []
        for chunk in table.column("samples").chunks:
            values = chunk.values.to_numpy(zero_copy_only=True)
            offsets = chunk.offsets.to_numpy().tolist()
            views += [values[first:stop] for first, stop in itertools.pairwise(offsets)]
        scales = table.column("scale").to_numpy()
        rates = set(table.column("sampling_rate").unique().to_pylist())
        if len(rates) != 1:
            raise ValueError(f"the tracks have {len(rates)} sampling rates {sorted(rates)}; decode them all at one")
        order = self._tracks._indices  # a selection keeps its table whole
        rows = order.column(0).to_pylist() if order is not None else range(len(views))
        self._views = [views[row] for row in rows]
        self._scales = [float(scales[row]) for row in rows]
        self.sampling_rate = int(rates.pop())
        self.num_samples = np.array([len(view) for view in self._views], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._views)

    def integers(self, track: int) -> tuple[np.ndarray, float]:
        """Return a view of a track's samples, `int16` `(num_samples,)`, and their scale; nothing is read yet."""
        return self._views[track], self._scales[track]

    def read(self, track: int, start: int = 0, num_samples: int | None = None) -> np.ndarray:
        """Return samples of a track as float32 `(num_samples,)`; all from `start` by default."""
        view, scale = self.integers(track)
        stop = len(view) if num_samples is None else start + num_samples
        return view[start:stop].astype(np.float32) * np.float32(scale)

    def __getstate__(self) -> dict[str, Any]:
        return {"_tracks": self._tracks}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()
