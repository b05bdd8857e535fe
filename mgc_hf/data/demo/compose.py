"""Composition: from a genre's declarations and a source of chance to the notes of one excerpt, in seconds."""

from __future__ import annotations

import math
from random import Random

from mgc_hf.data.demo.melody import play_melody
from mgc_hf.data.demo.players import Bar, play_bass, play_chords, play_drums
from mgc_hf.data.demo.score import Note, Part, Piece
from mgc_hf.data.demo.spec import Bass, Comp, Lead, Variant
from mgc_hf.data.demo.styles import STYLES
from mgc_hf.data.demo.theory import Chord, Progression, parse_progression

# An excerpt starts anywhere in the first bars, as a clip cut from a record does.
_LEAD_IN_BARS = 16
# Forms of the sections; the B section has other chords and other choices of the players.
_FORMS = ("AABA", "ABAB", "AABB", "BABA", "ABBA")
_LEVEL_SPREAD_DB = 1.5


class Clock:
    """Turns beats into seconds: tempo, swing, and for rubato a tempo that sways once in `period` beats.

    Args:
        tempo (`float`): Beats per minute.
        variant ([`spec.Variant`]): Gives swing and rubato.
        rng (`Random`): Source of all chance.
    """

    def __init__(self, tempo: float, variant: Variant, rng: Random) -> None:
        self.beat_s = 60.0 / tempo
        self.swing = rng.uniform(*variant.swing)
        self.unit = variant.swing_unit
        self.rubato = variant.rubato * rng.uniform(0.5, 1.0)
        self.period = 4.0 * variant.meter
        self.phase = rng.uniform(0.0, 2.0 * math.pi)

    def seconds(self, beat: float) -> float:
        """Time of a beat (may be fractional) from the beginning."""
        pair, place = divmod(beat / self.unit, 1.0)
        place = place * 2 * self.swing if place < 0.5 else self.swing + (place - 0.5) * 2 * (1 - self.swing)
        beat = (pair + place) * self.unit
        turn = 2.0 * math.pi / self.period
        # The integral of 1 + rubato * sin(turn * beat + phase).
        sway = self.rubato / turn * (math.cos(self.phase) - math.cos(turn * beat + self.phase))
        return (beat + sway) * self.beat_s


def compose(genre: str, rng: Random, seconds: float) -> Piece:
    """Compose and perform an excerpt.

    Args:
        genre (`str`): One of the ten genres.
        rng (`Random`): Source of all chance; the same state gives the same piece.
        seconds (`float`): Length of the excerpt.

    Returns:
        [`score.Piece`]: Notes in seconds from the excerpt's start.
    """
    variants = STYLES[genre]
    variant = rng.choices(variants, [v.weight for v in variants])[0]
    low, high = variant.tempo
    tempo = low * (high / low) ** rng.random()
    tonic = rng.choice(variant.keys)
    clock = Clock(tempo, variant, rng)
    offset = rng.uniform(0.0, _LEAD_IN_BARS * variant.meter)
    # Rubato can hold the clock back by less than a bar; two more cover it.
    count = math.ceil((offset + seconds * tempo / 60.0) / variant.meter) + 2
    bars = lay_out(variant, tonic, count, rng)
    performer = _Performer(variant, clock, clock.seconds(offset), seconds, rng)
    parts = []
    if variant.drums is not None and rng.random() < variant.drums.presence:
        hits = performer.perform(play_drums(variant.drums, bars, rng))
        parts.append(Part("drums", rng.choice(variant.drums.kits), hits, _level(variant.drums.level + 4.0, rng)))
    for player in variant.parts:
        parts.append(_play(player, bars, tonic, performer, rng))
    return Piece(genre, variant.name, tempo, tonic, seconds, tuple(part for part in parts if part.notes))


def lay_out(variant: Variant, tonic: int, count: int, rng: Random) -> list[Bar]:
    """Lay out the form: sections of whole progressions, with two kinds of section in one of the usual orders."""
    progressions = {kind: parse_progression(rng.choice(variant.progressions), tonic) for kind in "AB"}
    form = rng.choice(_FORMS)
    plan: list[tuple[str, int, int, tuple[Chord, ...]]] = []
    section = 0
    while len(plan) <= count:
        kind = form[section % len(form)]
        cycle = progressions[kind]
        length = len(cycle) * max(1, math.ceil(variant.section / len(cycle)))
        plan += [(kind, number, length, cycle[number % len(cycle)]) for number in range(length)]
        section += 1
    minor = {kind: _is_minor(cycle, tonic) for kind, cycle in progressions.items()}
    return [
        Bar(
            start=index * variant.meter,
            meter=variant.meter,
            number=number,
            section=kind,
            chords=chords,
            following=plan[index + 1][3][0],
            last=number == length - 1,
            minor=minor[kind],
        )
        for index, (kind, number, length, chords) in enumerate(plan[:count])
    ]


def _is_minor(progression: Progression, tonic: int) -> bool:
    """Whether the tonic's chord has a minor third."""
    return any(chord.root == tonic and 3 in chord.tones for bar in progression for chord in bar)


def _play(player: Bass | Comp | Lead, bars: list[Bar], tonic: int, performer: _Performer, rng: Random) -> Part:
    program = rng.choice(player.programs)
    level = _level(player.level, rng)
    if isinstance(player, Bass):
        return Part("bass", program, performer.perform(play_bass(player, bars, rng)), level)
    if isinstance(player, Comp):
        return Part("comp", program, performer.perform(play_chords(player, bars, rng)), level)
    notes = performer.perform(play_melody(player, bars, tonic, rng))
    return Part("lead", program, notes, level, expressive=player.expressive)


def _level(level: float, rng: Random) -> float:
    return level + max(-2.0, min(2.0, rng.gauss(0.0, 1.0))) * _LEVEL_SPREAD_DB


class _Performer:
    """Turns written notes into played ones: seconds, small errors of time, swelling phrases; cuts the excerpt."""

    def __init__(self, variant: Variant, clock: Clock, begin_s: float, seconds: float, rng: Random) -> None:
        self.variant, self.clock, self.rng = variant, clock, rng
        self.begin_s, self.seconds = begin_s, seconds
        self.phase = rng.uniform(0.0, 2.0 * math.pi)

    def perform(self, notes: list[Note]) -> tuple[Note, ...]:
        played = []
        for note in sorted(notes):
            error = max(-3.0, min(3.0, self.rng.gauss(0.0, 1.0))) * self.variant.loose
            start = self.clock.seconds(note.start) - self.begin_s + error
            end = self.clock.seconds(note.start + note.length) - self.begin_s + error
            if end <= 0.0 or start >= self.seconds:
                continue
            swell = math.sin(math.pi * note.start / (4 * self.variant.meter) + self.phase)
            velocity = note.velocity * 10 ** (self.variant.dynamics * swell / 20)
            played.append(Note(start, max(end - start, 0.02), note.pitch, velocity))
        return tuple(played)
