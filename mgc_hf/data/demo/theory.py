"""Harmony: scales, chords from Roman numerals, and ways to lay a chord out on an instrument."""

import re
from dataclasses import dataclass
from functools import lru_cache

#: Semitones above the tonic.
SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "major blues": (0, 2, 3, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
}

# The counterpart of a scale in the other mode. Blues and minor pentatonic are at home over major chords too.
_MINOR_FOR = {
    "major": "minor",
    "mixolydian": "dorian",
    "major pentatonic": "minor pentatonic",
    "major blues": "blues",
}
_MAJOR_FOR = {"minor": "major", "harmonic minor": "major", "dorian": "mixolydian", "phrygian": "mixolydian"}

_DEGREES = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}
_ROMAN = re.compile(r"(?P<accidental>[b#]?)(?P<numeral>[iv]+|[IV]+)(?P<suffix>.*)")

#: Chord tones, in semitones above the root; the first column is for capital numerals, the second for small ones.
_QUALITIES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "": ((0, 4, 7), (0, 3, 7)),
    "5": ((0, 7), (0, 7)),
    "6": ((0, 4, 7, 9), (0, 3, 7, 9)),
    "7": ((0, 4, 7, 10), (0, 3, 7, 10)),
    "9": ((0, 4, 7, 10, 14), (0, 3, 7, 10, 14)),
    "maj7": ((0, 4, 7, 11), (0, 3, 7, 11)),
    "maj9": ((0, 4, 7, 11, 14), (0, 3, 7, 11, 14)),
    "add9": ((0, 4, 7, 14), (0, 3, 7, 14)),
    "sus4": ((0, 5, 7), (0, 5, 7)),
    "o": ((0, 3, 6), (0, 3, 6)),
    "o7": ((0, 3, 6, 9), (0, 3, 6, 9)),
    "h7": ((0, 3, 6, 10), (0, 3, 6, 10)),
}


@dataclass(frozen=True)
class Chord:
    """A chord in a key.

    Args:
        root (`int`): Pitch class of the root, 0 for C.
        tones (`tuple[int, ...]`): Semitones above the root, the root (0) first.
    """

    root: int
    tones: tuple[int, ...]

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The tones as pitch classes, 0 for C."""
        return frozenset((self.root + tone) % 12 for tone in self.tones)

    def tone(self, *candidates: int) -> int:
        """The first of `candidates` (semitones) that is a tone of the chord, or else the last of them."""
        return next((tone for tone in candidates if tone in self.tones), candidates[-1])


def parse_chord(numeral: str, tonic: int) -> Chord:
    """Read a Roman numeral such as `"I"`, `"bVII"`, `"ii7"` or `"viio"`.

    Args:
        numeral (`str`): Degrees of the major scale with `b` or `#` before them; capitals are major, small letters
            minor; then one of `5 6 7 9 maj7 maj9 add9 sus4 o o7 h7` (`o` diminished, `h7` half-diminished).
        tonic (`int`): Pitch class of the key.

    Raises:
        ValueError: If the numeral or its suffix is unknown.
    """
    match = _ROMAN.fullmatch(numeral)
    if match is None or match["numeral"].lower() not in _DEGREES or match["suffix"] not in _QUALITIES:
        raise ValueError(f"unknown chord {numeral!r}: expected a Roman numeral and one of {sorted(_QUALITIES)}")
    shift = {"": 0, "b": -1, "#": 1}[match["accidental"]]
    root = (tonic + _DEGREES[match["numeral"].lower()] + shift) % 12
    return Chord(root, _QUALITIES[match["suffix"]][match["numeral"].islower()])


#: The chords of each bar.
Progression = tuple[tuple[Chord, ...], ...]


@lru_cache(maxsize=512)
def parse_progression(progression: str, tonic: int) -> Progression:
    """Read a progression: bars are separated by spaces, chords within a bar by commas."""
    return tuple(tuple(parse_chord(n, tonic) for n in bar.split(",")) for bar in progression.split())


def lowest(pitch_class: int, low: int) -> int:
    """The lowest MIDI key at or above `low` that has the pitch class."""
    return low + (pitch_class - low) % 12


def scale_of(name: str, minor: bool) -> tuple[int, ...]:
    """The named scale, or its relative of the other mode where it would contradict the key."""
    if minor:
        name = _MINOR_FOR.get(name, name)
    elif name in _MAJOR_FOR:
        name = _MAJOR_FOR[name]
    return SCALES[name]


def ladder(chord: Chord, scale: tuple[int, ...], tonic: int, low: int, high: int) -> list[int]:
    """Pitches from `low` to `high` for a melody over a chord.

    They are the chord's tones and the scale's, without those that rub (a semitone) against a chord tone from outside
    the scale, so that a scale also fits borrowed chords.
    """
    chordal = chord.pitch_classes
    passing = {(tonic + step) % 12 for step in scale}
    borrowed = chordal - passing
    passing = {p for p in passing if not {(p + 1) % 12, (p - 1) % 12} & borrowed}
    return [pitch for pitch in range(low, high + 1) if pitch % 12 in chordal | passing]


@lru_cache(maxsize=4096)
def voice(chord: Chord, layout: str, low: int) -> tuple[int, ...]:
    """Lay a chord out on an instrument, from the bottom up.

    Args:
        chord ([`Chord`]): The chord.
        layout (`str`): `"close"` (the inversion nearest to `low` + 7: moves little from chord to chord), `"shell"`
            (the same without root and fifth where a seventh is there), `"power"` (root, fifth, octave), `"guitar"`
            (root, fifth, octave, third, fifth: an open-string shape) or `"arpeggio"` (close, from the root).
        low (`int`): MIDI key near which the chord starts.

    Raises:
        ValueError: If the layout is unknown.
    """
    root = lowest(chord.root, low)
    if layout == "power":
        return root, root + 7, root + 12
    fifth = chord.tone(7, 6)
    if layout == "guitar":
        third = next((t for t in chord.tones if t in (3, 4, 5)), 7)
        upper = next((t for t in chord.tones if t in (9, 10, 11)), 12)
        return tuple(sorted({root, root + fifth, root + upper, root + 12 + third, root + 12 + fifth}))
    if layout == "arpeggio":
        return tuple(root + tone for tone in chord.tones)
    tones = chord.tones
    if layout == "shell" and len(tones) > 3:
        tones = tuple(tone for tone in tones if tone not in (0, fifth))
        tones = tones if len(tones) > 2 else (*tones, 14)
    elif layout not in ("close", "shell"):
        raise ValueError(f"unknown layout {layout!r}")
    centre = low + 7
    inversions = [
        tuple(sorted(lowest((chord.root + t) % 12, start) for t in tones)) for start in range(low - 5, low + 7)
    ]
    return min(inversions, key=lambda pitches: (abs(sum(pitches) / len(pitches) - centre), pitches))
