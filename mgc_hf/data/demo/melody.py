"""Melodies: motifs of two bars that return over the changing chords."""

from bisect import bisect_left
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from mgc_hf.data.demo.players import Bar, Choices, steps_of
from mgc_hf.data.demo.score import Note
from mgc_hf.data.demo.spec import Lead
from mgc_hf.data.demo.theory import Chord, ladder, scale_of

_STEPS = (-2, -1, -1, -1, 0, 1, 1, 1, 2)
_LEAPS = (-5, -4, -3, 3, 4, 5)


class Motif(NamedTuple):
    """Rhythm (a pattern for each bar, `None` for a free one) and moves along the scale (one a note) of two bars."""

    rhythms: tuple[str | None, str | None]
    moves: tuple[int, ...]


def play_melody(lead: Lead, bars: Sequence[Bar], tonic: int, rng: Random) -> list[Note]:
    """Improvise a melody that takes up its own motifs.

    Each pair of bars has a motif: a rhythm and moves along the ladder of chord and scale tones. It is new or (with the
    chance `lead.repeat`) the one before or the first one of this kind of section, its end varied; so it is recognised
    while it follows the chords. Notes on strong beats fall on chord tones.

    Args:
        lead ([`spec.Lead`]): The declaration.
        bars (`Sequence[Bar]`): The form.
        tonic (`int`): Pitch class of the key.
        rng (`Random`): Source of all chance.

    Returns:
        `list[Note]`: Times in beats.
    """
    name = rng.choice(lead.scales)
    choices = Choices(rng)
    first: dict[str, Motif] = {}
    notes: list[Note] = []
    motif: Motif | None = None
    pitch = rng.randint(lead.low + (lead.high - lead.low) // 3, lead.high - (lead.high - lead.low) // 3)
    for bar in bars:
        if not choices.plays(bar.section, lead.presence):
            continue
        if bar.number % 2 == 0 or motif is None:
            motif = _next_motif(lead, first.get(bar.section), motif, rng)
            first.setdefault(bar.section, motif)
            moves = iter(motif.moves)
        rhythm = motif.rhythms[bar.number % 2]
        if rhythm is None:
            continue
        scale = scale_of(name, bar.minor)
        for step in steps_of(rhythm, bar):
            chord = bar.chord(step.position)
            strong = step.position in (0, bar.meter / 2) or step.length >= 1.5
            pitch = _move(pitch, next(moves, 0), chord, strong, scale, tonic, lead)
            velocity = rng.uniform(0.72, 0.9) + (0.1 if strong else 0.0)
            notes.append(Note(bar.start + step.position, step.length * lead.gate, pitch, velocity))
    return notes


def _next_motif(lead: Lead, first: Motif | None, previous: Motif | None, rng: Random) -> Motif:
    """A new motif, or an old one whose last third of moves is drawn again."""
    old = rng.choice([motif for motif in (first, previous) if motif is not None] or [None])
    if old is not None and rng.random() < lead.repeat:
        kept = len(old.moves) * 2 // 3
        return Motif(old.rhythms, old.moves[:kept] + _moves(len(old.moves) - kept, lead.leap, rng))
    opening = rng.choice(lead.rhythms)
    answer = None if rng.random() < lead.rest else rng.choice(lead.rhythms)
    return Motif((opening, answer), _moves(24, lead.leap, rng))


def _moves(count: int, leap: float, rng: Random) -> tuple[int, ...]:
    return tuple(rng.choice(_LEAPS if rng.random() < leap else _STEPS) for _ in range(count))


def _move(pitch: int, move: int, chord: Chord, strong: bool, scale: tuple[int, ...], tonic: int, lead: Lead) -> int:
    """Go `move` rungs along the ladder, turning back at the ends of the range; then to a chord tone if `strong`."""
    rungs = ladder(chord, scale, tonic, lead.low, lead.high)
    index = min(bisect_left(rungs, pitch), len(rungs) - 1) + move
    if not 0 <= index < len(rungs):
        index = min(max(index - 2 * move, 0), len(rungs) - 1)
    if not strong:
        return rungs[index]
    chordal = [rung for rung in rungs if rung % 12 in chord.pitch_classes]
    return min(chordal, key=lambda rung: (abs(rung - rungs[index]), rung))
