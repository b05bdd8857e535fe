"""The embedded demo corpus: synthetic music in the shape of GTZAN, composed by seeded rules and rendered offline.

It stands in for the real data where there is no network: to try a command, to test, to show what a report looks like.
It is no measure of how well a model recognises genres in real recordings. `docs/demo.md` is the page for users.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from mgc_hf.data.demo.record import SAMPLING_RATE
from mgc_hf.labels import GTZAN_GENRES

__all__ = ["DEMO_VERSION", "SAMPLING_RATE", "DemoClip", "generate_demo", "render_clip"]

#: Goes up whenever the same options would give other bytes; part of cache keys.
DEMO_VERSION = 3

_MIN_SECONDS, _MAX_SECONDS = 1.0, 600.0


@dataclass(frozen=True)
class DemoClip:
    """One clip of the demo corpus.

    Args:
        track_id (`str`): Genre and number, such as `"blues.00000"`.
        genre (`str`): One of [`labels.GTZAN_GENRES`].
        wav (`bytes`): A WAV file: 22,050 Hz, mono, 16-bit PCM.
    """

    track_id: str
    genre: str
    wav: bytes


def render_clip(genre: str, index: int, seconds: float = 30.0, seed: int = 0) -> bytes:
    """Compose and render one clip.

    The clip depends on the arguments alone: the same arguments give the same bytes, in any process and any order.

    Args:
        genre (`str`): One of [`labels.GTZAN_GENRES`].
        index (`int`): Number of the clip within its genre, from 0.
        seconds (`float`, *optional*, defaults to 30.0): Length, from 1 to 600 seconds.
        seed (`int`, *optional*, defaults to 0): Seed of the corpus.

    Returns:
        `bytes`: A WAV file: 22,050 Hz, mono, 16-bit PCM, `round(seconds * 22050)` samples.

    Raises:
        ValueError: If an argument is out of range.
        ImportError: If symusic 0.5.9 or the soundfont of pretty_midi is missing.
    """
    from mgc_hf.data.demo.compose import compose
    from mgc_hf.data.demo.record import record, to_wav
    from mgc_hf.data.demo.synth import check_synthesizer

    if genre not in GTZAN_GENRES:
        raise ValueError(f"genre={genre!r} is not one of the demo corpus: {', '.join(GTZAN_GENRES)}")
    if index < 0:
        raise ValueError(f"index={index} must be 0 or more")
    _check_seconds(seconds)
    check_synthesizer()
    rng = Random(f"mgc_hf demo {seed} {genre} {index}")
    return to_wav(record(compose(genre, rng, seconds), rng))


def generate_demo(clips_per_genre: int = 20, seconds: float = 30.0, seed: int = 0) -> Iterator[DemoClip]:
    """Generate the corpus, genre by genre.

    Args:
        clips_per_genre (`int`, *optional*, defaults to 20): Number of clips of each of the ten genres, at least 1.
        seconds (`float`, *optional*, defaults to 30.0): Length of each clip, from 1 to 600 seconds.
        seed (`int`, *optional*, defaults to 0): Other seeds give other music.

    Returns:
        `Iterator[DemoClip]`: `10 * clips_per_genre` clips.

    Raises:
        ValueError: If an option is out of range (at the call, before the first clip).
        ImportError: If symusic 0.5.9 or the soundfont of pretty_midi is missing (at the call too).
    """
    from mgc_hf.data.demo.synth import check_synthesizer

    if clips_per_genre < 1:
        raise ValueError(f"clips_per_genre={clips_per_genre} must be 1 or more")
    _check_seconds(seconds)
    check_synthesizer()
    return (
        DemoClip(f"{genre}.{index:05d}", genre, render_clip(genre, index, seconds, seed))
        for genre in GTZAN_GENRES
        for index in range(clips_per_genre)
    )


def _check_seconds(seconds: float) -> None:
    if not _MIN_SECONDS <= seconds <= _MAX_SECONDS:
        raise ValueError(f"seconds={seconds} must be between {_MIN_SECONDS:g} and {_MAX_SECONDS:g}")
