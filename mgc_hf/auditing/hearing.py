"""What an audit takes from the sound of each clip: digests, landmarks, and what is odd about the file."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgc_hf.data.audio import decode
from mgc_hf.data.fingerprint import FINGERPRINT_RATE, Fingerprint, fingerprint
from mgc_hf.data.threads import count_threads, map_in_order
from mgc_hf.errors import AudioError

if TYPE_CHECKING:
    import datasets


@dataclass(frozen=True)
class HeardClip:
    """One clip as it was heard.

    Args:
        file_digest (`bytes`): SHA-256 of the file.
        samples_digest (`bytes`): SHA-256 of its samples, mixed to mono at 8 kHz: the same for any lossless form of them.
        landmarks ([`Fingerprint`]): Of the same samples.
        seconds (`float`): Length.
        notes (`tuple[str, ...]`): What is odd about the file, though it is usable (named for another format, repaired,
            channels that cancel, over full scale).
    """

    file_digest: bytes
    samples_digest: bytes
    landmarks: Fingerprint
    seconds: float
    notes: tuple[str, ...]


def hear(dataset: "datasets.Dataset") -> Iterator[HeardClip]:
    """Hear every clip of a data set once, in its order, on a few threads.

    Args:
        dataset (`datasets.Dataset`): As [`Corpus`] has it.

    Raises:
        AudioError: A file has changed since the data set was read.
    """
    for _, heard in map_in_order(_hear, dataset["audio"], count_threads()):
        yield heard


def _hear(audio: dict[str, Any]) -> HeardClip:
    content, path = audio["bytes"], audio["path"]
    if content is None:
        try:
            with Path(path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
        except OSError as error:
            raise AudioError(path, f"cannot be read ({error.strerror})") from error
    else:
        digest = hashlib.sha256(content)
    decoded = decode(path if content is None else content, FINGERPRINT_RATE, name=path)
    samples = decoded.samples
    return HeardClip(
        digest.digest(),
        hashlib.sha256(samples.data).digest(),
        fingerprint(samples),
        decoded.seconds,
        decoded.notes,
    )
