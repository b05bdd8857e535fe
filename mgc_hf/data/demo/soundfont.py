"""The soundfont: found inside pretty_midi, and put in tune for symusic.

symusic's synthesizer reads a sample's pitch from its header alone and ignores the root key that the zones of an
instrument may set instead (generator 58, overridingRootKey; SoundFont 2.04 specification, section 8.1). In TimGM6mb most
headers say 60 and most zones set another key, so that instruments play up to two octaves off, and parts of one keyboard
in different keys (heard and measured). `tune` moves the root keys into the headers; the samples stay as they are.
"""

import importlib.util
import struct
from itertools import pairwise
from pathlib import Path

SOUNDFONT = "TimGM6mb.sf2"

_SAMPLE_ID, _ROOT_KEY = 53, 58
# Sizes of a generator and of a sample header, and within a header the places of its first sample and its pitch.
_GEN_SIZE, _HEADER_SIZE = 4, 46
_START_AT, _PITCH_AT = 20, 40


def find_soundfont() -> Path | None:
    """Path of the soundfont inside pretty_midi (which is not imported for it), or `None` where there is none."""
    spec = importlib.util.find_spec("pretty_midi")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(folder) / SOUNDFONT
        if path.is_file():
            return path
    return None


def tune(font: bytes) -> bytes:
    """Write the root key of every instrument zone into the header of its sample.

    A sample that zones use with different root keys gets a header for each; these begin one, two, ... samples later,
    since the synthesizer keeps what it has read by the place of the first sample.

    Args:
        font (`bytes`): A SoundFont 2 file whose last chunk is `pdta` and there `shdr` the last, as the format has it.

    Returns:
        `bytes`: The file with other sample headers.

    Raises:
        ValueError: If it is no such file.
    """
    if font[:4] != b"RIFF" or font[8:12] != b"sfbk":
        raise ValueError("not a SoundFont 2 file")
    list_at, chunks = _find_records(font)
    zones = bytearray(_cut(font, chunks["igen"]))
    old = _cut(font, chunks["shdr"])
    new = bytearray()
    known: dict[tuple[int, int], int] = {}
    copies: dict[int, int] = {}
    for place, root in _sample_zones(font, chunks):
        (sample,) = struct.unpack_from("<H", zones, place + 2)
        header = bytearray(old[sample * _HEADER_SIZE : (sample + 1) * _HEADER_SIZE])
        key = (sample, header[_PITCH_AT] if root is None else root)
        if key not in known:
            known[key] = len(known)
            (start,) = struct.unpack_from("<I", header, _START_AT)
            struct.pack_into("<I", header, _START_AT, start + copies.get(sample, 0))
            header[_PITCH_AT] = key[1]
            copies[sample] = copies.get(sample, 0) + 1
            new += header
        struct.pack_into("<H", zones, place + 2, known[key])
    new += old[-_HEADER_SIZE:]  # the terminal record
    zones_at, zones_size = chunks["igen"]
    headers_at, _ = chunks["shdr"]
    body = font[:zones_at] + zones + font[zones_at + zones_size : headers_at] + new
    tuned = bytearray(body)
    struct.pack_into("<I", tuned, headers_at - 4, len(new))
    struct.pack_into("<I", tuned, list_at + 4, len(body) - list_at - 8)
    struct.pack_into("<I", tuned, 4, len(body) - 8)
    return bytes(tuned)


def _cut(font: bytes, chunk: tuple[int, int]) -> bytes:
    return font[chunk[0] : chunk[0] + chunk[1]]


def _find_records(font: bytes) -> tuple[int, dict[str, tuple[int, int]]]:
    """Place of the `pdta` list, and place and size of the content of each of its chunks."""
    at = 12
    while at + 12 <= len(font) and font[at + 8 : at + 12] != b"pdta":
        at += 8 + struct.unpack_from("<I", font, at + 4)[0]
    list_at, at = at, at + 12
    chunks: dict[str, tuple[int, int]] = {}
    while at + 8 <= len(font):
        (size,) = struct.unpack_from("<I", font, at + 4)
        chunks[font[at : at + 4].decode("ascii")] = (at + 8, size)
        at += 8 + size
    if list(chunks)[-1:] != ["shdr"] or not {"inst", "ibag", "igen"} <= set(chunks) or at != len(font):
        raise ValueError("the soundfont does not end with its sample headers")
    return list_at, chunks


def _sample_zones(font: bytes, chunks: dict[str, tuple[int, int]]) -> list[tuple[int, int | None]]:
    """For each instrument zone with a sample: where in `igen` it names the sample, and its root key if it sets one."""
    instruments = [bag for (bag,) in struct.iter_unpack("<20xH", _cut(font, chunks["inst"]))]
    bags = [first for first, _ in struct.iter_unpack("<HH", _cut(font, chunks["ibag"]))]
    generators = list(struct.iter_unpack("<HH", _cut(font, chunks["igen"])))
    zones: list[tuple[int, int | None]] = []
    for begin, end in pairwise(instruments):
        default: int | None = None
        for bag in range(begin, end):
            root, sample = default, None
            for place in range(bags[bag], bags[bag + 1]):
                kind, amount = generators[place]
                if kind == _ROOT_KEY and amount != 0xFFFF:
                    root = amount & 0x7F
                elif kind == _SAMPLE_ID:
                    sample = place
            if sample is not None:
                zones.append((sample * _GEN_SIZE, root))
            elif bag == begin:
                default = root  # a first zone without a sample holds for the whole instrument
    return zones
