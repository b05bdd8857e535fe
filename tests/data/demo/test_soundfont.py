"""The mended soundfont: whole, and with the same settings said where the synthesizer reads them."""

import struct
from itertools import pairwise

import pytest

from mgc_hf.data.demo.soundfont import SOUNDFONT, find_soundfont, mend

KEY_RANGE, DECAY, SAMPLE, LOOP_MODE, ROOT_KEY = 43, 36, 53, 54, 58


def chunks_of(font: bytes) -> dict[bytes, bytes]:
    """All chunks of a RIFF file of lists, checked for sizes that add up."""
    assert font[:4] == b"RIFF"
    assert struct.unpack_from("<I", font, 4)[0] == len(font) - 8
    found, at = {}, 12
    while at < len(font):
        size = struct.unpack_from("<I", font, at + 4)[0]
        assert font[at : at + 4] == b"LIST"
        inner, end = at + 12, at + 8 + size
        while inner < end:
            length = struct.unpack_from("<I", font, inner + 4)[0]
            found[font[inner : inner + 4]] = font[inner + 8 : inner + 8 + length]
            inner += 8 + length
        assert inner == end
        at = end
    return found


def zones_of(chunks: dict[bytes, bytes]) -> list[dict[int, int]]:
    """Settings of every zone of an instrument that has a sample."""
    bags = [first for first, _ in struct.iter_unpack("<HH", chunks[b"ibag"])]
    generators = list(struct.iter_unpack("<HH", chunks[b"igen"]))
    assert bags[-1] == len(generators) - 1, "one terminal record"
    zones = [generators[begin:end] for begin, end in pairwise(bags)]
    assert all(zone[-1][0] == SAMPLE for zone in zones)
    return [dict(zone) for zone in zones]


def headers_of(chunks: dict[bytes, bytes]) -> list[tuple]:
    return list(struct.iter_unpack("<20sIIIIIBbHH", chunks[b"shdr"]))


@pytest.fixture(scope="module")
def before() -> dict[bytes, bytes]:
    path = find_soundfont()
    assert path is not None
    assert path.name == SOUNDFONT
    return chunks_of(path.read_bytes())


@pytest.fixture(scope="module")
def after() -> dict[bytes, bytes]:
    path = find_soundfont()
    assert path is not None
    return chunks_of(mend(path.read_bytes()))


def test_only_zones_and_headers_change(before, after):
    assert list(before) == list(after)
    assert {name for name in before if before[name] != after[name]} == {b"ibag", b"igen", b"shdr"}


def test_samples_begin_and_sound_as_the_zones_say(before, after):
    old, new = headers_of(before), headers_of(after)
    pairs = list(zip(zones_of(before), zones_of(after), strict=True))
    assert len(pairs) > 2000
    others = 0
    for was, now in pairs:
        source, header = old[was[SAMPLE]], new[now[SAMPLE]]
        assert header[6] == was.get(ROOT_KEY, source[6])
        others += header[6] != source[6]
        assert header[0] == source[0]
        assert 0 <= header[1] - source[1] < 8
        assert header[2] == source[2] + 32
        assert header[3:6] + header[7:] == source[3:6] + source[7:]
        kept = {kind: value for kind, value in was.items() if kind != SAMPLE}
        assert kept.items() <= now.items() or DECAY not in was
    assert others > 1000, "there is something to mend"
    assert len({header[1] for header in new[:-1]}) == len(new) - 1, "each header begins elsewhere"
    assert new[-1] == old[-1]


def test_samples_without_a_loop_have_a_decay(before, after):
    assert [zone for zone in zones_of(before) if not zone.get(LOOP_MODE) and DECAY not in zone]
    assert not [zone for zone in zones_of(after) if not zone.get(LOOP_MODE) and DECAY not in zone]


@pytest.mark.parametrize("font", [b"", b"RIFF", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", b"x" * 100])
def test_other_files_are_refused(font):
    with pytest.raises(ValueError, match="not a SoundFont 2 file"):
        mend(font)


def test_cut_files_are_refused():
    path = find_soundfont()
    assert path is not None
    with pytest.raises(ValueError, match="not a SoundFont 2 file"):
        mend(path.read_bytes()[:-7])
