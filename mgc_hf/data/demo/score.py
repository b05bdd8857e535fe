"""What a composition is made of: notes, parts and the piece that the renderer plays."""

from dataclasses import dataclass
from typing import NamedTuple


class Note(NamedTuple):
    """One note of one part.

    Args:
        start (`float`): Onset, in beats while composing and in seconds of the excerpt once performed (may be negative
            there: the note began before the excerpt).
        length (`float`): Duration in the same unit.
        pitch (`int`): MIDI key, or the drum key of a drum part.
        velocity (`float`): Loudness from 0 to 1.
    """

    start: float
    length: float
    pitch: int
    velocity: float


@dataclass(frozen=True)
class Part:
    """The notes of one instrument.

    Args:
        role (`str`): `"drums"`, `"bass"`, `"comp"` or `"lead"`.
        program (`int`): General MIDI program, or the kit of a drum part.
        notes (`tuple[Note, ...]`): In order of onset.
        level (`float`): Loudness in the mix, in dB relative to the other parts.
        expressive (`bool`): Whether notes are scooped into and held with vibrato.
    """

    role: str
    program: int
    notes: tuple[Note, ...]
    level: float
    expressive: bool = False

    @property
    def is_drum(self) -> bool:
        """Whether pitches are drum keys and the program is a kit."""
        return self.role == "drums"


@dataclass(frozen=True)
class Piece:
    """A performed excerpt: everything in seconds from its first sample.

    Args:
        genre (`str`): One of the ten genres.
        variant (`str`): Name of the way of playing that was drawn, such as `"slow blues"`.
        tempo (`float`): Beats per minute.
        tonic (`int`): Pitch class of the key, 0 for C.
        seconds (`float`): Length of the excerpt.
        parts (`tuple[Part, ...]`): The instruments.
    """

    genre: str
    variant: str
    tempo: float
    tonic: int
    seconds: float
    parts: tuple[Part, ...]
