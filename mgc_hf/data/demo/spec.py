"""The vocabulary in which the styles are declared.

Rhythms are text. A pattern has one or more bars, separated by `|`; each character is one step, spaces are for the eye.
The number of steps decides the grid: 16 in a bar of four beats are sixteenths, 12 are triplets. `.` is a rest and `-`
holds the note before it. What the other characters mean is said by the class that reads them.
"""

from dataclasses import dataclass

from mgc_hf.data.demo import gm

Range = tuple[float, float]

#: Tonics (0 for C) that lie well under the hands: open strings of guitars, and the flat keys of horns and keyboards.
GUITAR_KEYS = (4, 9, 2, 7, 0)
LOW_GUITAR_KEYS = (4, 2, 9)
FLAT_KEYS = (5, 10, 3, 8, 0, 7)

#: Loudness of the hits in a pattern; `?` and `!` sound with a chance of one half and one quarter.
VELOCITIES: dict[str, float] = {"X": 1.0, "x": 0.8, "o": 0.62, "g": 0.4, "?": 0.62, "!": 0.75}
CHANCES: dict[str, float] = {"?": 0.5, "!": 0.25}


@dataclass(frozen=True)
class Drums:
    """A drummer.

    Args:
        grooves (`tuple[dict[str, str], ...]`): Each maps drum names ([`gm.DRUM_KEYS`]) to patterns of hits
            ([`VELOCITIES`]); alternatives are separated by `/`, one of them is drawn for each section. In the line of
            `hat`, `O` opens it until its next hit.
        kits (`tuple[int, ...]`): Kits to draw from.
        fills (`float`): Chance that a section's last bar ends in a fill.
        crash (`float`): Chance of a crash cymbal on a section's first beat.
        level (`float`): Loudness in dB.
        presence (`float`): Chance that the part plays at all in a clip.
    """

    grooves: tuple[dict[str, str], ...]
    kits: tuple[int, ...] = (gm.STANDARD_KIT, gm.ROOM_KIT)
    fills: float = 0.5
    crash: float = 0.5
    level: float = 0.0
    presence: float = 1.0


@dataclass(frozen=True)
class Bass:
    """A bass line.

    Args:
        programs (`tuple[int, ...]`): Instruments to draw from.
        patterns (`tuple[str, ...]`): Characters: `1 2 3 4 5 6 7 8` a degree above the chord's root, `d` the fifth
            below it, `a` a semitone below the next chord's root, `w` the next note of a walking line.
        low (`int`): Lowest MIDI key of a root.
        gate (`float`): Part of the written length that sounds.
        level (`float`): Loudness in dB.
        presence (`float`): Chance that the part plays in a section.
    """

    programs: tuple[int, ...]
    patterns: tuple[str, ...]
    low: int = 31
    gate: float = 0.9
    level: float = -2.0
    presence: float = 1.0


@dataclass(frozen=True)
class Comp:
    """Chords: accompaniment, riffs, pads, stabs, arpeggios.

    Args:
        programs (`tuple[int, ...]`): Instruments to draw from.
        patterns (`tuple[str, ...]`): Characters: hits of the whole chord ([`VELOCITIES`]); `D` and `U` strums down and
            up; `0` to `9` single notes of the chord from the bottom (past its top they go on an octave higher); `b`
            and `f` the root and the fifth below the chord; `m` the two lowest notes, damped; `s` the chord with a
            sixth for its fifth.
        layout (`str`): See [`theory.voice`].
        low (`int`): MIDI key near which the chord starts.
        gate (`float`): Part of the written length that sounds.
        level (`float`): Loudness in dB.
        presence (`float`): Chance that the part plays in a section.
    """

    programs: tuple[int, ...]
    patterns: tuple[str, ...]
    layout: str = "close"
    low: int = 55
    gate: float = 0.9
    level: float = -6.0
    presence: float = 1.0


@dataclass(frozen=True)
class Lead:
    """A melody made of motifs that return.

    Args:
        programs (`tuple[int, ...]`): Instruments to draw from.
        rhythms (`tuple[str, ...]`): One-bar rhythms; any character that is not `.` or `-` is a note.
        scales (`tuple[str, ...]`): Names in [`theory.SCALES`]; must fit the variant's progressions.
        low (`int`), high (`int`): Range in MIDI keys.
        rest (`float`): Chance that a bar is left free for an answer.
        repeat (`float`): Chance that a phrase takes up the motif before it.
        leap (`float`): Chance of an interval wider than two steps.
        gate (`float`): Part of the written length that sounds.
        level (`float`): Loudness in dB.
        presence (`float`): Chance that the part plays in a section.
        expressive (`bool`): Whether notes are scooped into and held with vibrato.
    """

    programs: tuple[int, ...]
    rhythms: tuple[str, ...]
    scales: tuple[str, ...] = ("major",)
    low: int = 62
    high: int = 84
    rest: float = 0.2
    repeat: float = 0.6
    leap: float = 0.12
    gate: float = 0.92
    level: float = -4.0
    presence: float = 0.85
    expressive: bool = False


@dataclass(frozen=True)
class Variant:
    """One way of playing a genre.

    Args:
        name (`str`): For people.
        tempo (`tuple[float, float]`): Beats per minute, drawn uniformly on a logarithmic axis.
        progressions (`tuple[str, ...]`): Roman numerals, see [`theory.parse_progression`]; two are drawn, for the two
            kinds of section.
        parts (`tuple[Bass | Comp | Lead, ...]`): The players besides the drummer.
        drums ([`Drums`], *optional*): The drummer.
        keys (`tuple[int, ...]`): Tonics to draw from, 0 for C.
        meter (`int`): Beats in a bar.
        swing (`tuple[float, float]`): Where an off-beat falls in its pair: 0.5 is straight, 0.667 a triplet.
        swing_unit (`float`): Length of that pair in beats: 1 swings eighths, 0.5 sixteenths.
        section (`int`): Least number of bars in a section.
        loose (`float`): Standard deviation of onsets, in seconds.
        rubato (`float`): Depth of the slow swaying of the tempo, relative.
        dynamics (`float`): Depth of the swelling of a phrase, in dB.
        weight (`float`): How often the variant is drawn, relative.
    """

    name: str
    tempo: Range
    progressions: tuple[str, ...]
    parts: tuple[Bass | Comp | Lead, ...]
    drums: Drums | None = None
    keys: tuple[int, ...] = tuple(range(12))
    meter: int = 4
    swing: Range = (0.5, 0.5)
    swing_unit: float = 1.0
    section: int = 8
    loose: float = 0.006
    rubato: float = 0.0
    dynamics: float = 1.0
    weight: float = 1.0
