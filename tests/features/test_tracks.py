import json
import pickle
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile

from mgc_hf.data.audio import decode
from mgc_hf.data.sources import load_gtzan
from mgc_hf.errors import AudioError
from mgc_hf.features import TrackReader, decode_tracks
from mgc_hf.features.tracks import to_int16
from tests.features.corpus import GENRES, RATE, in_mapping, refuse, write_corpus

PEAK_OF_MANY = """
    import json, re, sys
    from pathlib import Path
    import numpy as np, soundfile
    from mgc_hf.data.sources import load_gtzan
    from mgc_hf.features import decode_tracks

    root, peaks = Path(sys.argv[1]), []
    soundfile.write(root / "clip.wav", 0.1 * np.random.default_rng(0).standard_normal(220500), 22050, "PCM_16")
    for count in (12, 120):
        for number in range(count):
            file = root / str(count) / f"genre{number % 2}" / f"{number}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.symlink_to(root / "clip.wav")
        tracks = decode_tracks(load_gtzan(root / str(count), cache_dir=root / "cache"), 16000)
        assert len(tracks) == count
        peaks.append(int(re.findall(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[0]) / 1024)
    print(json.dumps(peaks))
"""


class TestDecodeTracks:
    def test_16_bit_files_at_their_own_rate_are_exact(self, corpus, tracks):
        assert tracks.column_names == ["track_id", "genre", "samples", "scale", "sampling_rate"]
        assert tracks["track_id"] == corpus["track_id"]
        assert tracks.features["genre"].names == list(GENRES)
        reader = TrackReader(tracks)
        assert len(reader) == 12
        assert reader.sampling_rate == RATE
        for row, audio in enumerate(corpus["audio"]):
            expected, _ = soundfile.read(audio["path"], dtype="float32")
            np.testing.assert_array_equal(reader.read(row), expected)
            np.testing.assert_array_equal(reader.read(row, 100, 50), expected[100:150])
            assert reader.num_samples[row] == len(expected)

    def test_another_rate_is_another_result(self, corpus, tracks):
        half = decode_tracks(corpus, RATE // 2)
        assert half._fingerprint != tracks._fingerprint
        np.testing.assert_allclose(TrackReader(half).num_samples * 2, TrackReader(tracks).num_samples, atol=2)

    def test_a_second_call_decodes_nothing(self, corpus, tracks, monkeypatch):
        monkeypatch.setattr("mgc_hf.features.tracks.to_int16", refuse)
        again = decode_tracks(corpus, RATE)
        assert again._fingerprint == tracks._fingerprint
        assert again.cache_files == tracks.cache_files

    def test_processes_share_the_work(self, corpus, tracks, tmp_path):
        corpus = load_gtzan(Path(corpus[0]["audio"]["path"]).parent.parent, cache_dir=tmp_path)
        shared = decode_tracks(corpus, RATE, num_proc=2)
        assert len(shared.cache_files) == 2
        assert shared._fingerprint == tracks._fingerprint
        one, two = TrackReader(shared), TrackReader(tracks)
        for row in range(12):
            np.testing.assert_array_equal(one.read(row), two.read(row))

    @pytest.mark.parametrize("rate", [RATE, RATE // 2])
    @pytest.mark.parametrize("threads", [1, 4])
    def test_threads_give_what_clip_by_clip_gives(self, corpus, monkeypatch, tmp_path, threads, rate):
        monkeypatch.setattr("mgc_hf.features.tracks.count_threads", lambda *_: threads)
        corpus = load_gtzan(Path(corpus[0]["audio"]["path"]).parent.parent, cache_dir=tmp_path)
        before = threading.active_count()
        tracks = decode_tracks(corpus, rate)
        assert threading.active_count() == before
        assert tracks["track_id"] == corpus["track_id"]
        reader = TrackReader(tracks)
        for row, source in enumerate(corpus["audio"]):
            expected, scale = to_int16(decode(source["path"], rate).samples)
            np.testing.assert_array_equal(reader.integers(row)[0], expected)
            assert reader.integers(row)[1] == scale

    @pytest.mark.parametrize("num_proc", [None, 2])
    def test_the_first_bad_clip_is_named(self, tmp_path, num_proc):
        corpus = load_gtzan(write_corpus(tmp_path / "genres"), cache_dir=tmp_path / "cache")
        bad = [Path(corpus[row]["audio"]["path"]) for row in (3, 4)]
        kept = [file.read_bytes() for file in bad]
        for file in bad:
            file.write_bytes(b"no sound")
        before = threading.active_count()
        with pytest.raises(AudioError, match=r"blues\.00003\.wav"):
            decode_tracks(corpus, RATE, num_proc=num_proc)
        assert threading.active_count() == before
        assert not list((tmp_path / "cache").rglob("cache-*.arrow")) or num_proc
        for file, content in zip(bad, kept, strict=True):
            file.write_bytes(content)
        assert len(decode_tracks(corpus, RATE)) == 12

    def test_memory_does_not_grow_with_the_number_of_clips(self, tmp_path):
        """Ten times as many clips, 38 MiB of them, in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PEAK_OF_MANY), str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        few, many = json.loads(done.stdout.splitlines()[-1])
        assert many - few < 16

    def test_a_data_set_in_memory_is_cached_too(self, corpus, monkeypatch, tmp_path):
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
        audio = datasets.Dataset.from_dict(
            {"audio": corpus["audio"][:2], "genre": [0, 1], "track_id": ["a", "b"]},
            features=datasets.Features(
                {
                    "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
                    "genre": datasets.ClassLabel(names=list(GENRES)),
                    "track_id": datasets.Value("string"),
                }
            ),
        )
        assert audio.cache_files == []
        first = decode_tracks(audio, RATE)
        assert Path(first.cache_files[0]["filename"]).parent == tmp_path / "mgc_hf"
        monkeypatch.setattr("mgc_hf.features.tracks.to_int16", refuse)
        assert decode_tracks(audio, RATE).cache_files == first.cache_files

    def test_a_wrong_data_set_is_refused(self, corpus, tracks):
        with pytest.raises(ValueError, match="no column audio"):
            decode_tracks(tracks, RATE)
        with pytest.raises(ValueError, match="no clips"):
            decode_tracks(corpus.select([]), RATE)
        with pytest.raises(ValueError, match="call decode_tracks first"):
            TrackReader(corpus)


class TestInt16:
    @pytest.mark.parametrize("peak", [0.3, 1.0])
    @pytest.mark.parametrize("steps", [False, True])
    def test_pieces_give_what_the_whole_gives(self, peak, steps):
        samples = (peak * np.random.default_rng(0).uniform(-1, 1, 100_000)).astype(np.float32)
        if steps:
            samples = np.rint(samples * 32767) / np.float32(32768)
        integers, scale = to_int16(samples)
        assert (scale == np.float32(1 / 32768)) == steps
        # the formula in one line, on whole arrays
        np.testing.assert_array_equal(integers, np.rint(samples / scale).astype(np.int16))
        in_pieces, same = to_int16(*np.split(samples, [7, 20_000, 90_001]))
        np.testing.assert_array_equal(in_pieces, integers)
        assert same == scale

    def test_one_sample_between_steps_is_enough(self):
        samples = np.zeros(50_000, np.float32)
        samples[-1] = 0.1
        assert to_int16(samples)[1] == np.float32(float(samples[-1]) / 32767)

    def test_steps_of_16_bits_are_exact(self):
        steps = np.array([-32768, -1, 0, 5, 32767], dtype=np.int16)
        integers, scale = to_int16(steps.astype(np.float32) / 32768)
        np.testing.assert_array_equal(integers, steps)
        assert scale == np.float32(1 / 32768)

    @pytest.mark.parametrize("peak", [1e-3, 0.3, 1.0, 1.7])
    def test_anything_else_uses_all_steps(self, peak):
        samples = np.random.default_rng(0).uniform(-1, 1, 5000).astype(np.float32)
        samples *= np.float32(peak / np.abs(samples).max())
        integers, scale = to_int16(samples)
        assert np.abs(integers).max() == 32767
        assert np.abs(integers * scale - samples).max() <= 0.51 * peak / 32767

    def test_full_scale_of_both_signs_is_kept(self):
        integers, scale = to_int16(np.array([1.0, -1.0], dtype=np.float32))
        np.testing.assert_allclose(integers * scale, [1.0, -1.0], rtol=1e-6)


class TestTrackReader:
    def test_selections_and_joins_read_the_right_tracks(self, tracks):
        whole = TrackReader(tracks)
        for chosen in ([5, 2, 11], range(3, 8)):
            reader = TrackReader(tracks.select(chosen))
            assert len(reader) == len(chosen)
            for row, original in enumerate(chosen):
                np.testing.assert_array_equal(reader.read(row), whole.read(original))
        joined = TrackReader(datasets.concatenate_datasets([tracks.select([4]), tracks.select(range(2, 4))]))
        for row, original in enumerate([4, 2, 3]):
            np.testing.assert_array_equal(joined.read(row), whole.read(original))

    def test_it_is_pickled_by_name_and_reads_views(self, tracks):
        reader = TrackReader(tracks)
        state = pickle.dumps(reader)
        assert len(state) < 5000 < reader.num_samples.sum()
        copy = pickle.loads(state)
        np.testing.assert_array_equal(copy.read(3), reader.read(3))
        view, _ = reader.integers(3)
        assert in_mapping(view, tracks.cache_files[0]["filename"])

    def test_tracks_of_two_rates_are_refused(self, corpus, tracks):
        with pytest.raises(ValueError, match="2 sampling rates"):
            TrackReader(datasets.concatenate_datasets([tracks, decode_tracks(corpus, RATE // 2)]))
