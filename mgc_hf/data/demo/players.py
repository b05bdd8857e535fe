"""The players: they read the text patterns of a style and play them over the bars of a form."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import NamedTuple

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.score import Note
from mgc_hf.data.demo.spec import CHANCES, VELOCITIES, Bass, Comp, Drums
from mgc_hf.data.demo.theory import Chord, lowest, voice


class Step(NamedTuple):
    """One symbol of a pattern: where it falls in its bar and how long it is held, in beats."""

    position: float
    length: float
    symbol: str


@dataclass(frozen=True)
class Bar:
    """One bar of the form.

    Args:
        start (`float`): In beats from the beginning.
        meter (`int`): Beats in the bar.
        number (`int`): Place in its section, from 0.
        section (`str`): Kind of section, `"A"` or `"B"`: what the players choose is kept for each kind.
        chords (`tuple[Chord, ...]`): They share the bar evenly.
        following (`Chord`): First chord of the next bar.
        last (`bool`): Whether the section ends here.
        minor (`bool`): Whether the section is in a minor key.
    """

    start: float
    meter: int
    number: int
    section: str
    chords: tuple[Chord, ...]
    following: Chord
    last: bool
    minor: bool

    def chord_index(self, position: float) -> int:
        """Which of the bar's chords sounds at a position in beats."""
        return min(int(position / self.meter * len(self.chords) + 1e-6), len(self.chords) - 1)

    def chord(self, position: float) -> Chord:
        """The chord that sounds at a position in beats."""
        return self.chords[self.chord_index(position)]

    def next_chord(self, position: float) -> Chord:
        """The chord after the one that sounds at a position in beats."""
        index = self.chord_index(position) + 1
        return self.chords[index] if index < len(self.chords) else self.following


@lru_cache(maxsize=4096)
def parse_pattern(pattern: str, meter: int) -> tuple[tuple[Step, ...], ...]:
    """Read a text pattern (see [`spec`]).

    Args:
        pattern (`str`): Bars separated by `|`.
        meter (`int`): Beats in a bar.

    Returns:
        `tuple[tuple[Step, ...], ...]`: The steps of each bar, rests left out.

    Raises:
        ValueError: If the steps of a bar do not divide evenly into its beats.
    """
    bars = []
    for text in pattern.split("|"):
        symbols = text.replace(" ", "")
        if not symbols or len(symbols) % meter:
            raise ValueError(f"{len(symbols)} steps in {text!r} do not divide into a bar of {meter} beats")
        step = meter / len(symbols)
        steps: list[Step] = []
        held = False
        for index, symbol in enumerate(symbols):
            if symbol == "-" and held:
                steps[-1] = steps[-1]._replace(length=steps[-1].length + step)
            elif symbol in ".-":
                held = False
            else:
                steps.append(Step(index * step, step, symbol))
                held = True
        bars.append(tuple(steps))
    return tuple(bars)


def steps_of(pattern: str, bar: Bar) -> tuple[Step, ...]:
    """The steps of the pattern's bar that falls on a bar of the form."""
    bars = parse_pattern(pattern, bar.meter)
    return bars[bar.number % len(bars)]


class Choices:
    """What a player has chosen for each kind of section, so that a section sounds the same when it returns."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._made: dict[tuple[str, str], object] = {}

    def pick(self, section: str, what: str, options: Sequence[str]) -> str:
        """One of the options, the same one each time for the same section and use."""
        return str(self._made.setdefault((section, what), self._rng.choice(options)))

    def plays(self, section: str, presence: float) -> bool:
        """Whether the player takes part in a section."""
        return bool(self._made.setdefault((section, "plays"), self._rng.random() < presence))


def _velocity(symbol: str, position: float, rng: Random) -> float:
    """Loudness of a hit: the symbol's, a little less off the beat, never twice the same."""
    accent = 1.0 if abs(position - round(position)) < 1e-6 else 0.9
    return VELOCITIES[symbol] * accent * rng.uniform(0.92, 1.06)


def play_drums(drums: Drums, bars: Sequence[Bar], rng: Random) -> list[Note]:
    """Play grooves, fills and crashes.

    Args:
        drums ([`spec.Drums`]): The declaration.
        bars (`Sequence[Bar]`): The form.
        rng (`Random`): Source of all chance.

    Returns:
        `list[Note]`: Times in beats, pitches are drum keys.
    """
    choices = Choices(rng)
    grooves = {section: rng.choice(drums.grooves) for section in ("A", "B")}
    notes: list[Note] = []
    for bar in bars:
        fill_from = bar.meter - rng.choice((1, 2)) if bar.last and rng.random() < drums.fills else bar.meter
        for name, alternatives in grooves[bar.section].items():
            pattern = choices.pick(bar.section, name, [option.strip() for option in alternatives.split("/")])
            steps = [step for step in steps_of(pattern, bar) if step.position < fill_from]
            notes += _play_drum(name, steps, bar, rng)
        if fill_from < bar.meter:
            notes += _play_fill(bar, fill_from, rng)
        if bar.number == 0 and rng.random() < drums.crash:
            notes.append(Note(bar.start, 4.0, gm.DRUM_KEYS["crash"], 0.8))
    return notes


def _play_drum(name: str, steps: Sequence[Step], bar: Bar, rng: Random) -> list[Note]:
    notes = []
    for index, step in enumerate(steps):
        if rng.random() >= CHANCES.get(step.symbol, 1.0):
            continue
        key, length, symbol = gm.DRUM_KEYS[name], 2.0, step.symbol
        if symbol == "O":
            closing = steps[index + 1].position if index + 1 < len(steps) else bar.meter
            key, length, symbol = gm.DRUM_KEYS["open"], closing - step.position, "x"
        notes.append(Note(bar.start + step.position, length, key, _velocity(symbol, step.position, rng)))
    return notes


def _play_fill(bar: Bar, fill_from: float, rng: Random) -> list[Note]:
    """A run over snare and toms that grows louder, in sixteenths or triplets, some of them left out."""
    per_beat = rng.choice((3, 4, 4))
    count = int((bar.meter - fill_from) * per_beat)
    names = ("snare", *gm.TOMS) if rng.random() < 0.7 else ("snare",)
    notes = []
    for index in range(count):
        if index and rng.random() < 0.2:
            continue
        name = names[index * len(names) // count]
        velocity = 0.6 + 0.35 * index / count
        notes.append(Note(bar.start + fill_from + index / per_beat, 2.0, gm.DRUM_KEYS[name], velocity))
    return notes


_BASS_DEGREES = {"1": (0,), "2": (14, 2), "3": (3, 4, 5), "4": (5,), "5": (7, 6), "6": (9,), "7": (11, 10), "8": (12,)}


def play_bass(bass: Bass, bars: Sequence[Bar], rng: Random) -> list[Note]:
    """Play a bass line; arguments as for [`play_drums`].

    Raises:
        ValueError: If a pattern has an unknown symbol.
    """
    choices = Choices(rng)
    notes: list[Note] = []
    previous: int | None = None
    for bar in bars:
        if not choices.plays(bar.section, bass.presence):
            continue
        steps = steps_of(choices.pick(bar.section, "pattern", bass.patterns), bar)
        for index, step in enumerate(steps):
            chord = bar.chord(step.position)
            root = lowest(chord.root, bass.low)
            if step.symbol == "w":
                after = steps[index + 1].position if index + 1 < len(steps) else float(bar.meter)
                changes = after >= bar.meter or bar.chord_index(after) != bar.chord_index(step.position)
                begins = index == 0 or bar.chord_index(steps[index - 1].position) != bar.chord_index(step.position)
                target = lowest(bar.next_chord(step.position).root, bass.low)
                pitch = _walk(chord, bass.low, previous, begins, target if changes else None, rng)
            elif step.symbol == "a":
                pitch = lowest(bar.next_chord(step.position).root, bass.low) - 1
            elif step.symbol == "d":
                pitch = root - 5
            elif step.symbol in _BASS_DEGREES:
                pitch = root + chord.tone(*_BASS_DEGREES[step.symbol])
            else:
                raise ValueError(f"unknown symbol {step.symbol!r} in a bass pattern")
            velocity = (0.9 if step.position == 0 else 0.78) * rng.uniform(0.94, 1.05)
            notes.append(Note(bar.start + step.position, step.length * bass.gate, pitch, velocity))
            previous = pitch
    return notes


def _walk(chord: Chord, low: int, previous: int | None, begins: bool, target: int | None, rng: Random) -> int:
    """Next note of a walking line: the root on a new chord, a neighbour of the next root before it, else a step."""
    root = lowest(chord.root, low)
    if previous is None:
        return root
    if begins:
        return min((root, root + 12), key=lambda pitch: (abs(pitch - previous), pitch))
    if target is not None:
        near = target if abs(target - previous) <= 7 else target + 12
        return near + rng.choice((-1, 1, -1, 2))
    tones = [p for p in range(low, low + 20) if p % 12 in chord.pitch_classes and 0 < abs(p - previous) <= 5]
    steps = [p for p in (previous - 2, previous + 2) if low <= p < low + 20]
    return rng.choice(tones + steps) if tones or steps else root


def play_chords(comp: Comp, bars: Sequence[Bar], rng: Random) -> list[Note]:
    """Play an accompaniment; arguments as for [`play_drums`].

    Raises:
        ValueError: If a pattern has an unknown symbol.
    """
    choices = Choices(rng)
    notes: list[Note] = []
    for bar in bars:
        if not choices.plays(bar.section, comp.presence):
            continue
        for step in steps_of(choices.pick(bar.section, "pattern", comp.patterns), bar):
            if rng.random() >= CHANCES.get(step.symbol, 1.0):
                continue
            pitches = voice(bar.chord(step.position), comp.layout, comp.low)
            start, length = bar.start + step.position, step.length * comp.gate
            notes += _play_symbol(step.symbol, pitches, bar.chord(step.position), start, length, rng)
    return notes


def _play_symbol(
    symbol: str, pitches: tuple[int, ...], chord: Chord, start: float, length: float, rng: Random
) -> list[Note]:
    """What one symbol of an accompaniment sounds like on a chord laid out as `pitches`."""
    position = start - int(start)
    if symbol.isdigit():
        octave, index = divmod(int(symbol), len(pitches))
        velocity = (0.85 if position == 0 else 0.72) * rng.uniform(0.94, 1.06)
        return [Note(start, length, pitches[index] + 12 * octave, velocity)]
    if symbol in "bf":
        root = lowest(chord.root, min(pitches) - 16)
        return [Note(start, length, root if symbol == "b" else root - 5, 0.9 * rng.uniform(0.94, 1.06))]
    if symbol in "DU":
        strings = pitches if symbol == "D" else pitches[: -4 if len(pitches) > 4 else None : -1]
        velocity = (0.95 if symbol == "D" else 0.65) * rng.uniform(0.92, 1.05)
        return [Note(start + 0.02 * i, length - 0.02 * i, pitch, velocity) for i, pitch in enumerate(strings)]
    if symbol == "m":
        return [Note(start, length * 0.55, pitch, 0.72 * rng.uniform(0.94, 1.05)) for pitch in pitches[:2]]
    if symbol == "s":
        pitches = (pitches[0], pitches[0] + 9, *pitches[2:])
    elif symbol not in VELOCITIES:
        raise ValueError(f"unknown symbol {symbol!r} in an accompaniment")
    velocity = _velocity("x" if symbol == "s" else symbol, position, rng)
    return [Note(start, length, pitch, velocity) for pitch in pitches]
