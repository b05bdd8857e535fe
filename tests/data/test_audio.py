"""The decoder: every format by its content, lengths from samples, one mono rule, typed errors, streams equal to wholes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from mgc_hf.data import audio as audio_module
from mgc_hf.data.audio import check, decode, from_array, stream, to_mono, verify
from mgc_hf.errors import AudioError
from tests.data.waves import encode, loudest_frequency, tone, wave

FORMATS = [
    ("WAV", "PCM_16"),
    ("WAV", "PCM_U8"),
    ("WAV", "PCM_24"),
    ("WAV", "PCM_32"),
    ("WAV", "FLOAT"),
    ("WAV", "ALAW"),
    ("WAVEX", "PCM_24"),
    ("RF64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("AU", "PCM_16"),
    ("AU", "ULAW"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]


def kind_of(source: bytes | Path, min_seconds: float = 0.0) -> str:
    with pytest.raises(AudioError) as caught:
        verify(source, min_seconds)
    return caught.value.kind


@pytest.mark.parametrize(("kind", "subtype"), FORMATS)
def test_every_format_by_content_alone(kind: str, subtype: str, tmp_path: Path) -> None:
    path = tmp_path / "no extension"
    path.write_bytes(encode(tone(440, 2.0, 24000), 24000, kind, subtype))
    audio = decode(path)
    assert audio.samples.dtype == np.float32
    assert audio.samples.shape == (48000,)
    assert (audio.sampling_rate, audio.channels, audio.notes) == (24000, 1, ())
    assert loudest_frequency(audio.samples, 24000) == pytest.approx(440, abs=1)
    assert np.abs(audio.samples).max() == pytest.approx(0.5, abs=0.03)
    assert decode(path.read_bytes()).samples.tobytes() == audio.samples.tobytes()


def test_sixteen_bit_samples_are_exact() -> None:
    integers = np.random.default_rng(0).integers(-32768, 32768, 5000).astype(np.int16)
    for kind in ("WAV", "FLAC", "AU"):
        audio = decode(encode(integers, kind=kind))
        assert np.array_equal(audio.samples, integers.astype(np.float32) / 32768)


def test_nothing_is_clipped() -> None:
    audio = decode(encode(tone(peak=2.5), kind="WAV", subtype="DOUBLE"))
    assert np.abs(audio.samples).max() == pytest.approx(2.5, abs=0.01)
    assert audio.notes == ("over full scale: peak 2.5",)


@pytest.mark.parametrize(("source_rate", "rate"), [(96000, 16000), (8000, 22050), (44100, 22050), (22050, 16000)])
def test_resampling_is_soxr_and_keeps_length(source_rate: int, rate: int) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 3 * source_rate + 17).astype(np.float32)
    audio = decode(encode(samples, source_rate, "WAV", "FLOAT"), rate)
    assert (audio.sampling_rate, audio.source_sampling_rate) == (rate, source_rate)
    assert np.array_equal(audio.samples, soxr.resample(samples, source_rate, rate))
    assert len(audio.samples) == pytest.approx(len(samples) * rate / source_rate, abs=1)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["WAV", "FLAC", "MP3", "OGG"]),
    st.integers(1, 2),
    st.integers(1, 60000),
    st.sampled_from([None, 16000, 22050, 44100]),
    st.floats(0.01, 3.0),
)
def test_a_stream_equals_the_whole(
    kind: str, channels: int, length: int, sampling_rate: int | None, block_seconds: float
) -> None:
    samples = np.random.default_rng(length).normal(0, 0.1, (length, channels)).astype(np.float32)
    content = encode(samples, 22050, kind)
    whole = decode(content, sampling_rate)
    audio = stream(content, sampling_rate, block_seconds)
    blocks = list(audio)
    assert np.array_equal(np.concatenate(blocks), whole.samples)
    assert {len(block) for block in blocks[:-1]} <= {round(block_seconds * whole.sampling_rate)}
    assert 0 < len(blocks[-1]) <= round(block_seconds * whole.sampling_rate)
    assert audio.notes == whole.notes


def test_pieces_as_they_come_join_to_the_whole() -> None:
    """Stored sound comes in large pieces, decoded sound in small ones; neither changes a sample."""
    for kind, most in (("WAV", 131072), ("FLAC", 8192)):
        content = encode(tone(440, 20.0), kind=kind)
        pieces = list(stream(content, block_seconds=None))
        assert max(map(len, pieces)) == most
        assert np.concatenate(pieces).tobytes() == decode(content).samples.tobytes()


def test_a_stream_can_be_closed_early() -> None:
    audio = stream(encode(tone(seconds=5.0)), block_seconds=1.0)
    next(audio)
    audio.close()
    assert list(audio) == []
    stream(encode(tone())).close()


# Mono


def test_mono_is_the_mean() -> None:
    left, right = tone(440), tone(660, peak=0.25)
    audio = decode(encode(np.stack([left, right], 1), subtype="FLOAT"))
    assert audio.channels == 2
    assert audio.notes == ()
    assert np.allclose(audio.samples, (left + right) / 2, atol=1e-6)


def test_cancelling_channels_give_the_louder_one() -> None:
    quiet = decode(encode(np.stack([tone(peak=0.3), -tone(peak=0.4)], 1), subtype="FLOAT"))
    assert np.allclose(quiet.samples, -tone(peak=0.4), atol=1e-6)
    assert quiet.notes == ("channels cancel each other: channel 2 of 2 is used alone",)


def test_a_silent_channel_is_left_out_of_the_mean() -> None:
    audio = decode(encode(np.stack([tone(), np.zeros(8000)], 1)))
    assert np.array_equal(audio.samples, decode(encode(tone())).samples)
    assert audio.notes == ("silent channel left out of the mix: right",)


def test_the_rule_holds_for_the_whole_file_not_a_block() -> None:
    """The second half alone would cancel; the whole does not, so its mean is kept throughout."""
    left, right = tone(440, 20), np.concatenate([tone(440, 10), -tone(440, 20)[80000:]])
    audio = decode(encode(np.stack([left, right], 1), subtype="FLOAT"))
    assert audio.notes == ()
    assert np.abs(audio.samples[80000:]).max() < 1e-6


def test_short_files_of_several_channels_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    class Counted(audio_module.Reader):
        def __init__(self, *arguments: Any) -> None:
            opened.append(self)
            super().__init__(*arguments)

    monkeypatch.setattr(audio_module, "Reader", Counted)
    content = encode(np.stack([tone(440, 5.0), np.zeros(40000)], 1))
    once = decode(content, 16000)
    assert len(opened) == 1
    monkeypatch.setattr(audio_module, "_HELD_SAMPLES", 70000)
    twice = decode(content, 16000)
    assert len(opened) == 3
    assert once.samples.tobytes() == twice.samples.tobytes()
    assert once.notes == twice.notes == ("silent channel left out of the mix: right",)
    assert all(reader._file.closed for reader in opened)


def test_to_mono_of_an_array() -> None:
    mono, note = to_mono(np.stack([tone(), tone()], 1).astype(np.float32))
    assert np.allclose(mono, tone(), atol=1e-6)
    assert note is None
    assert to_mono(np.zeros((10, 2), np.float32))[0].tolist() == [0.0] * 10


# Arrays of a caller


def test_from_array_takes_both_layouts_and_integers() -> None:
    stereo = np.stack([tone(440), tone(660)], 1)
    first, second = from_array(stereo, 8000, 16000), from_array(stereo.T, 8000, 16000)
    assert first.samples.shape == (16000,)
    assert np.array_equal(first.samples, second.samples)
    assert np.array_equal(first.samples, decode(encode(stereo, subtype="DOUBLE"), 16000).samples)
    integers = np.round(tone() * 32767).astype(np.int16)
    assert np.array_equal(from_array(integers, 8000).samples, (integers / 32768).astype(np.float32))
    assert np.allclose(from_array((integers.astype(np.int32) << 16), 8000).samples, integers / 32768, atol=1e-6)
    assert np.abs(from_array(np.array([0, 128, 255], np.uint8), 8000).samples - [-1, 0, 1]).max() < 0.01


@pytest.mark.parametrize(
    ("samples", "rate", "kind"),
    [
        (np.zeros(0), 8000, "empty"),
        (np.zeros((0, 2)), 8000, "empty"),
        (np.array([0.0, np.nan]), 8000, "not_finite"),
        (np.array([1e300]), 8000, "not_finite"),
        (np.zeros((2, 3, 4)), 8000, "unsupported"),
        (np.float32(1.0), 8000, "unsupported"),
        (np.zeros(10, complex), 8000, "unsupported"),
        (np.zeros(10), 0, "unsupported"),
        (np.zeros(10), None, "unsupported"),
    ],
)
def test_from_array_refuses(samples: np.ndarray, rate: int, kind: str) -> None:
    with pytest.raises(AudioError) as caught:
        from_array(samples, rate, name="the array")
    assert caught.value.kind == kind
    assert str(caught.value).startswith("the array: ")


def test_too_few_samples_for_another_rate() -> None:
    for call in (lambda: from_array(np.ones(1), 96000, 8000), lambda: decode(encode(np.ones(1), 96000), 8000)):
        with pytest.raises(AudioError, match="1 samples at 96000 Hz give none at 8000 Hz") as caught:
            call()
        assert caught.value.kind == "too_short"


# Broken files


def test_empty_files() -> None:
    assert kind_of(b"") == "empty"
    assert kind_of(encode(np.zeros(0))) == "empty"
    with pytest.raises(AudioError, match="0 bytes"):
        decode(b"")
    with pytest.raises(AudioError, match="no samples"):
        decode(encode(np.zeros(0)))


def test_unreadable_content() -> None:
    noise = np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8).tobytes()
    with pytest.raises(AudioError, match=r"jazz\.00054\.wav: not readable as audio") as caught:
        decode(noise, name="jazz.00054.wav")
    assert caught.value.kind == "unreadable"


@pytest.mark.parametrize(
    ("content", "words", "kind"),
    [
        (
            b"\0\0\0\x18ftypM4A \0\0\2\0M4A mp42" + b"!" * 1000,
            "AAC/M4A is not supported; install ffmpeg",
            "unsupported",
        ),
        (b"\xff\xf1\x50\x80\x02\x1f\xfc" + b"!" * 1000, "AAC", "unsupported"),
        (bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C") + bytes(1000), "WMA", "unsupported"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer", "unreadable"),
        (b"<!DOCTYPE html><html>Not found</html>", "a web page", "unreadable"),
        (b"PK\x03\x04" + bytes(100), "a ZIP archive", "unreadable"),
    ],
)
def test_foreign_formats_are_named(content: bytes, words: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")  # no ffmpeg
    with pytest.raises(AudioError, match=words) as caught:
        decode(content)
    assert caught.value.kind == kind


def test_paths_are_literal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a'b $HOME ~.wav").write_bytes(encode(tone()))
    assert len(decode("a'b $HOME ~.wav").samples) == 8000
    for path, words in (("~/none.wav", "~/none.wav: no such file"), (tmp_path, "is a folder"), ("a\0b", "null byte")):
        with pytest.raises(AudioError, match=words) as caught:
            decode(path)
        assert caught.value.kind == "unreadable"


def test_damaged_exponents_are_no_audio(tmp_path: Path) -> None:
    samples = np.zeros(8000, np.float32)
    samples[100] = 1e38
    soundfile.write(tmp_path / "x.wav", samples, 16000, subtype="FLOAT")
    for read in (lambda: decode(tmp_path / "x.wav"), lambda: audio_module.from_array(samples, 16000)):
        with pytest.raises(AudioError, match=r"1e\+38 times full scale") as caught:
            read()
        assert caught.value.kind == "not_finite"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", "/dev/zero"):
        with pytest.raises(AudioError, match="is a pipe or a device; write the audio to a file first"):
            decode(path)


def test_a_raw_file_is_no_guess(tmp_path: Path) -> None:
    (tmp_path / "x.raw").write_bytes(encode(tone()))
    assert len(decode(tmp_path / "x.raw").samples) == 8000


def test_samples_that_are_not_finite() -> None:
    samples = tone().astype(np.float32)
    samples[6000] = np.inf
    with pytest.raises(AudioError, match=r"first at 0\.75 s") as caught:
        decode(encode(samples, subtype="FLOAT"))
    assert caught.value.kind == "not_finite"
    with pytest.raises(AudioError):
        list(stream(encode(samples, subtype="FLOAT")))


def test_silence_and_length() -> None:
    lsb = np.zeros(8000)
    lsb[5000] = 1 / 32768
    for samples, reason in ((np.zeros(8000), "silent"), (lsb, "silent"), (np.full(8000, 0.25), "a constant of 0.25")):
        for call in (
            lambda: verify(encode(samples)),  # noqa: B023
            lambda: check(decode(encode(samples))),  # noqa: B023
        ):
            with pytest.raises(AudioError, match=reason) as caught:
                call()
            assert caught.value.kind == "silent"
    assert verify(encode(tone(seconds=0.5)), 0.5) == 0.5
    with pytest.raises(AudioError, match=r"0\.49 s; at least 0\.5 s") as caught:
        check(decode(encode(tone(seconds=0.49))), 0.5)
    assert caught.value.kind == "too_short"
    assert kind_of(encode(tone(seconds=0.49)), 0.5) == "too_short"
    assert verify(encode(np.stack([tone(), -tone()], 1))) == 1.0


def test_a_header_that_is_absurd() -> None:
    content = bytearray(encode(tone()))
    content[24:28] = (1).to_bytes(4, "little")  # 1 Hz
    with pytest.raises(AudioError, match="its header says 1 Hz and 1 channels"):
        decode(bytes(content), 22050)
    content[24:28] = (8000).to_bytes(4, "little")
    content[22:24] = (500).to_bytes(2, "little")
    assert kind_of(bytes(content)) == "unreadable"


# Containers that promise too much, too little or nothing


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        *(("WAV", "PCM_16"), ("WAV", "PCM_24"), ("RF64", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "PCM_16")),
        *(("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)),
    ],
)
def test_truncation_by_the_containers_evidence(kind: str, subtype: str | None) -> None:
    samples = tone(440, 3.0, 24000) + np.random.default_rng(0).normal(0, 0.05, 72000)
    content = encode(samples, 24000, kind, subtype)
    assert verify(content) == pytest.approx(3.0, abs=0.1)
    cut = content[: len(content) // 2]
    audio = decode(cut)
    assert 0.5 < audio.seconds < 2.0
    assert len(audio.notes) == 1
    assert audio.notes[0].startswith("truncated: ")
    if kind != "OGG":
        assert " of 3.0 s" in audio.notes[0]
    assert kind_of(cut) == "truncated"


def test_a_cut_download_is_used_up_to_its_end() -> None:
    audio = decode(wave(tone(500, 1.5), stated_bytes=2 * 8000 * 30))
    assert len(audio.samples) == 12000
    assert audio.notes == ("truncated: 1.5 of 30.0 s",)


@pytest.mark.parametrize("stated", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_sizes_of_streaming_writers_are_no_promise(stated: int) -> None:
    audio = decode(wave(tone(), stated_bytes=stated))
    assert len(audio.samples) == 8000
    assert audio.notes == ()
    assert verify(wave(tone(), stated_bytes=stated)) == 1.0


def test_a_size_of_zero_is_repaired() -> None:
    audio = decode(wave(tone(500, 0.75), stated_bytes=0))
    assert len(audio.samples) == 6000
    assert loudest_frequency(audio.samples, 8000) == pytest.approx(500, abs=2)
    assert audio.notes == ("repaired: the header says 0 bytes of audio, 12000 are there",)
    au = encode(tone(500, 0.75), kind="AU")
    repaired = decode(au[:8] + bytes(4) + au[12:])
    assert repaired.samples.tobytes() == decode(au).samples.tobytes()
    assert repaired.notes == audio.notes
    assert kind_of(wave(np.zeros(0), after=b"LIST\x04\0\0\0INFO")) == "empty"


def test_flac_of_unstated_length() -> None:
    content = bytearray(encode(tone(seconds=3.0), kind="FLAC"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)  # STREAMINFO: number of samples unknown
    audio = decode(bytes(content))
    assert len(audio.samples) == 24000
    assert audio.notes == ()


def test_damage_in_the_middle_is_no_clip() -> None:
    content = bytearray(encode(np.random.default_rng(0).normal(0, 0.1, 60000), kind="FLAC"))
    content[len(content) // 2 : len(content) // 2 + 300] = bytes(300)
    assert kind_of(bytes(content)) == "truncated"
    assert "lost sync" in decode(bytes(content)).notes[0]


def test_name_and_content_that_differ() -> None:
    content = encode(tone(), kind="FLAC")
    assert decode(content, name="a.au").notes == ("named .au, but the content is FLAC",)
    assert decode(content, name="a.FLAC").notes == ()


def mp3_frames(quiet_first: bool) -> tuple[bytes, int]:
    """Return a variable-rate MP3 and the length of its first frame, the one that counts the others."""
    import io

    noise, silence = np.random.default_rng(0).normal(0, 0.2, 5 * 44100), np.zeros(5 * 44100)
    samples = np.concatenate([silence, noise] if quiet_first else [noise, silence])
    buffer = io.BytesIO()
    options = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "VARIABLE", "compression_level": 0.5}
    with soundfile.SoundFile(buffer, "w", 44100, 1, **options) as file:
        file.write(samples)
    content = buffer.getvalue()
    assert b"Xing" in content[:100]
    kbps = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[content[2] >> 4]
    return content, 144000 * kbps // 44100 + (content[2] >> 1 & 1)


@pytest.mark.parametrize("quiet_first", [True, False])
def test_mp3_lengths_come_from_the_frames(quiet_first: bool) -> None:
    content, first = mp3_frames(quiet_first)
    assert decode(content).seconds == pytest.approx(10.0, abs=0.001)
    without = decode(content[first:])  # libsndfile alone gives 2.1 of these 10 s when the loud half comes first
    assert without.seconds == pytest.approx(10.0, abs=0.1)
    assert without.notes == ()
    place = content.index(b"Xing") + 8
    lying = content[:place] + (50).to_bytes(4, "big") + content[place + 4 :]
    audio = decode(lying)
    assert audio.seconds == pytest.approx(10.0, abs=0.1)
    assert audio.notes[0].startswith("repaired: the header says 50 MP3 frames")


def test_mp3_tags_are_no_sound() -> None:
    content = encode(tone(440, 1.0, 22050), 22050, "MP3")
    picture = b"APIC\0\0\x10\0\0\0" + bytes(4096)
    tag = b"ID3\x03\0\0" + bytes((0, 0, len(picture) >> 7, len(picture) & 127)) + picture
    whole = decode(content).samples
    for changed in (tag + content, tag + bytes(5000) + content, content + b"TAG" + b"x" * 125):
        assert decode(changed).samples.tobytes() == whole.tobytes()
    flac = encode(tone(), kind="FLAC")
    assert len(decode(tag + flac).samples) == 8000


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(["WAV", "AU", "AIFF", "FLAC", "OGG", "MP3", "RF64"]),
    st.integers(1, 2),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=12),
    st.floats(0.01, 1),
)
def test_damaged_bytes_give_audio_or_a_typed_error(
    kind: str, channels: int, changes: list[tuple[float, int]], keep: float
) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, (6000, channels))
    content = bytearray(encode(samples, 22050, kind))
    for place, value in changes:
        content[int(place * place * (len(content) - 1))] = value  # headers more often than audio
    try:
        audio = decode(bytes(content[: int(keep * len(content)) + 1]), 16000)
    except AudioError:
        return
    assert np.isfinite(audio.samples).all()
    assert audio.samples.ndim == 1
    assert len(audio.samples)


def test_without_libsndfile_the_cure_is_named(tmp_path: Path) -> None:
    """FC65."""
    (tmp_path / "soundfile.py").write_text("raise OSError('sndfile library not found')")
    (tmp_path / "a.wav").write_bytes(encode(tone()))
    code = (
        "from mgc_hf.data.audio import decode\nfrom mgc_hf.errors import AudioError\n"
        f"try:\n    decode({str(tmp_path / 'a.wav')!r})\n"
        "except AudioError as error:\n    print(error.kind, error)"
    )
    environment = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}", "PATH": ""}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert run.stdout.startswith("environment ")
    assert "libsndfile1" in run.stdout
    assert run.stdout.count("\n") == 1
