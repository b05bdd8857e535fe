"""The soundfont: found inside pretty_midi, and mended for what symusic's synthesizer does not read.

Three faults of symusic 0.5.9 (measured with TimGM6mb; terms of the SoundFont 2.04 specification, sections 7 and 8):

- It takes a sample's pitch from the sample's header and ignores the root key that a zone of an instrument may set
  instead. Most headers say 60 and most zones set another key, so that instruments sound up to two octaves off, and the
  parts of one keyboard in different keys.
- A sample without a loop whose zone has no decay ends after 6 ms: snares and wood are mere clicks.
- Where a loop ends with its sample, rounding makes it read past the sample: each such note has some samples of whatever
  is in memory there, another value in every process.

[`mend`] says the same things in the way that the synthesizer understands. The samples themselves stay as they are.
"""

import importlib.util
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

SOUNDFONT = "TimGM6mb.sf2"

# Generators: kinds of setting in a zone.
_DECAY, _SUSTAIN, _SAMPLE, _LOOP_MODE, _ROOT_KEY = 36, 37, 53, 54, 58
# A decay of 5.3 s (timecents) to silence (tenths of a per cent below full): longer than any sample without a loop.
_SLOW_DECAY = ((_DECAY, 2900), (_SUSTAIN, 1000))
# The size of a sample's header, and in it the places of its first sample (its end follows) and its pitch.
_HEADER_SIZE, _START_AT, _PITCH_AT = 46, 20, 40
# Every sample is followed by at least 46 zeros (section 7.10), so that many more may be read.
_MARGIN = 32

Generators = list[tuple[int, int]]


def find_soundfont() -> Path | None:
    """Path of the soundfont inside pretty_midi (which is not imported for it), or `None` where there is none."""
    spec = importlib.util.find_spec("pretty_midi")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(folder) / SOUNDFONT
        if path.is_file():
            return path
    return None


def mend(font: bytes) -> bytes:
    """Write root keys into the headers of samples and a slow decay into zones without one, and let samples end later.

    A sample that zones use with different root keys gets a header for each; these begin one, two, ... samples later,
    since the synthesizer keeps what it has read by the place of the first sample.

    Args:
        font (`bytes`): A SoundFont 2 file whose last list is `pdta`, as the format has it.

    Returns:
        `bytes`: The mended file.

    Raises:
        ValueError: If it is no such file.
    """
    list_at, chunks = _read_records(font)
    headers = _Headers(chunks[b"shdr"])
    zones: list[Generators] = []
    for instrument in _read_instruments(chunks):
        common: dict[int, int] = {}
        for number, zone in enumerate(instrument):
            settings = {**common, **dict(zone)}
            if _SAMPLE in settings:
                zone = _mend_zone(zone, settings, headers)
            elif number == 0:
                common = settings  # a first zone without a sample holds for the whole instrument
            zones.append(zone)
    first = 0
    bags = bytearray()
    # modulators (the second number) are left as they are
    for zone, (_, modulator) in zip([*zones, []], struct.iter_unpack("<HH", chunks[b"ibag"]), strict=True):
        bags += struct.pack("<HH", first, modulator)
        first += len(zone)
    chunks[b"ibag"] = bytes(bags)
    chunks[b"igen"] = b"".join(struct.pack("<HH", *generator) for zone in [*zones, [(0, 0)]] for generator in zone)
    chunks[b"shdr"] = headers.to_bytes()
    records = b"pdta" + b"".join(name + struct.pack("<I", len(body)) + body for name, body in chunks.items())
    mended = font[:list_at] + b"LIST" + struct.pack("<I", len(records)) + records
    return mended[:4] + struct.pack("<I", len(mended) - 8) + mended[8:]


class _Headers:
    """The headers of samples, one for each pair of a sample and a root key."""

    def __init__(self, old: bytes) -> None:
        self._old = [old[at : at + _HEADER_SIZE] for at in range(0, len(old), _HEADER_SIZE)]
        self._new: dict[tuple[int, int], bytes] = {}

    def index(self, sample: int, root: int | None) -> int:
        """Number of the header of a sample with a root key (`None`: the header's own), made where it is missing."""
        key = (sample, self._old[sample][_PITCH_AT] if root is None else root)
        if key not in self._new:
            header = bytearray(self._old[sample])
            start, end = struct.unpack_from("<II", header, _START_AT)
            copies = sum(other == sample for other, _ in self._new)
            struct.pack_into("<II", header, _START_AT, start + copies, end + _MARGIN)
            header[_PITCH_AT] = key[1]
            self._new[key] = bytes(header)
        return list(self._new).index(key)

    def to_bytes(self) -> bytes:
        """The chunk, its terminal record included."""
        return b"".join([*self._new.values(), self._old[-1]])


def _mend_zone(zone: Generators, settings: dict[int, int], headers: _Headers) -> Generators:
    root = settings.get(_ROOT_KEY, 0xFFFF)
    sample = headers.index(settings[_SAMPLE], root if root < 128 else None)
    # the sample has to come last in its zone
    kept = [generator for generator in zone if generator[0] != _SAMPLE]
    if not settings.get(_LOOP_MODE, 0) and _DECAY not in settings:
        kept = [generator for generator in kept if generator[0] != _SUSTAIN] + list(_SLOW_DECAY)
    return [*kept, (_SAMPLE, sample)]


def _read_records(font: bytes) -> tuple[int, dict[bytes, bytes]]:
    """Place of the `pdta` list in the file, and the chunks in it."""
    at = 12
    while at + 12 <= len(font) and font[at + 8 : at + 12] != b"pdta":
        at += 8 + struct.unpack_from("<I", font, at + 4)[0]
    list_at, at = at, at + 12
    chunks: dict[bytes, bytes] = {}
    while at + 8 <= len(font):
        (size,) = struct.unpack_from("<I", font, at + 4)
        chunks[font[at : at + 4]] = font[at + 8 : at + 8 + size]
        at += 8 + size
    if font[:4] != b"RIFF" or font[8:12] != b"sfbk" or at != len(font):
        raise ValueError("not a SoundFont 2 file that ends with its pdta list")
    if not {b"inst", b"ibag", b"igen", b"shdr"} <= set(chunks):
        raise ValueError("the soundfont has no instruments")
    return list_at, chunks


def _read_instruments(chunks: dict[bytes, bytes]) -> Iterator[list[Generators]]:
    """The zones of each instrument; the terminal records are left out."""
    instruments = [bag for (bag,) in struct.iter_unpack("<20xH", chunks[b"inst"])]
    bags = [first for first, _ in struct.iter_unpack("<HH", chunks[b"ibag"])]
    generators = list(struct.iter_unpack("<HH", chunks[b"igen"]))
    for begin, end in pairwise(instruments):
        yield [generators[bags[bag] : bags[bag + 1]] for bag in range(begin, end)]
