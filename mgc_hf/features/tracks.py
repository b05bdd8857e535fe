"""Clips decoded once: int16 samples at the model's rate in a memory-mapped Arrow file, and the reader of that file.

16 bits halve the disk and are exact for GTZAN's own files; what 16 bits cannot hold exactly is scaled to use all of
them, so that the error stays 98 dB under the clip's own peak.
"""

import itertools
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from mgc_hf.data import audio
from mgc_hf.data.threads import count_threads, map_in_order
from mgc_hf.features.cache import cached_map, code_version, fingerprint

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

#: Clips in a record batch: memory holds so many, and those that are decoded ahead, however many there are.
_BATCH_CLIPS = 8
_STEP = 16_384  # samples worked on at a time: they stay in the processor's cache


def decode_tracks(dataset: "Dataset", sampling_rate: int, *, num_proc: int | None = None) -> "Dataset":
    """Decode every clip once; a second call, in any process, reads the cache.

    Args:
        dataset (`datasets.Dataset`): Columns `audio` (`Audio(decode=False)`), `genre` and `track_id`, as `load_gtzan`
            gives them.
        sampling_rate (`int`): The model's rate, Hz.
        num_proc (`int`, *optional*): Processes that decode; this one by default. The cores are shared out among them:
            each decodes on a few threads.

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
        code=code_version(_Decoder, audio.stream),
    )
    with closing(_Decoder(dataset.with_format("arrow"), sampling_rate, count_threads(num_proc or 1))) as decoder:
        return cached_map(
            dataset,
            decoder,
            new_fingerprint,
            beside=dataset,
            with_indices=True,
            batch_size=_BATCH_CLIPS,
            features=features,
            num_proc=num_proc,
            desc="Decoding clips",
        )


class _Decoder:
    """What `map` calls for each batch; threads decode the next clips meanwhile, also while `datasets` writes.

    Args:
        clips (`datasets.Dataset`): All that is mapped, in Arrow format.
        sampling_rate (`int`): The model's rate, Hz.
        threads (`int`): Threads that decode.
    """

    def __init__(self, clips: "Dataset", sampling_rate: int, threads: int):
        self._clips, self._sampling_rate, self._threads = clips, sampling_rate, threads
        self._decoded: Generator[tuple[Any, tuple[np.ndarray, np.float32]], None, None] | None = None

    def __call__(self, table: "pa.Table", rows: list[int]) -> "pa.Table":
        import pyarrow as pa

        if self._decoded is None:  # a process of `map` begins with the first row of its own
            self._decoded = map_in_order(self._decode, self._sources(rows[0]), self._threads)
        samples, scales = zip(*(clip for _, clip in itertools.islice(self._decoded, len(rows))), strict=True)
        offsets = pa.array(np.cumsum([0, *map(len, samples)]), pa.int32())  # refuses what does not fit
        return pa.table(
            {
                "track_id": table["track_id"],
                "genre": table["genre"],
                "samples": pa.ListArray.from_arrays(offsets, pa.concat_arrays(map(pa.array, samples))),
                "scale": pa.array(scales, pa.float32()),
                "sampling_rate": pa.array([self._sampling_rate] * len(samples), pa.int32()),
            }
        )

    def close(self) -> None:
        """End the threads."""
        if self._decoded is not None:
            self._decoded.close()

    def _sources(self, first: int) -> Iterator[tuple[dict[str, Any], str]]:
        for start in range(first, len(self._clips), _BATCH_CLIPS):
            table = self._clips[start : start + _BATCH_CLIPS]
            yield from zip(table["audio"].to_pylist(), table["track_id"].to_pylist(), strict=True)

    def _decode(self, clip: tuple[dict[str, Any], str]) -> tuple[np.ndarray, np.float32]:
        source, track_id = clip
        data = source["bytes"] if source["bytes"] is not None else source["path"]
        return to_int16(*audio.stream(data, self._sampling_rate, None, source["path"] or track_id))


def to_int16(*blocks: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """Return integers and the scale that gives the waveform back.

    Args:
        blocks (`np.ndarray` of `float32`, shape `(num_samples,)`): The waveform, in one piece or several; finite.

    Returns:
        `tuple[np.ndarray, np.float32]`: `int16` of all samples and the scale: 1/32768 where that loses nothing (a
        16-bit file at its own rate), else the peak over 32767.
    """
    integers = np.empty(sum(map(len, blocks)), np.int16)
    if _fill(integers, blocks, np.float32(1 / 32768), exactly=True):
        return integers, np.float32(1 / 32768)
    peak = max(max(float(block.max()), -float(block.min())) for block in blocks)
    scale = np.float32(max(peak / 32767, float(np.finfo(np.float32).tiny)))
    _fill(integers, blocks, scale)
    return integers, scale


def _fill(integers: np.ndarray, blocks: Sequence[np.ndarray], scale: np.float32, exactly: bool = False) -> bool:
    """Divide by the scale and round, in steps that fit the processor's cache; `exactly`: give up where that loses."""
    scratch, done = np.empty((2, _STEP), np.float32), 0
    for block in blocks:
        for start in range(0, len(block), _STEP):
            step = block[start : start + _STEP]
            scaled, rounded = scratch[:, : len(step)]
            np.rint(np.divide(step, scale, out=scaled), out=rounded)
            if exactly and not (
                np.array_equal(scaled, rounded) and rounded.min() >= -32768 and rounded.max() <= 32767
            ):
                return False
            integers[done : done + len(step)] = rounded
            done += len(step)
    return True


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
