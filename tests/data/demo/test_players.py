"""The players: what the text patterns mean."""

import itertools
from random import Random

import pytest

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.melody import play_melody
from mgc_hf.data.demo.players import Bar, parse_pattern, play_bass, play_chords, play_drums
from mgc_hf.data.demo.spec import Bass, Comp, Drums, Lead
from mgc_hf.data.demo.theory import parse_progression


def form(progression: str, tonic: int = 0, meter: int = 4, repeats: int = 1) -> list[Bar]:
    bars = parse_progression(progression, tonic) * repeats
    return [
        Bar(
            start=float(index * meter),
            meter=meter,
            number=index,
            section="A",
            chords=chords,
            following=bars[(index + 1) % len(bars)][0],
            last=index == len(bars) - 1,
            minor=False,
        )
        for index, chords in enumerate(bars)
    ]


def test_grid_holds_and_rests():
    ((first, second, third),) = parse_pattern("x-.. x... ..X-", 4)[:1]
    assert first == (0.0, pytest.approx(2 / 3), "x")
    assert second.position == pytest.approx(4 / 3)
    assert third == (pytest.approx(10 / 3), pytest.approx(2 / 3), "X")
    assert len(parse_pattern("x... | ..x.", 4)) == 2
    assert parse_pattern("----x---", 4)[0][0].position == 2, "a hold without a note is a rest"


def test_steps_must_divide_the_bar():
    with pytest.raises(ValueError, match="5 steps in 'x....' do not divide into a bar of 4 beats"):
        parse_pattern("x....", 4)


def test_drums_hit_where_the_pattern_says():
    drums = Drums(({"kick": "X...X...X...X...", "hat": "..O...x."},), fills=0.0, crash=0.0)
    notes = play_drums(drums, form("I I"), Random(0))
    kicks = [note.start for note in notes if note.pitch == gm.DRUM_KEYS["kick"]]
    assert kicks == [0, 1, 2, 3, 4, 5, 6, 7]
    opened = [note for note in notes if note.pitch == gm.DRUM_KEYS["open"]]
    assert [(note.start, note.length) for note in opened] == [(1.0, 2.0), (5.0, 2.0)], "open until the next hit"


def test_fills_end_a_section():
    drums = Drums(({"kick": "x..............."},), fills=1.0, crash=0.0)
    notes = play_drums(drums, form("I I I I"), Random(1))
    fill = [note for note in notes if note.pitch != gm.DRUM_KEYS["kick"]]
    assert fill
    assert min(note.start for note in fill) >= 14
    assert fill[-1].velocity > fill[0].velocity


def test_chance_hits_are_some_of_them():
    drums = Drums(({"snare": "????????????????"},), fills=0.0, crash=0.0)
    count = len(play_drums(drums, form("I I I I I I I I"), Random(0)))
    assert 40 < count < 90


def test_bass_degrees_follow_the_chord():
    notes = play_bass(Bass((gm.FINGER_BASS,), ("1.3.5.8.",), low=36), form("I vi"), Random(0))
    assert [note.pitch for note in notes] == [36, 40, 43, 48, 45, 48, 52, 57]


def test_bass_leads_into_the_next_root():
    notes = play_bass(Bass((gm.FINGER_BASS,), ("1-d-1-a-",), low=36), form("I IV"), Random(0))
    assert [note.pitch for note in notes[:4]] == [36, 31, 36, 40], "a semitone below F"


def test_walking_bass_reaches_each_root_by_a_near_neighbour():
    bars = form("ii7 V7 Imaj7 VI7", repeats=6)
    notes = play_bass(Bass((gm.ACOUSTIC_BASS,), ("w.w.w.w.",), low=29), bars, Random(2))
    assert len(notes) == 4 * len(bars)
    for index, bar in enumerate(bars):
        assert notes[4 * index].pitch % 12 == bar.chords[0].root
    approaches = [abs(notes[i].pitch - notes[i - 1].pitch) % 12 for i in range(4, len(notes), 4)]
    assert set(approaches) <= {1, 2, 10, 11}
    assert all(28 <= note.pitch <= 53 for note in notes)


def test_chords_arpeggios_strums_and_damping():
    bars = form("I")
    (chord,) = {tuple(n.pitch for n in play_chords(Comp((0,), ("X...",), low=60), bars, Random(0)))}
    assert {pitch % 12 for pitch in chord} == {0, 4, 7}
    broken = play_chords(Comp((0,), ("0213",), "arpeggio", 60), bars, Random(0))
    assert [note.pitch for note in broken] == [60, 67, 64, 72], "past the top an octave higher"
    boom_chick = play_chords(Comp((0,), ("b.f.",), "close", 60), bars, Random(0))
    assert [note.pitch % 12 for note in boom_chick] == [0, 7]
    assert boom_chick[1].pitch == boom_chick[0].pitch - 5
    down, up = (play_chords(Comp((25,), (p,), "guitar", 43), bars, Random(0)) for p in ("D...", "U..."))
    assert [note.pitch for note in down] == sorted(note.pitch for note in down)
    assert [note.start for note in down] == sorted({note.start for note in down})
    assert [note.pitch for note in up] == sorted((note.pitch for note in up), reverse=True)
    damped, ringing = (play_chords(Comp((30,), (p,), "power", 40), bars, Random(0)) for p in ("m...", "x..."))
    assert (len(damped), len(ringing)) == (2, 3)
    assert damped[0].length < 0.6 * ringing[0].length
    boogie = play_chords(Comp((27,), ("s...",), "power", 40), bars, Random(0))
    assert boogie[1].pitch - boogie[0].pitch == 9


@pytest.mark.parametrize("player", [Bass((33,), ("q...",)), Comp((0,), ("q...",))])
def test_unknown_symbols_are_refused(player):
    play = play_bass if isinstance(player, Bass) else play_chords
    with pytest.raises(ValueError, match="unknown symbol 'q'"):
        play(player, form("I"), Random(0))


def test_melody_stays_in_range_and_on_chord_tones_where_strong():
    lead = Lead((0,), ("x-x-x-x-",), ("major",), low=60, high=79, rest=0.0, leap=0.3, presence=1.0)
    bars = form("I vi ii V7", repeats=8)
    notes = play_melody(lead, bars, 0, Random(0))
    assert len(notes) == 4 * len(bars)
    for index, note in enumerate(notes):
        assert 60 <= note.pitch <= 79
        if index % 2 == 0:
            assert note.pitch % 12 in bars[index // 4].chords[0].pitch_classes
    assert len({note.pitch for note in notes}) > 6


def test_motifs_return():
    rhythms = tuple("".join(c) for c in ("x.......", "xx......", "xxx.....", "xxxx....", "xxxxx...", "xxxxxx.."))
    bars = form("I", repeats=64)

    def same_rhythm(repeat: float) -> float:
        lead = Lead((0,), rhythms, rest=0.0, repeat=repeat, presence=1.0)
        counts = [0] * 64
        for note in play_melody(lead, bars, 0, Random(5)):
            counts[int(note.start // 4)] += 1
        pairs = list(zip(counts[::2], counts[1::2], strict=True))
        return sum(a == b for a, b in itertools.pairwise(pairs)) / (len(pairs) - 1)

    assert same_rhythm(0.95) > same_rhythm(0.0) + 0.4
