"""AAC, M4A and WMA, which libsndfile does not read, by way of an `ffmpeg` program where there is one on PATH.

It decodes to an unnamed WAV file in the temporary folder, which is then read as any other. The process may read that one
file and nothing else, has a time limit and a limit on what it writes; if this process dies, the file goes with it.
"""

import os
import shutil
import subprocess
import tempfile
from typing import BinaryIO

from mgc_hf.errors import AudioError

#: Formats that are read so, as `foreign_format` names them -> ffmpeg's demuxer.
DEMUXERS = {"AAC/M4A": "mov", "MP4 (AAC)": "mov", "AAC (ADTS)": "aac", "WMA": "asf"}
#: Seconds that decoding one file may take.
TIME_LIMIT = 600
# what a decoder may write, bytes: speech at 8 kbit/s becomes 48 kHz stereo floats, 384 times as large
_GROWTH, _ROOM = 400, 2**26


def program() -> str | None:
    """Return the path of ffmpeg, `None` where there is none."""
    return shutil.which("ffmpeg")


def to_wave(file: BinaryIO, form: str, name: str) -> BinaryIO:
    """Decode a file to WAV of 32-bit floats at its own rate and channels.

    Args:
        file (binary file): Open for reading; on the disk or in memory.
        form (`str`): The container, one of `DEMUXERS`.
        name (`str`): What messages call it.

    Returns:
        Binary file: Open for reading, from its start.

    Raises:
        AudioError: There is no ffmpeg, it refuses the file, or it takes too long.
    """
    found = program()
    if found is None:
        raise AudioError(name, "needs ffmpeg, and there is none on PATH", "unsupported")
    size = file.seek(0, os.SEEK_END)
    output = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        with tempfile.NamedTemporaryFile(prefix="mgc_hf-") as held:
            file.seek(0)
            shutil.copyfileobj(file, held)
            held.flush()
            command = _command(found, DEMUXERS[form], held.name, _ROOM + _GROWTH * size)
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                timeout=TIME_LIMIT,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        output.close()
        raise AudioError(name, f"ffmpeg was at it for {TIME_LIMIT} s and was stopped") from error
    except OSError as error:
        output.close()
        raise AudioError(name, f"could not be decoded by ffmpeg ({error.strerror})") from error
    if done.returncode or not output.seek(0, os.SEEK_END):
        output.close()
        told = done.stderr.decode("utf-8", "replace").replace(f"file:{held.name}: ", "")
        lines = told.strip().splitlines() or [f"exit status {done.returncode}"]
        raise AudioError(name, f"not readable as audio (ffmpeg: {lines[-1].split('] ')[-1][:200]})")
    output.seek(0)
    return output


def _command(found: str, demuxer: str, path: str, most_bytes: int) -> list[str]:
    # the container is named, so that a playlist in the clothes of a song leads nowhere
    return [
        *(
            found,
            "-hide_banner",
            "-nostdin",
            "-loglevel",
            "error",
            "-protocol_whitelist",
            "file,pipe",
            "-threads",
            "1",
        ),
        *("-f", demuxer, "-i", f"file:{path}", "-map", "0:a:0", "-vn", "-sn", "-dn"),
        *("-c:a", "pcm_f32le", "-bitexact", "-fs", str(most_bytes), "-f", "wav", "pipe:1"),
    ]
