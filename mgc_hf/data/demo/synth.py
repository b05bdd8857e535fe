"""The instruments: symusic's General MIDI synthesizer with the soundfont that pretty_midi ships, played note by note.

The synthesizer of symusic 0.5.9 ignores velocity and controllers and holds looped samples at a constant level (tried).
So it renders each pitch of a part once, as long as it is ever held; loudness, the dying away of struck and plucked
notes, releases, scoops and vibrato are put on here, and the notes are added up.
"""

import atexit
import importlib.metadata
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.score import Note, Part
from mgc_hf.data.demo.soundfont import SOUNDFONT, find_soundfont, mend

SYMUSIC_VERSION = "0.5.9"
_FIX = f'run: pip install "symusic=={SYMUSIC_VERSION}" "pretty_midi>=0.2.9,<0.3"'

# Longest note that is rendered and longest ring of a drum, in seconds.
_LONGEST_S, _DRUM_RING_S = 8.0, 2.0
# Release that is put on, and silence between pitches; the synthesizer's own releases take 20 ms at most (measured).
_RELEASE_S, _GAP_S = 0.08, 0.25
# A semitone below and up within 70 ms; vibrato of 5.5 Hz and 20 cents that sets in after 0.25 s.
_SCOOP_S, _VIBRATO_HZ, _VIBRATO_CENTS, _VIBRATO_AFTER_S = 0.07, 5.5, 20.0, 0.25


def check_synthesizer() -> Path:
    """Check that the synthesizer can be used.

    Returns:
        `Path`: The soundfont.

    Raises:
        ImportError: If symusic is missing or not the version whose `render` works, or if the soundfont is missing; the
            message says what to run.
    """
    try:
        version = importlib.metadata.version("symusic")
    except importlib.metadata.PackageNotFoundError as error:
        raise ImportError(f"the demo corpus is rendered by symusic, which is not installed; {_FIX}") from error
    if version != SYMUSIC_VERSION:
        raise ImportError(f"the demo corpus needs symusic {SYMUSIC_VERSION}, found {version}; {_FIX}")
    path = find_soundfont()
    if path is None:
        raise ImportError(f"the demo corpus needs the soundfont {SOUNDFONT} that pretty_midi ships; {_FIX}")
    return path


def _new_synthesizer(sampling_rate: int) -> Any:
    """A synthesizer for a rate, with the mended soundfont.

    One for each rendering: a used one keeps something of what it has played, and plays a quarter of all pitches in
    another way for it (measured). It maps the file into memory; where a mapped file cannot be deleted (Windows), the
    copy stays in the temporary folder.
    """
    from symusic import Synthesizer

    return Synthesizer(str(_soundfont()), sampling_rate, 0)


@lru_cache(maxsize=1)
def _soundfont() -> Path:
    """The mended soundfont in a temporary folder that goes with the process."""
    folder = tempfile.mkdtemp(prefix="mgc-hf-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / SOUNDFONT
    path.write_bytes(mend(check_synthesizer().read_bytes()))
    return path


def _render_pitches(program: int, is_drum: bool, lengths: dict[int, float], rate: int) -> dict[int, np.ndarray]:
    """Render each pitch once.

    Args:
        program (`int`): General MIDI program or kit.
        is_drum (`bool`): Whether it is the drum channel.
        lengths (`dict[int, float]`): Seconds for which each pitch is held, the release not counted.
        rate (`int`): Samples per second.

    Returns:
        `dict[int, np.ndarray]`: For each pitch float32 of shape `(num_samples,)`, the release included.
    """
    from symusic import Note as MidiNote
    from symusic import Score, Track

    # the factories return one of three classes by `ttype`, which a type checker cannot tell apart
    score: Any = Score(480, ttype="second")
    track: Any = Track("", program, is_drum, ttype="second")
    slots: dict[int, tuple[int, int]] = {}
    start = 0.0
    for pitch, length in lengths.items():
        slots[pitch] = (int(start * rate), int((length + _RELEASE_S) * rate))
        track.notes.append(MidiNote(start, length + _RELEASE_S, pitch, 100, ttype="second"))
        start += length + _RELEASE_S + _GAP_S
    score.tracks.append(track)
    audio = _new_synthesizer(rate).render(score, False)[0]
    return {pitch: audio[begin : begin + count] for pitch, (begin, count) in slots.items()}


def play_part(part: Part, seconds: float, rate: int) -> np.ndarray:
    """Play the notes of a part.

    Args:
        part ([`score.Part`]): The part.
        seconds (`float`): Length of the excerpt.
        rate (`int`): Samples per second of the synthesizer.

    Returns:
        `np.ndarray`: float32 of shape `(num_samples,)`, on the synthesizer's own scale.
    """
    lengths: dict[int, float] = {}
    for note in part.notes:
        held = _DRUM_RING_S if part.is_drum else min(note.length, _LONGEST_S)
        lengths[note.pitch] = max(lengths.get(note.pitch, 0.0), held)
    bank = _render_pitches(part.program, part.is_drum, lengths, rate)
    bank = {pitch: _die_away(sound, part, pitch, rate) for pitch, sound in bank.items()}
    out = np.zeros(round(seconds * rate), np.float32)
    fade = np.linspace(1.0, 0.0, int(_RELEASE_S * rate), dtype=np.float32)
    for note in part.notes:
        _add_note(out, bank[note.pitch], note, part, fade, rate)
    return out


def _die_away(sound: np.ndarray, part: Part, pitch: int, rate: int) -> np.ndarray:
    """Let a struck or plucked sound lose its energy, high notes faster than low ones; leave a blown or bowed one."""
    if part.is_drum:
        seconds = gm.DRUM_DECAY_S[pitch]
    elif part.program in gm.DECAY_S:
        seconds = gm.DECAY_S[part.program] * 2.0 ** ((60 - pitch) / 24)
    else:
        return sound
    return sound * np.exp(np.arange(len(sound), dtype=np.float32) * np.float32(-1.0 / (seconds * rate)))


def _add_note(out: np.ndarray, sound: np.ndarray, note: Note, part: Part, fade: np.ndarray, rate: int) -> None:
    """Add one note to `out` (in place), with its release; what falls outside the excerpt is cut."""
    length = min(note.length, _LONGEST_S)
    count = min(int(length * rate) + len(fade), len(sound))
    sound = sound[:count]
    if part.expressive and length > 2 * _SCOOP_S:
        sound = _bend(sound, length, rate)
    sound = sound * np.float32(note.velocity**1.5)
    sound[-len(fade) :] *= fade[-len(sound) :]
    begin = int(note.start * rate)
    skip = max(-begin, 0)
    sound = sound[skip : skip + max(len(out) - max(begin, 0), 0)]
    begin = max(begin, 0)
    out[begin : begin + len(sound)] += sound


def _bend(sound: np.ndarray, length: float, rate: int) -> np.ndarray:
    """Scoop into a note from a semitone below and, if it is long, hold it with vibrato: read it at a varying speed."""
    time = np.arange(len(sound), dtype=np.float32) / np.float32(rate)
    lag = np.minimum(time, np.float32(_SCOOP_S)) - np.minimum(time, np.float32(_SCOOP_S)) ** 2 / np.float32(
        2 * _SCOOP_S
    )
    read = time - np.float32(1 - 2 ** (-1 / 12)) * lag
    if length > 2 * _VIBRATO_AFTER_S:
        turn = 2 * np.pi * _VIBRATO_HZ
        held = np.maximum(time - np.float32(_VIBRATO_AFTER_S), 0)
        depth = (2 ** (_VIBRATO_CENTS / 1200) - 1) / turn
        read += np.float32(depth) * (np.cos(np.float32(turn) * held) - 1)
    return np.interp(read * rate, np.arange(len(sound)), sound).astype(np.float32)
