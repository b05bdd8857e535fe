"""The instruments and the recording: notes sound when, as loud and as high as they are written."""

import os
import subprocess
import sys
from random import Random

import numpy as np
import pytest

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.record import SAMPLING_RATE, record, to_wav
from mgc_hf.data.demo.score import Note, Part, Piece
from mgc_hf.data.demo.synth import play_part

RATE = SAMPLING_RATE


def play(*notes: Note, program: int = gm.FLUTE, role: str = "lead", expressive: bool = False, seconds: float = 3.0):
    return play_part(Part(role, program, notes, 0.0, expressive), seconds, RATE)


def rms(audio: np.ndarray, begin: float, end: float) -> float:
    return float(np.sqrt(np.mean(audio[int(begin * RATE) : int(end * RATE)] ** 2)))


def pitch_hz(audio: np.ndarray, begin: float, end: float, frame: int = 768) -> float:
    """Median fundamental by YIN (de Cheveigné and Kawahara, 2002) from 65 to 1,500 Hz."""
    import librosa

    piece = audio[int(begin * RATE) : int(end * RATE)]
    return float(
        np.median(librosa.yin(piece, fmin=65, fmax=1500, sr=RATE, frame_length=768, hop_length=64, center=False))
    )


def test_a_note_begins_and_ends_on_time():
    audio = play(Note(1.0, 0.5, 72, 0.8))
    assert audio.shape == (3 * RATE,)
    assert audio.dtype == np.float32
    assert np.abs(audio[: int(0.99 * RATE)]).max() == 0
    assert rms(audio, 1.05, 1.45) > 0.01
    assert np.abs(audio[int(1.6 * RATE) :]).max() == 0


def test_notes_cut_by_the_excerpt():
    whole = play(Note(1.0, 1.5, 72, 0.8), seconds=4.0)
    early = play(Note(-0.5, 1.5, 72, 0.8), seconds=1.25)
    np.testing.assert_allclose(early, whole[int(1.5 * RATE) : int(1.5 * RATE) + len(early)], atol=1e-6)


@pytest.mark.parametrize("pitch", [48, 55, 60, 67, 72])
@pytest.mark.parametrize(
    "program", [gm.PIANO, gm.STEEL, gm.FINGER_BASS, gm.VIOLIN, gm.TRUMPET, gm.ALTO_SAX, gm.SAW_LEAD]
)
def test_instruments_are_in_tune(program, pitch):
    audio = play(Note(0.2, 1.5, pitch, 0.8), program=program)
    wanted = 440 * 2 ** ((pitch - 69) / 12)
    assert abs(1200 * np.log2(pitch_hz(audio, 0.4, 1.2, frame=2048) / wanted)) < 30


PLAY_ALL = """
import hashlib
from mgc_hf.data.demo.score import Note, Part
from mgc_hf.data.demo.styles import STYLES
from mgc_hf.data.demo.synth import play_part

digest = hashlib.sha256()
players = [player for variants in STYLES.values() for variant in variants for player in variant.parts]
for program in sorted({program for player in players for program in player.programs}):
    # these keys and lengths gave samples from unwritten memory with the soundfont as it is
    for pitch, length in ((61, 4.0), (93, 4.0), (62, 4.0), (75, 1.0), (60, 0.3)):
        part = Part("lead", program, (Note(0.0, length, pitch, 0.8),), 0.0)
        digest.update(play_part(part, length + 0.2, 22050).tobytes())
print(digest.hexdigest())
"""


def test_sound_does_not_depend_on_what_is_in_memory():
    sums = set()
    for byte in ("3", "200"):  # glibc fills fresh memory with it; elsewhere this compares two processes
        environment = {**os.environ, "MALLOC_PERTURB_": byte}
        run = subprocess.run(
            [sys.executable, "-c", PLAY_ALL], capture_output=True, text=True, check=True, env=environment
        )
        sums.add(run.stdout)
    assert len(sums) == 1


def test_velocity_is_loudness():
    soft, loud = play(Note(0.0, 1.0, 72, 0.3)), play(Note(0.0, 1.0, 72, 0.9))
    np.testing.assert_allclose(loud, soft * 3**1.5, rtol=1e-3, atol=1e-6)


def test_plucked_notes_die_away_and_blown_ones_do_not():
    def kept(program: int, pitch: int) -> float:
        audio = play(Note(0.0, 2.5, pitch, 0.8), program=program)
        return rms(audio, 2.0, 2.3) / rms(audio, 0.4, 0.7)

    assert kept(gm.STEEL, 60) < 0.35
    assert kept(gm.ORGAN, 60) > 0.6


@pytest.mark.parametrize("kit", [gm.STANDARD_KIT, gm.ELECTRONIC_KIT, gm.TR808_KIT])
@pytest.mark.parametrize("drum", ["kick", "snare", "hat", "low_conga", "floor_tom"])
def test_drums_ring_out_in_every_kit(kit, drum):
    audio = play(Note(0.0, 2.0, gm.DRUM_KEYS[drum], 0.9), program=kit, role="drums")
    assert rms(audio, 0.0, 0.1) > 0.005
    assert rms(audio, 1.2, 1.8) < 0.05 * rms(audio, 0.0, 0.1)


def test_expressive_notes_come_from_below():
    plain = play(Note(0.0, 1.0, 72, 0.8), program=gm.SQUARE_LEAD)
    bent = play(Note(0.0, 1.0, 72, 0.8), program=gm.SQUARE_LEAD, expressive=True)
    assert pitch_hz(bent, 0.0, 0.05) < 0.985 * pitch_hz(plain, 0.0, 0.05)
    assert pitch_hz(bent, 0.1, 0.22) == pytest.approx(pitch_hz(plain, 0.1, 0.22), rel=0.02)


def test_every_instrument_and_drum_of_the_styles_sounds():
    from mgc_hf.data.demo.styles import STYLES

    players = [player for variants in STYLES.values() for variant in variants for player in variant.parts]
    programs = sorted({program for player in players for program in player.programs})
    assert len(programs) > 50
    silent = [program for program in programs if rms(play(Note(0, 0.5, 55, 1.0), program=program), 0, 0.5) < 1e-4]
    assert silent == []
    kits = sorted({kit for variants in STYLES.values() for v in variants if v.drums for kit in v.drums.kits})
    for kit in kits:
        for name, key in gm.DRUM_KEYS.items():
            hit = play(Note(0, 1.0, key, 1.0), program=kit, role="drums", seconds=0.5)
            assert rms(hit, 0, 0.2) > 1e-4, (kit, name)


def piece(*parts: Part, seconds: float = 4.0) -> Piece:
    return Piece("rock", "test", 120.0, 0, seconds, parts)


def test_levels_decide_the_balance():
    low = Part("bass", gm.SYNTH_BASS, tuple(Note(float(i), 0.9, 36, 0.8) for i in range(4)), 0.0)
    high = tuple(Note(float(i), 0.9, 84, 0.8) for i in range(4))

    def share_of_low(level: float) -> float:
        audio = record(piece(low, Part("lead", gm.FLUTE, high, level)), Random(4))
        power = np.abs(np.fft.rfft(audio)) ** 2
        return float(power[: 4 * 700].sum() / power.sum())

    assert share_of_low(-20.0) > 0.9
    assert share_of_low(20.0) < 0.2


def test_recording_is_finite_without_a_sound():
    audio = record(piece(), Random(0))
    assert audio.shape == (4 * RATE,)
    assert np.isfinite(audio).all()


def test_recordings_differ_in_colour_and_level():
    notes = tuple(
        Note(i / 4, 0.2, key, 0.9) for i in range(16) for key in (gm.DRUM_KEYS["snare"], gm.DRUM_KEYS["hat"])
    )
    takes = [record(piece(Part("drums", gm.STANDARD_KIT, notes, 0.0)), Random(seed)) for seed in range(8)]
    peaks = [np.abs(take).max() for take in takes]
    assert 0.39 < min(peaks) < max(peaks) < 0.99
    assert max(peaks) > 1.2 * min(peaks)
    bright = [10 * np.log10((np.abs(np.fft.rfft(take)) ** 2)[4 * 5000 :].mean() / np.mean(take**2)) for take in takes]
    assert max(bright) - min(bright) > 2


def test_wav_is_16_bit_and_clipped_not_wrapped():
    import io

    import soundfile

    pcm, rate = soundfile.read(io.BytesIO(to_wav(np.array([0.0, 0.5, 1.5, -1.5], np.float32))), dtype="int16")
    assert rate == 22050
    assert pcm.tolist() == [0, 16384, 32767, -32767]
