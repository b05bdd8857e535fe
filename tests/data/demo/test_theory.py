"""Harmony: chords from numerals, ladders for melodies, layouts."""

import pytest

from mgc_hf.data.demo.theory import SCALES, Chord, ladder, lowest, parse_chord, parse_progression, scale_of, voice

C, G = 0, 7


@pytest.mark.parametrize(
    ("numeral", "tonic", "root", "tones"),
    [
        ("I", C, 0, (0, 4, 7)),
        ("vi", C, 9, (0, 3, 7)),
        ("bVII", C, 10, (0, 4, 7)),
        ("V7", C, 7, (0, 4, 7, 10)),
        ("ii7", G, 9, (0, 3, 7, 10)),
        ("viio", C, 11, (0, 3, 6)),
        ("#ivo7", C, 6, (0, 3, 6, 9)),
        ("IVmaj7", G, 0, (0, 4, 7, 11)),
        ("i5", C, 0, (0, 7)),
    ],
)
def test_numerals(numeral, tonic, root, tones):
    assert parse_chord(numeral, tonic) == Chord(root, tones)


@pytest.mark.parametrize("numeral", ["", "H", "iVi", "I8", "bb", "viii"])
def test_unknown_numerals_are_refused(numeral):
    with pytest.raises(ValueError, match="unknown chord"):
        parse_chord(numeral, C)


def test_bars_and_chords_of_a_progression():
    bars = parse_progression("ii7,V7 I", C)
    assert [[chord.root for chord in bar] for bar in bars] == [[2, 7], [0]]


def test_lowest():
    assert [lowest(pitch_class, 40) for pitch_class in (4, 5, 3)] == [40, 41, 51]


def test_ladder_of_a_diatonic_chord_is_the_scale():
    rungs = ladder(parse_chord("I", C), SCALES["major"], C, 60, 72)
    assert rungs == [60, 62, 64, 65, 67, 69, 71, 72]


def test_ladder_gives_way_to_borrowed_tones():
    rungs = {pitch % 12 for pitch in ladder(parse_chord("VI7", C), SCALES["major"], C, 60, 72)}
    assert 1 in rungs, "the third of A7 is C sharp"
    assert not {0, 2} & rungs, "C and D rub against it"


def test_scales_follow_the_mode():
    assert scale_of("major", True) == SCALES["minor"]
    assert scale_of("harmonic minor", False) == SCALES["major"]
    assert scale_of("blues", False) == scale_of("blues", True) == SCALES["blues"]


@pytest.mark.parametrize("layout", ["close", "shell", "power", "guitar", "arpeggio"])
@pytest.mark.parametrize("numeral", ["I", "V7", "iih7", "Imaj9", "i5", "Vsus4"])
def test_layouts_hold_only_chord_tones_near_their_place(layout, numeral):
    chord = parse_chord(numeral, G)
    pitches = voice(chord, layout, 50)
    assert list(pitches) == sorted(set(pitches))
    # A power chord has its fifth whatever the chord; shells of plain ninths may add one.
    extra = {(chord.root + 7) % 12} if layout == "power" else {(chord.root + 2) % 12} if layout == "shell" else set()
    assert {pitch % 12 for pitch in pitches} <= chord.pitch_classes | extra
    assert pitches[0] >= 43
    assert pitches[-1] < 50 + 12 + 24


def test_shell_leaves_root_and_fifth_to_the_bass():
    assert {pitch % 12 for pitch in voice(parse_chord("V9", C), "shell", 55)} == {11, 5, 9}


def test_close_chords_move_little():
    chords = [parse_chord(numeral, C) for numeral in ("I", "V", "vi", "IV")]
    centres = [sum(voice(chord, "close", 55)) / 3 for chord in chords]
    assert max(centres) - min(centres) <= 4


def test_unknown_layout():
    with pytest.raises(ValueError, match="unknown layout 'wide'"):
        voice(parse_chord("I", C), "wide", 50)
