"""Caches, draws and pickles seen from other processes."""

import json
import pickle
import textwrap
from dataclasses import replace

import pytest
import torch
from torch.utils.data import DataLoader

from mgc_hf.data.segments import cut_segments
from mgc_hf.data.sources import load_gtzan
from mgc_hf.features import TrackReader, collate, decode_tracks, prepare
from tests import preloaded
from tests.features.corpus import (
    EVERYTHING,
    ON_SPECTROGRAMS,
    RATE,
    SETTINGS,
    equal,
    extractor,
    write_corpus,
)

ANOTHER_PROCESS = """
    import json, pickle, sys
    from pathlib import Path
    from mgc_hf.data.segments import assign_parts, cut_segments
    from mgc_hf.data.sources import load_gtzan
    from mgc_hf.features import TrackReader, decode_tracks, extraction, prepare, tracks as tracks_module
    from mgc_hf.models.mel_lstm import LogMelFeatureExtractor

    given = json.loads(sys.argv[1])
    calls = {"decoded": 0, "extracted": 0}

    def counted(module, name, key):
        function = getattr(module, name)
        def count(*arguments):
            calls[key] += 1
            return function(*arguments)
        setattr(module, name, count)

    counted(tracks_module, "to_int16", "decoded")
    counted(extraction, "_to_table", "extracted")
    extractors = {
        "fresh": LogMelFeatureExtractor(**given["settings"]),
        "reloaded": LogMelFeatureExtractor.from_pretrained(given["saved"]),
        "changed": LogMelFeatureExtractor(**{**given["settings"], "fmin": 100.0}),
    }
    tracks = decode_tracks(load_gtzan(given["corpus"], cache_dir=given["cache"]), given["rate"])
    rows = cut_segments(
        tracks["track_id"], tracks["genre"], TrackReader(tracks).num_samples, given["rate"],
        segment_seconds=1.0, hop_seconds=0.5,
    )
    rows = assign_parts(rows, "train")
    told = {}
    for name in extractors:
        data = prepare(tracks, rows, extractors[name], num_labels=3)
        told[name] = dict(calls, sum=float(data.__getitems__(range(len(data)))["input_features"].double().sum()))
    data = pickle.loads(Path(given["pickled"]).read_bytes())
    told["augmented"] = data.__getitems__([7, 3])["input_features"].flatten().tolist()
    print(json.dumps(told))
"""


def start_process(given):
    return preloaded.start(["-c", textwrap.dedent(ANOTHER_PROCESS), json.dumps(given)])


def end_process(process):
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


def test_other_processes_read_the_cache_and_draw_the_same(tmp_path):
    pytest.importorskip("audiomentations")
    folder, cache = write_corpus(tmp_path / "genres"), tmp_path / "cache"
    tracks = decode_tracks(load_gtzan(folder, cache_dir=cache), RATE)
    lengths = TrackReader(tracks).num_samples
    rows = cut_segments(tracks["track_id"], tracks["genre"], lengths, RATE, segment_seconds=1.0, hop_seconds=0.5)
    data = prepare(tracks, rows, extractor(), num_labels=3)
    here = float(data.__getitems__(range(len(data)))["input_features"].double().sum())
    files = {file: file.stat().st_mtime_ns for file in cache.rglob("*.arrow")}
    extractor().save_pretrained(tmp_path / "saved")
    augmentation = replace(EVERYTHING, pitch_shift_semitones=1.0)
    augmented = prepare(tracks, rows, extractor(), num_labels=3, augmentation=augmentation, seed=1, whole_tracks=True)
    augmented.set_epoch(2)
    (tmp_path / "pickled").write_bytes(pickle.dumps(augmented))
    given = {"corpus": str(folder), "cache": str(cache), "saved": str(tmp_path / "saved"), "rate": RATE}
    given |= {"settings": SETTINGS, "pickled": str(tmp_path / "pickled")}
    both = [end_process(process) for process in [start_process(given), start_process(given)]]
    for told in both:
        for name in ("fresh", "reloaded"):
            assert told[name] == {"decoded": 0, "extracted": 0, "sum": here}
        assert told["changed"]["decoded"] == 0
        assert told["changed"]["sum"] != here
    # of two processes that miss at once, one computes and the other waits for it
    assert sorted(told["changed"]["extracted"] for told in both) == [0, 1]
    assert {file: file.stat().st_mtime_ns for file in files} == files
    expected = augmented.__getitems__([7, 3])["input_features"].flatten().tolist()
    assert both[0]["augmented"] == both[1]["augmented"] == expected


class TestDataLoader:
    @pytest.mark.parametrize("augmentation", [None, EVERYTHING])
    def test_workers_give_the_same_batches(self, tracks, rows, augmentation):
        data = prepare(tracks, rows, extractor(), num_labels=3, augmentation=augmentation, whole_tracks=True)
        sampler = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
        options = {"batch_size": 8, "sampler": sampler, "collate_fn": collate}
        here = list(DataLoader(data, **options))
        there = list(DataLoader(data, num_workers=2, **options))
        assert len(here) == -(-len(rows) // 8)
        for one, two in zip(here, there, strict=True):
            equal(one, two)

    def test_workers_that_stay_see_the_new_epoch(self, tracks, rows):
        data = prepare(tracks, rows, extractor(), num_labels=3, augmentation=ON_SPECTROGRAMS)
        loader = DataLoader(data, batch_size=16, collate_fn=collate, num_workers=1, persistent_workers=True)
        epochs = []
        for epoch in range(2):
            data.set_epoch(epoch)
            epochs.append(list(loader))
            for one, two in zip(epochs[-1], data.batches(16), strict=True):
                equal(one, two)
        assert not torch.equal(epochs[0][0]["input_features"], epochs[1][0]["input_features"])

    @pytest.mark.parametrize("augmentation", [None, EVERYTHING])
    def test_it_is_pickled_by_file_names(self, tracks, rows, augmentation):
        data = prepare(tracks, rows, extractor(), num_labels=3, augmentation=augmentation, whole_tracks=True)
        data.set_epoch(4)
        before = data.__getitems__([1, 2])
        state = pickle.dumps(data)
        assert len(state) < 40_000 < TrackReader(tracks).num_samples.sum()
        equal(pickle.loads(state).__getitems__([1, 2]), before)
