"""Composition: every style is well formed, and each genre does what its players are known for."""

import itertools
from hashlib import sha256
from random import Random

import pytest

from mgc_hf.data.demo import DEMO_VERSION, gm
from mgc_hf.data.demo.compose import Clock, compose, lay_out
from mgc_hf.data.demo.players import parse_pattern
from mgc_hf.data.demo.score import Piece
from mgc_hf.data.demo.spec import Bass, Comp, Variant
from mgc_hf.data.demo.styles import STYLES
from mgc_hf.data.demo.theory import SCALES, parse_progression
from mgc_hf.labels import GTZAN_GENRES

VARIANTS = [(genre, variant) for genre, variants in STYLES.items() for variant in variants]


def pieces(genre: str, count: int = 12, seconds: float = 20.0) -> list[Piece]:
    return [compose(genre, Random(f"{genre} {index}"), seconds) for index in range(count)]


def of(piece: Piece, role: str) -> list:
    return [part for part in piece.parts if part.role == role]


def of_variant(genre: str, name: str, count: int = 4) -> list[Piece]:
    found = (compose(genre, Random(f"{name} {index}"), 20.0) for index in range(400))
    return [piece for _, piece in zip(range(count), (p for p in found if p.variant == name), strict=False)]


def beats(piece: Piece, part, key: int) -> list[float]:
    """Onsets of a drum in beats, from the first one on."""
    onsets = [note.start * piece.tempo / 60 for note in part.notes if note.pitch == key]
    return [onset - onsets[0] for onset in onsets]


def test_genres_are_gtzan_s():
    assert tuple(STYLES) == GTZAN_GENRES
    assert len(VARIANTS) >= 35
    assert len({(genre, variant.name) for genre, variant in VARIANTS}) == len(VARIANTS)


@pytest.mark.parametrize(("genre", "variant"), VARIANTS, ids=[f"{g}-{v.name}" for g, v in VARIANTS])
def test_every_declaration_is_well_formed(genre, variant):
    low, high = variant.tempo
    assert 40 <= low < high <= 220
    assert 0.5 <= variant.swing[0] <= variant.swing[1] < 0.7
    for progression in variant.progressions:
        assert parse_progression(progression, 0)
    for groove in variant.drums.grooves if variant.drums else ():
        assert set(groove) <= set(gm.DRUM_KEYS)
        for line in groove.values():
            for option in line.split("/"):
                for bar in parse_pattern(option.strip(), variant.meter):
                    assert {step.symbol for step in bar} <= set("XxogO?!")
    for player in variant.parts:
        for pattern in player.patterns if isinstance(player, Bass | Comp) else player.rhythms:
            parse_pattern(pattern, variant.meter)
        if isinstance(player, Bass | Comp):
            continue
        assert set(player.scales) <= set(SCALES)
        assert player.low + 12 < player.high
    # something always sounds: one player is there in every section
    assert any(player.presence == 1.0 for player in variant.parts)
    for seed in range(3):
        bars = lay_out(variant, 0, 24, Random(seed))
        assert [bar.start for bar in bars] == [index * variant.meter for index in range(24)]


def test_every_variant_is_drawn():
    for genre, variants in STYLES.items():
        names = {compose(genre, Random(index), 1.0).variant for index in range(150)}
        assert names == {variant.name for variant in variants}


def test_composition_is_pinned():
    # Where this changes, clips change: raise DEMO_VERSION, then write down the new sum.
    notes = [
        (genre, part.role, part.program, round(note.start, 3), note.pitch, round(note.velocity, 3))
        for genre in GTZAN_GENRES
        for part in compose(genre, Random(f"pinned {genre}"), 10.0).parts
        for note in part.notes
    ]
    assert len(notes) > 2000
    assert (DEMO_VERSION, sha256(repr(notes).encode()).hexdigest()[:16]) == (3, "fa3f91d0bb8da903")


@pytest.mark.parametrize("genre", GTZAN_GENRES)
def test_notes_lie_in_the_excerpt(genre):
    for piece in pieces(genre, 6):
        assert piece.parts
        for part in piece.parts:
            assert part.notes
            for note in part.notes:
                assert note.start < piece.seconds
                assert note.start + note.length > 0
                assert 0 < note.velocity < 2
                assert 0 <= note.pitch < 128


def test_tempo_and_key_vary():
    found = pieces("rock", 40, 5.0)
    assert len({piece.tonic for piece in found}) >= 4
    assert max(piece.tempo for piece in found) > 1.3 * min(piece.tempo for piece in found)
    assert len({part.program for piece in found for part in of(piece, "lead")}) >= 3


def test_genres_share_instruments_and_tempi():
    programs = {g: {p for v in vs for player in v.parts for p in player.programs} for g, vs in STYLES.items()}
    for genre, own in programs.items():
        others = set().union(*(programs[other] for other in programs if other != genre))
        assert len(own & others) >= len(own) / 2, f"{genre}: {own - others}"
        tempi = [variant.tempo for variant in STYLES[genre]]
        shared = [
            other
            for other, variants in STYLES.items()
            if other != genre
            and any(lo < high and low < hi for v in variants for lo, hi in [v.tempo] for low, high in tempi)
        ]
        assert len(shared) == 9


def test_classical_has_no_drum_kit():
    assert not [part for piece in pieces("classical", 30, 5.0) for part in of(piece, "drums")]


def test_disco_is_four_on_the_floor():
    for piece in pieces("disco"):
        (drums,) = of(piece, "drums")
        kicks = beats(piece, drums, gm.DRUM_KEYS["kick"])
        steps = [b - a for a, b in itertools.pairwise(kicks)]
        # all but the beats of a fill
        assert sum(abs(step - 1) < 0.1 for step in steps) > 0.85 * len(steps)


def test_reggae_keeps_the_first_beat_free_and_plays_chords_off_the_beat():
    found = of_variant("reggae", "roots")
    assert len(found) == 4
    for piece in found:
        skank = of(piece, "comp")[0]
        (drums,) = of(piece, "drums")
        kicks = [note.start for note in drums.notes if note.pitch == gm.DRUM_KEYS["kick"]]
        beat = 60 / piece.tempo
        phases = [((note.start - kicks[0]) / beat) % 1 for note in skank.notes]
        assert sum(0.3 < phase < 0.85 for phase in phases) > 0.95 * len(phases)


def test_metal_has_more_kicks_than_rock():
    def kicks(genre: str) -> float:
        found = pieces(genre, 16)
        hits = sum(
            note.pitch == gm.DRUM_KEYS["kick"] for piece in found for part in of(piece, "drums") for note in part.notes
        )
        return hits / sum(piece.seconds for piece in found)

    assert kicks("metal") > 1.8 * kicks("rock")


def test_jazz_swings_and_rock_does_not():
    def offbeat(genre: str, name: str) -> float:
        variant = next(variant for variant in STYLES[genre] if variant.name == name)
        clock = Clock(120.0, variant, Random(0))
        return (clock.seconds(10.5) - clock.seconds(10.0)) / 0.5

    assert 0.57 < offbeat("jazz", "swing") < 0.69
    assert offbeat("rock", "band") == pytest.approx(0.5)


def test_blues_has_twelve_bars():
    (variant,) = (variant for variant in STYLES["blues"] if variant.name == "shuffle")
    roots = [bar.chords[0].root for bar in lay_out(variant, 9, 12, Random(0))]
    assert roots[:1] + roots[4:6] + roots[6:9] == [9, 2, 2, 9, 9, 4], "A, D D, A A E"


def test_rubato_moves_the_beat_but_not_the_end():
    variant = Variant("free", (60, 61), ("I",), (), rubato=0.1)
    clock = Clock(60.0, variant, Random(3))
    lengths = [clock.seconds(beat + 1) - clock.seconds(beat) for beat in range(16)]
    assert max(lengths) > 1.04 * min(lengths)
    assert sum(lengths) == pytest.approx(16.0)
    assert min(lengths) > 0.85
