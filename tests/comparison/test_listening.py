"""The errors to listen to: which tracks, in which order, what is known of them, and their sound."""

import base64
import dataclasses
from io import BytesIO

import numpy as np
import pytest
import soundfile
from PIL import Image

from mgc_hf.comparison import listening
from mgc_hf.comparison.listening import (
    SAMPLING_RATE,
    Sound,
    Sounds,
    chosen_runs,
    known_faults,
    open_sounds,
    player,
    wrong_tracks,
)
from mgc_hf.comparison.material import Material
from mgc_hf.data.facts import gtzan_faults
from mgc_hf.errors import SourceError
from mgc_hf.predictions import Predictions
from tests.comparison.small_runs import HUBERT, LSTM, entry, small_material


def predictions(says, segments=2):
    """Return predictions from track -> (true genre, probability of blues in each segment); the other genre is hiphop."""
    rows = [(track, n, label, p) for track, (label, ps) in says.items() for n, p in enumerate(ps)]
    tracks, numbers, labels, blues = zip(*rows, strict=True)
    chances = np.stack([blues, 1 - np.array(blues)], axis=1)
    return Predictions(
        tracks,
        np.array(numbers),
        np.array(numbers) * 3.0,
        np.full(len(rows), "test"),
        np.array(labels),
        np.log(chances),
        ("blues", "hiphop"),
    )


SAYS = {
    "blues.00000": (0, (0.9, 0.8)),
    "blues.00001": (0, (0.7, 0.1)),
    "hiphop.00001": (1, (0.8, 0.9)),
    "hiphop.00007": (1, (0.6, 0.3)),
}


def decoded(uri, kind):
    head, _, content = uri.partition(",")
    assert head == f"data:{kind};base64"
    return BytesIO(base64.b64decode(content, validate=True))


def test_the_tracks_that_most_have_wrong_come_first_then_the_surest_errors():
    first = entry(LSTM, predictions=predictions(SAYS))
    better = {**SAYS, "hiphop.00001": (1, (0.1, 0.2)), "blues.00001": (0, (0.4, 0.4))}
    second = entry(HUBERT, predictions=predictions(better))
    tracks = wrong_tracks([first, second])
    assert [track.track_id for track in tracks] == ["blues.00001", "hiphop.00001"]
    worst, surest = tracks
    assert [one.is_right for one in worst.heard] == [False, False]
    assert [one.is_right for one in surest.heard] == [False, True]
    assert surest.genre == "hiphop"
    assert surest.wrong[0].mean == pytest.approx([0.85, 0.15])
    assert worst.heard[0].worst_seconds == 3.0 + first.result.data.segment_seconds / 2
    assert worst.seconds == 3.0 + first.result.data.segment_seconds
    assert wrong_tracks([entry(LSTM, predictions=predictions({"blues.00000": (0, (0.9, 0.9))}))]) == []


def test_segments_are_in_the_order_of_time_whatever_their_order_in_the_file():
    whole = predictions(SAYS)
    order = np.random.default_rng(0).permutation(len(whole))
    shuffled = Predictions(
        *(getattr(whole, name)[order] for name in ("track_id", "segment", "start_s", "part", "label", "logits")),
        whole.genres,
    )
    for one, other in zip(
        wrong_tracks([entry(predictions=whole)]), wrong_tracks([entry(predictions=shuffled)]), strict=True
    ):
        assert one.track_id == other.track_id
        assert (one.heard[0].probabilities == other.heard[0].probabilities).all()


def test_runs_of_one_protocol_are_chosen_one_a_system():
    material = small_material()
    assert [(run.system, run.protocol, run.seed) for run in chosen_runs(material)] == [
        (LSTM, "track", 0),
        (HUBERT, "track", 0),
    ]
    assert [run.protocol for run in chosen_runs(Material(material.of(LSTM)))] == ["track"]
    assert chosen_runs(Material(material.of(protocol="segment"))) == []  # no track is right or wrong as a whole
    assert chosen_runs(Material([])) == []


def test_the_floor_beside_a_run_is_heard_too():
    said = predictions({**SAYS, "blues.00000": (0, (0.1, 0.1))})
    run = dataclasses.replace(entry(LSTM, predictions=predictions(SAYS)), floor=said)
    one, floor = chosen_runs(Material([run]))
    assert one is run
    assert floor.system.is_floor
    assert "blues.00000" in {track.track_id for track in wrong_tracks([one, floor]) if track.heard[0].is_right}
    alone = dataclasses.replace(run, system=floor.system)
    assert chosen_runs(Material([alone])) == [alone]


def test_faults_and_players_are_gtzans_alone():
    said = predictions({"hiphop.00001": (1, (0.9, 0.9)), "hiphop.00007": (1, (0.9, 0.9))})
    repeat, sound = wrong_tracks([entry(predictions=said)])
    assert player(repeat) == "Wu-Tang Clan"
    assert any("hiphop.00042" in fault for fault in known_faults(repeat))
    assert "Left out of the fault-filtered split (Kereliuk, Sturm and Larsen, 2015)." in known_faults(repeat)
    assert known_faults(sound) == []
    assert {one.kind for faults in gtzan_faults().values() for one in faults} == set(listening._FAULTS)
    for others in (
        wrong_tracks([entry(predictions=said, is_demo=True)]),
        wrong_tracks([entry(predictions=predictions({"mine/hiphop.00001": (1, (0.9, 0.9))}))]),
    ):
        assert known_faults(others[0]) == []
        assert player(others[0]) is None


def test_a_track_is_found_by_name_and_genre(tmp_path, cache_dir, monkeypatch):
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * SAMPLING_RATE) / SAMPLING_RATE)
    for name in ("hiphop/hiphop.00001.wav", "blues/blues.00001.wav", "blues/hiphop.00007.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, wave, SAMPLING_RATE)
    monkeypatch.setattr(listening, "load_gtzan", lambda source: load(source, cache_dir=cache_dir))
    from mgc_hf.data.sources import load_gtzan as load

    sounds = Sounds(tmp_path)
    tracks = {t.track_id: t for t in wrong_tracks([entry(predictions=predictions(SAYS))])}
    found = sounds.find(tracks["hiphop.00001"])
    assert found.path == tmp_path / "hiphop/hiphop.00001.wav"
    assert len(found.samples) == 2 * SAMPLING_RATE
    (tmp_path / "blues/blues.00001.wav").write_bytes(b"no audio")
    assert sounds.find(tracks["blues.00001"]) is None
    says = {"hiphop.00007": (1, (0.9, 0.9)), "hiphop.00099": (1, (0.9, 0.9))}
    for track in wrong_tracks([entry(predictions=predictions(says))]):
        assert sounds.find(track) is None  # of another genre here, or not here at all
    with pytest.raises(SourceError, match="--audio"):
        open_sounds(tmp_path / "nowhere")
    assert open_sounds(None) is None


def test_an_excerpt_is_five_seconds_around_its_middle():
    times = np.arange(8 * SAMPLING_RATE) / SAMPLING_RATE
    sound = Sound((0.5 * np.sin(2 * np.pi * np.where(times < 3, 300, 900) * times)).astype(np.float32), None)
    for middle, begin in ((4.0, 1.5), (0.2, 0.0), (7.9, 3.0)):
        uri, start = sound.excerpt(middle)
        assert start == pytest.approx(begin, abs=1e-3)
        samples, rate = soundfile.read(decoded(uri, "audio/mpeg"))
        assert len(samples) / rate == pytest.approx(5.0, abs=0.15)
        late = samples[-rate // 2 : -rate // 10]
        assert abs(np.fft.rfft(late)).argmax() * rate / len(late) == pytest.approx(900, abs=10)
    assert len(uri) < 60_000


def test_a_spectrogram_shows_time_to_the_right_and_low_below():
    times = np.arange(2 * SAMPLING_RATE) / SAMPLING_RATE
    low_then_high = np.where(times < 1, np.sin(2 * np.pi * 200 * times), np.sin(2 * np.pi * 5000 * times))
    image = Image.open(decoded(Sound(low_then_high.astype(np.float32), None).spectrogram(2.0), "image/png"))
    shades = np.asarray(image)
    assert shades.shape[0] <= listening.ROWS
    assert shades.shape[1] <= listening.COLUMNS
    quarter = shades.shape[1] // 4
    assert shades[:, quarter].argmax() > shades[:, 3 * quarter].argmax()
    longer = Image.open(decoded(Sound(low_then_high.astype(np.float32), None).spectrogram(4.0), "image/png"))
    assert np.asarray(longer)[:, -10:].max() == 0  # what the segments reach beyond the file is silent
