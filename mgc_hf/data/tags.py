"""Who plays, by what is written in an audio file itself: ID3 tags, Vorbis comments, and the INFO list of a WAV."""

import io
import os

from mgc_hf.data.artists import known


def artist_tag(source: str | os.PathLike[str] | bytes) -> str | None:
    """Return the artist that a file's tags name.

    Args:
        source (`str`, `PathLike` or `bytes`): The file, or its content.

    Returns:
        `str` or `None`: `None` where there is no such tag, it names nobody ("Unknown Artist"), or the file or its tags
        cannot be read: who plays is not worth failing for.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else os.fspath(source)) as file:
            artist = " ".join(file.copy_metadata().get("artist", "").split())
    except (soundfile.SoundFileError, OSError, TypeError, ValueError):
        return None
    return artist if known(artist) else None
