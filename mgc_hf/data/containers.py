"""What an audio file says of itself in its header, read before libsndfile sees it.

libsndfile tells formats apart by content, but it hides what we must know: that a header promises more than is there
(a cut download), and it reads wrongly where a header lies (a streamed WAV that says 0 bytes, an MP3 without or with a
wrong frame count, zeros between an ID3 tag and the music). `inspect` reads the few header bytes that decide this and
says how to present the file: some corrected bytes (`head`), then the file itself from `offset` on. Nothing is
allocated by a number found in a header.

Sources: RIFF/WAVE (Microsoft and IBM 1991), EBU Tech 3306 (RF64), the AIFF 1.3 and Sun .au headers, ID3v2.4, RFC 3533
(Ogg), ISO/IEC 11172-3 and 13818-3 (frame headers of MPEG layer III), the Xing/LAME tag revision 1.
"""

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

#: Sizes that streaming writers put where they do not know the length (ffmpeg, sox, arecord).
_UNKNOWN_SIZE = 0x7FFF0000
#: ID3 tags, zeros and chunks are skipped in steps of this many bytes.
_STEP = 65536
#: Header chunks that are looked at before the search is given up.
_MAX_CHUNKS = 1000


@dataclass(frozen=True)
class Container:
    """How to present a file to libsndfile, and what its header promised.

    Args:
        head (`bytes`): Bytes to present first, in place of the file's first `offset` bytes.
        offset (`int`): Byte of the file that follows `head`.
        promised_bytes (`int`, *optional*): Size of the audio data that the header states; `None` where it states none.
        available_bytes (`int`, *optional*): Size of the audio data that is there.
        promises_frames (`bool`): Whether the frame count that libsndfile reports is the container's own statement
            (FLAC, and MP3 with a Xing or Info tag) and not an estimate.
        cut_short (`bool`): The container shows its end to be missing without saying how much (Ogg).
        note (`str`, *optional*): What was repaired.
    """

    head: bytes = b""
    offset: int = 0
    promised_bytes: int | None = None
    available_bytes: int | None = None
    promises_frames: bool = False
    cut_short: bool = False
    note: str | None = None


class SplicedFile(io.RawIOBase):
    """A read-only view: `head`, then `file` from byte `offset` on. It has no name, so no library guesses by one."""

    def __init__(self, file: BinaryIO, head: bytes = b"", offset: int = 0):
        self._file, self._head, self._offset = file, head, offset
        self._size = len(head) + max(0, file.seek(0, io.SEEK_END) - offset)
        self._position = 0
        #: An `OSError` met while reading: libsndfile's callbacks cannot raise it.
        self.error: OSError | None = None

    def readable(self) -> bool:
        """Return `True`."""
        return True

    def seekable(self) -> bool:
        """Return `True`."""
        return True

    def tell(self) -> int:
        """Return the position within the view, in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position within the view, in bytes."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Fill a buffer; returns 0 at the end, and after an error that `error` then holds."""
        view = memoryview(buffer).cast("B")
        try:
            count = self._read_head(view)
            if count < len(view):
                self._file.seek(self._offset + self._position + count - len(self._head))
                count += self._file.readinto(view[count:])  # type: ignore[attr-defined]
        except OSError as error:
            self.error = error
            return 0
        self._position += count
        return count

    def _read_head(self, view: memoryview) -> int:
        part = self._head[self._position : self._position + len(view)]
        view[: len(part)] = part
        return len(part)


def inspect(file: BinaryIO) -> Container:
    """Read the header of an audio file.

    Args:
        file (binary file): Open for reading and seekable; its position is changed.

    Returns:
        [`Container`]: For formats that are not looked into, the plain file.
    """
    size = file.seek(0, io.SEEK_END)
    start = _skip_tags(file, size)
    magic = _read(file, start, 12)
    if magic[:4] in (b"RIFF", b"RF64") and magic[8:12] == b"WAVE":
        return _inspect_wave(file, start, size)
    if magic[:4] == b"FORM" and magic[8:12] in (b"AIFF", b"AIFC"):
        return _inspect_aiff(file, start, size)
    if magic[:4] == b".snd":
        return _inspect_au(file, start, size)
    if magic[:4] == b"fLaC":
        return Container(offset=start, promises_frames=True)
    if magic[:4] == b"OggS":
        return Container(offset=start, cut_short=not _ogg_is_whole(file, size))
    if _frame_length(magic[:4]):
        return _inspect_mp3(file, start, size)
    return Container()


def foreign_format(file: BinaryIO) -> tuple[str, bool] | None:
    """Name a format that libsndfile cannot read, from the file's first bytes.

    Returns:
        `tuple[str, bool]`: The format's name and whether it is audio at all (then converting it is the cure), or `None`.
    """
    magic = _read(file, 0, 64)
    if magic[4:8] == b"ftyp":
        return ("AAC/M4A" if magic[8:11] in (b"M4A", b"M4B") else "MP4 (AAC)"), True
    if len(magic) > 1 and magic[0] == 0xFF and magic[1] & 0xF6 == 0xF0:
        return "AAC (ADTS)", True
    for start, name, is_audio in _FOREIGN:
        if magic.startswith(start):
            return name, is_audio
    text = magic.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page (did the download fail?)", False
    return None


_FOREIGN = (
    (bytes.fromhex("3026B2758E66CF11"), "WMA", True),
    (b"\x1aE\xdf\xa3", "Matroska/WebM", True),
    (b"MAC ", "Monkey's Audio (APE)", True),
    (b"wvPk", "WavPack", True),
    (b"DSD ", "DSF", True),
    (b"#!AMR", "AMR", True),
    (b".RMF", "RealMedia", True),
    (b"MThd", "MIDI (notes, not sound)", False),
    (b"version https://git-lfs", "a Git LFS pointer, not the audio (run `git lfs pull`)", False),
    (b"\x89PNG", "a PNG picture", False),
    (b"\xff\xd8\xff", "a JPEG picture", False),
    (b"PK\x03\x04", "a ZIP archive (unpack it first)", False),
    (b"\x1f\x8b", "a gzip archive (unpack it first)", False),
    (b"%PDF", "a PDF document", False),
)


def _read(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _skip_tags(file: BinaryIO, size: int) -> int:
    """Return the first byte after any ID3v2 tags and, only then, zeros."""
    start = 0
    while (header := _read(file, start, 10))[:3] == b"ID3" and len(header) == 10:
        length = 0
        for byte in header[6:]:
            length = length << 7 | byte & 0x7F
        start += 10 + length + (10 if header[5] & 0x10 else 0)
    while start and start < size:
        block = _read(file, start, _STEP)
        rest = block.lstrip(b"\0")
        start += len(block) - len(rest)
        if rest:
            break
    return start if start < size else 0


def _inspect_wave(file: BinaryIO, start: int, size: int) -> Container:
    position, wide_size = start + 12, None
    for _ in range(_MAX_CHUNKS):
        header = _read(file, position, 8)
        if len(header) < 8:
            break
        name, length = header[:4], struct.unpack("<I", header[4:])[0]
        if name == b"ds64":
            wide_size = struct.unpack("<Q", _read(file, position + 16, 8).ljust(8, b"\0"))[0]
        if name == b"data":
            return _wave_data(file, start, position + 8, length, wide_size, size)
        position += 8 + length + length % 2
    return Container(offset=start)


def _wave_data(file: BinaryIO, start: int, data: int, length: int, wide_size: int | None, size: int) -> Container:
    available = size - data
    if length == 0xFFFFFFFF and wide_size is not None:
        return Container(offset=start, promised_bytes=wide_size, available_bytes=available)
    if length == 0 and available > 0 and not _is_riff_chunk(file, data, size):
        head = _read(file, start, data - start - 4) + struct.pack("<I", min(available, 0xFFFFFFFF))
        note = f"repaired: the header says 0 bytes of audio, {available} are there"
        return Container(head=head, offset=data, note=note)
    return Container(
        offset=start, promised_bytes=None if length >= _UNKNOWN_SIZE else length, available_bytes=available
    )


def _is_riff_chunk(file: BinaryIO, position: int, size: int) -> bool:
    """Whether a plausible chunk (`LIST`, `id3 `, ...) starts here, so that the data chunk before it is truly empty."""
    header = _read(file, position, 8)
    if len(header) < 8 or not all(32 <= byte < 127 for byte in header[:4]):
        return False
    return position + 8 + struct.unpack("<I", header[4:])[0] <= size


def _inspect_aiff(file: BinaryIO, start: int, size: int) -> Container:
    position = start + 12
    for _ in range(_MAX_CHUNKS):
        header = _read(file, position, 8)
        if len(header) < 8:
            break
        length = struct.unpack(">I", header[4:])[0]
        if header[:4] == b"SSND":
            return Container(
                offset=start, promised_bytes=max(0, length - 8), available_bytes=max(0, size - position - 16)
            )
        position += 8 + length + length % 2
    return Container(offset=start)


def _inspect_au(file: BinaryIO, start: int, size: int) -> Container:
    header = _read(file, start, 12)
    if len(header) < 12:
        return Container(offset=start)
    data, length = struct.unpack(">II", header[4:])
    available = max(0, size - start - data)
    if length == 0 and available:
        head = header[:8] + struct.pack(">I", min(available, 0xFFFFFFFE))
        note = f"repaired: the header says 0 bytes of audio, {available} are there"
        return Container(head=head, offset=start + 12, note=note)
    return Container(
        offset=start, promised_bytes=None if length >= _UNKNOWN_SIZE else length, available_bytes=available
    )


def _ogg_is_whole(file: BinaryIO, size: int) -> bool:
    """Whether the last Ogg page is complete and marked as the end of its stream (RFC 3533: at most 65,307 bytes)."""
    tail = _read(file, max(0, size - 2 * _STEP), 2 * _STEP)
    last = tail.rfind(b"OggS")
    if last < 0 or last + 27 > len(tail):
        return False
    lengths = tail[last + 27 : last + 27 + tail[last + 26]]
    whole = len(lengths) == tail[last + 26] and last + 27 + len(lengths) + sum(lengths) <= len(tail)
    return whole and bool(tail[last + 5] & 0x04)


# MPEG layer III: versions 1, 2 and 2.5 by the two version bits.
_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MP3_KBPS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_KBPS[0] = _MP3_KBPS[2]


def _frame_length(header: bytes) -> int:
    """Return the bytes of the MPEG layer III frame that starts with these four bytes, 0 where none does."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, bitrate, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return 0
    factor = 144000 if version == 3 else 72000
    return factor * _MP3_KBPS[version][bitrate] // _MP3_RATES[version][rate] + (header[2] >> 1 & 1)


def _inspect_mp3(file: BinaryIO, start: int, size: int) -> Container:
    """Count the frames: libsndfile never reads beyond a header's count, or beyond its estimate where there is none."""
    first = _read(file, start, _frame_length(_read(file, start, 4)))
    frames = _count_frames(file, start, size)
    if frames < 2:
        return Container(offset=start)
    tag = _tag_offset(first)
    if first[tag : tag + 4] not in (b"Xing", b"Info") or len(first) < tag + 12:
        return Container(head=_counting_frame(first[:4], frames), offset=start)
    if not first[tag + 7] & 1:  # the tag does not count frames
        return Container(head=_counting_frame(first[:4], frames - 1), offset=start + len(first))
    stated = struct.unpack(">I", first[tag + 8 : tag + 12])[0]
    if frames - 1 <= stated:
        return Container(offset=start, promises_frames=True)
    head = first[: tag + 8] + struct.pack(">I", frames - 1) + first[tag + 12 :]
    note = f"repaired: the header says {stated} MP3 frames, {frames - 1} are there"
    return Container(head=head, offset=start + len(first), note=note)


def _count_frames(file: BinaryIO, position: int, size: int) -> int:
    """Count the frames from `position` on, the tag's frame included; garbage between frames is skipped."""
    frames = 0
    while position < size:
        file.seek(position)
        header = file.read(4)
        length = _frame_length(header)
        if length:
            frames += 1
            position += length
            continue
        if header[:3] == b"TAG" or header == b"APET":
            break
        position = _next_frame(file, position + 1)
        if position < 0:
            break
    return frames


def _next_frame(file: BinaryIO, position: int) -> int:
    """Return the next place within one step where two frames follow each other, or -1."""
    block = _read(file, position, _STEP)
    found = block.find(b"\xff")
    while found >= 0:
        length = _frame_length(block[found : found + 4])
        if length and _frame_length(block[found + length : found + length + 4]):
            return position + found
        found = block.find(b"\xff", found + 1)
    return -1


def _tag_offset(frame: bytes) -> int:
    """Return where a Xing or Info tag would stand: after the four header bytes and the side information."""
    is_mono, is_mpeg1 = frame[3] >> 6 == 3, frame[1] >> 3 & 3 == 3
    return 4 + ((17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17))


def _counting_frame(header: bytes, frames: int) -> bytes:
    """Build a Xing frame that states how many frames follow; it carries no audio and decoders skip it."""
    # No checksum, bitrate index 9 (128 or 80 kbit/s: room for the tag at every rate), no padding.
    header = bytes((0xFF, header[1] | 1, 0x90 | header[2] & 0x0C, header[3]))
    frame = header.ljust(_tag_offset(header), b"\0") + b"Xing" + struct.pack(">II", 1, frames)
    return frame.ljust(_frame_length(header), b"\0")
