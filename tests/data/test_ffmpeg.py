"""AAC, M4A and WMA by way of a program, which may be real, made up, or absent."""

import shutil
import stat
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from mgc_hf.data import ffmpeg
from mgc_hf.data.audio import decode, stream
from mgc_hf.errors import AudioError

M4A = b"\0\0\0\x18ftypM4A \0\0\2\0M4A mp42" + b"!" * 1000


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put a program of that name alone on PATH; returns a function that says what it does."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def does(code):
        path = folder / "ffmpeg"
        path.write_text(f"#!{sys.executable}\nimport sys\n{code}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(folder))

    return does


def test_what_the_program_gives_is_read_as_any_file(tmp_path, stand_in):
    tone = 0.5 * np.sin(np.arange(8000) / 5)
    soundfile.write(tmp_path / "tone.wav", tone, 16_000, subtype="FLOAT")
    stand_in(
        f"assert '-f' in sys.argv and sys.argv[sys.argv.index('-f') + 1] == 'mov'\n"
        f"name = sys.argv[sys.argv.index('-i') + 1].removeprefix('file:')\n"
        f"assert open(name, 'rb').read() == {M4A!r}\n"
        f"sys.stdout.buffer.write(open({str(tmp_path / 'tone.wav')!r}, 'rb').read())"
    )
    (tmp_path / "song.m4a").write_bytes(M4A)
    for source in (tmp_path / "song.m4a", M4A):
        audio = decode(source)
        np.testing.assert_array_equal(audio.samples, tone.astype(np.float32))
        assert audio.notes == ()
    np.testing.assert_array_equal(np.concatenate(list(stream(M4A, block_seconds=0.1))), tone.astype(np.float32))


def test_other_formats_do_not_ask_it(tmp_path, stand_in):
    stand_in("sys.exit('asked')")
    (tmp_path / "x.wav").write_bytes(b"no audio")
    with pytest.raises(AudioError, match="not readable as audio"):
        decode(tmp_path / "x.wav")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "print('[aac @ 0x1] it is broken', file=sys.stderr); sys.exit(1)",
            r"not readable as audio \(ffmpeg: it is broken\)",
        ),
        ("", r"not readable as audio \(ffmpeg: exit status 0\)"),
        ("import time; time.sleep(60)", "ffmpeg was at it for 0.5 s and was stopped"),
    ],
)
def test_a_program_that_fails_is_one_error(tmp_path, stand_in, monkeypatch, code, words):
    monkeypatch.setattr(ffmpeg, "TIME_LIMIT", 0.5)
    stand_in(code)
    (tmp_path / "song.m4a").write_bytes(M4A)
    with pytest.raises(AudioError, match=f"song.m4a: {words}"):
        decode(tmp_path / "song.m4a")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg on this machine")
@pytest.mark.parametrize("suffix", ["m4a", "aac", "wma"])
def test_with_the_real_one(tmp_path, suffix):
    path = tmp_path / f"tone.{suffix}"
    words = ("ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "sine=440:duration=1:sample_rate=44100", str(path))
    subprocess.run(words, check=True)
    audio = decode(path, 22_050)
    assert audio.seconds == pytest.approx(1.0, abs=0.08)
    spectrum = np.abs(np.fft.rfft(audio.samples[:22_050]))
    assert spectrum.argmax() * 22_050 / min(22_050, len(audio.samples)) == pytest.approx(440, abs=2)
