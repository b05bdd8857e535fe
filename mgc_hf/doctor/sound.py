"""Which audio formats can be read here, found out by reading a little of each."""

import tempfile
from pathlib import Path

from mgc_hf.doctor.findings import ERROR, OK, WARNING, Finding
from mgc_hf.errors import AudioError
from mgc_hf.libraries import why_hidden

#: Format -> libsndfile's name and subtype.
_FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}


def check_library() -> list[Finding]:
    """Look whether libsndfile can be loaded."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        told = why_hidden("soundfile") or str(error) or type(error).__name__
        text = f"cannot be loaded ({told.splitlines()[0]})"
        cure = "pip install --force-reinstall soundfile, or apt-get install libsndfile1"
        return [Finding("libsndfile", ERROR, text, cure)]
    return [Finding("libsndfile", OK, f"{soundfile.__libsndfile_version__} (soundfile {soundfile.__version__})")]


def check_sound() -> list[Finding]:
    """Decode a tenth of a second of each format, and look for ffmpeg."""
    library = check_library()
    if library[0].status == ERROR:
        return library
    read, failed = [], []
    with tempfile.TemporaryDirectory() as folder:
        for suffix, (form, subtype) in _FORMATS.items():
            problem = _try(Path(folder, f"tone.{suffix}"), form, subtype)
            read += [suffix] if problem is None else []
            failed += [] if problem is None else [f"{suffix} ({problem})"]
    found = [*library, Finding("decoders", OK, f"{', '.join(read)} are read")]
    if failed:
        cure = "pip install -U soundfile"
        found[-1] = Finding("decoders", ERROR, f"cannot read {', '.join(failed)}", cure)
    from mgc_hf.data import ffmpeg

    program = ffmpeg.program()
    if program:
        found.append(Finding("m4a, aac, wma", OK, f"are read by {program}"))
    else:
        text = "are not read: there is no ffmpeg on PATH (all other formats need none)"
        found.append(Finding("m4a, aac, wma", WARNING, text, "apt-get install ffmpeg, where you have such files"))
    return found


def _try(path: Path, form: str, subtype: str) -> str | None:
    import numpy as np
    import soundfile

    from mgc_hf.data.audio import decode

    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4410) / 44_100)
    try:
        soundfile.write(path, tone, 44_100, format=form, subtype=subtype)
        heard = decode(path)
    except (AudioError, soundfile.LibsndfileError, ValueError) as error:
        return str(error)
    return None if 0.3 < float(np.abs(heard.samples).max()) < 0.7 else "decodes to something else"
