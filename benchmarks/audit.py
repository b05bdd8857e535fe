"""How well the audit knows a recording again, how often it is wrong, and how long 1,000 clips take.

    python benchmarks/audit.py                                   # the real clips of ../shared/gtzan-subset
    python benchmarks/audit.py --audio path/to/genres --seeds 1  # other clips; the demo corpus where there are none

Each clip is changed in one way, and in all ways at once on an excerpt of 5 s; then originals and copies are searched for
pairs, as `mgc-hf audit` does. A copy counts as found where it is paired with its original; a pair of any other two is
false. Changes that are drawn (where clicks and excerpts lie) are drawn anew for each seed. False pairs are counted among
the originals, and among 1,000 clips of the demo corpus, whose instruments, keys and tempos repeat. The time is that of
hearing these 1,000 clips of 30 s (decoding, digests, landmarks) and of the search, rendering not counted; processor
seconds are of all threads. Ends with status 1 where a bar is not met.
"""

import argparse
import io
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import soundfile
import soxr
from runs import ROOT

from mgc_hf import load_gtzan
from mgc_hf.auditing.hearing import hear
from mgc_hf.data.audio import decode, from_array
from mgc_hf.data.fingerprint import FINGERPRINT_RATE, Fingerprint, fingerprint, same_recordings

Sound = tuple[np.ndarray, int]
Change = Callable[[np.ndarray, int, np.random.Generator], Sound]

SHIFT_SECONDS, EXCERPT_SECONDS, MP3_KBPS = 1.713, 5.0, 64
CLICKS_PER_SECOND, CLICK_LEVEL = 4, 0.8
ALL = "all at once"
SINGLE_BAR, ALL_BAR, DEMO_BAR, SECONDS_BAR = 0.98, 0.90, 1e-5, 90.0


def gain(samples: np.ndarray, rate: int, rng: np.random.Generator) -> Sound:
    """Turn the level down to 0.3."""
    return 0.3 * samples, rate


def shift(samples: np.ndarray, rate: int, rng: np.random.Generator) -> Sound:
    """Begin later."""
    return samples[round(SHIFT_SECONDS * rate) :], rate


def clicks(samples: np.ndarray, rate: int, rng: np.random.Generator) -> Sound:
    """Add clicks of 1 to 4 samples near full scale, of either sign."""
    samples = samples.copy()
    for at in rng.integers(0, len(samples) - 4, round(len(samples) / rate * CLICKS_PER_SECOND)):
        samples[at : at + rng.integers(1, 5)] += rng.choice((-CLICK_LEVEL, CLICK_LEVEL))
    return np.clip(samples, -1, 1), rate


def to_16_khz(samples: np.ndarray, rate: int, rng: np.random.Generator) -> Sound:
    """Resample."""
    return soxr.resample(samples, rate, 16_000), 16_000


def mp3(samples: np.ndarray, rate: int, rng: np.random.Generator) -> Sound:
    """Encode at a constant bit rate and decode again."""
    audio = decode(encoded(samples, rate, mp3_level(rate)))
    return audio.samples, audio.sampling_rate


def excerpt(samples: np.ndarray, rate: int, rng: np.random.Generator, seconds: float = EXCERPT_SECONDS) -> Sound:
    """Cut a piece out, anywhere."""
    length = round(seconds * rate)
    start = rng.integers(0, len(samples) - length + 1)
    return samples[start : start + length], rate


def all_at_once(samples: np.ndarray, rate: int, rng: np.random.Generator) -> Sound:
    """Make all five changes to an excerpt that is 5 s long when they are made."""
    sound = excerpt(samples, rate, rng, EXCERPT_SECONDS + SHIFT_SECONDS)
    for change in (shift, gain, clicks, to_16_khz, mp3):
        sound = change(*sound, rng)
    return sound


CHANGES: dict[str, Change] = {
    "gain x 0.3": gain,
    f"mp3 {MP3_KBPS} kbit/s": mp3,
    "16 kHz": to_16_khz,
    f"shift {SHIFT_SECONDS} s": shift,
    "clicks": clicks,
    f"excerpt {EXCERPT_SECONDS:g} s": excerpt,
    ALL: all_at_once,
}


def encoded(samples: np.ndarray, rate: int, level: float) -> bytes:
    """Return an MP3."""
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format="MP3", bitrate_mode="CONSTANT", compression_level=level)
    return content.getvalue()


_LEVELS: dict[int, float] = {}


def mp3_level(rate: int) -> float:
    """Return libsndfile's compression level that gives the bit rate, found by trying."""
    if rate not in _LEVELS:
        noise = 0.1 * np.random.default_rng(0).standard_normal(10 * rate)
        for level in np.linspace(0, 1, 81):
            if len(encoded(noise, rate, level)) * 8 / 10_000 < MP3_KBPS * 1.02:
                _LEVELS[rate] = float(level)
                break
    return _LEVELS[rate]


def landmarks(samples: np.ndarray, rate: int) -> Fingerprint:
    """Fingerprint a sound as the audit does a file's."""
    return fingerprint(from_array(samples, rate, FINGERPRINT_RATE).samples)


def original_clips(source: Path | None, cache_dir: str) -> list[Sound]:
    """Decode the clips at their own rates."""
    if source is not None:
        data = load_gtzan(source, cache_dir=cache_dir)
    else:
        data = load_gtzan("demo", demo_clips_per_genre=7, cache_dir=cache_dir)
    decoded = [decode(audio["bytes"] or audio["path"]) for audio in data["audio"]]
    return [(audio.samples, audio.sampling_rate) for audio in decoded]


def told(name: str, value: str, bar: str, met: bool) -> bool:
    """Print a row of the table."""
    print(f"| {name} | {value} | {bar} | {'met' if met else 'NOT met'} |", flush=True)
    return met


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, default=ROOT / ".." / "shared" / "gtzan-subset", help="real clips")
    parser.add_argument("--seeds", type=int, default=3, help="draws of each change (default: %(default)s)")
    parser.add_argument("--demo_clips_per_genre", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--cache_dir", help="folder for prepared data, 1.4 GB of it the demo corpus; a temporary one")
    args = parser.parse_args()
    datasets.disable_progress_bars()
    logging.disable(logging.WARNING)
    source = args.audio if args.audio.is_dir() else None
    with tempfile.TemporaryDirectory() as temporary:
        cache_dir = args.cache_dir or temporary
        clips = original_clips(source, cache_dir)
        count = len(clips)
        print(f"{count} clips of {source.resolve().name if source else 'the demo corpus'}, {args.seeds} draws\n")
        print("| what | measured | bar | |\n|---|---|---|---|")
        prints, met = [landmarks(*clip) for clip in clips], []
        for name, change in CHANGES.items():
            found = false = 0
            for seed in range(args.seeds):
                rng = np.random.default_rng(seed)
                copies = [landmarks(*change(*clip, rng)) for clip in clips]
                for match in same_recordings(prints + copies):
                    found += match.second - match.first == count
                    false += (match.second - match.first) % count != 0
            share, bar = found / (count * args.seeds), ALL_BAR if name == ALL else SINGLE_BAR
            value = f"{100 * share:.1f} % of {count * args.seeds} copies, {false} false pairs"
            met.append(told(name, value, f"at least {100 * bar:.0f} %", share >= bar and not false))
        pairs, false = count * (count - 1) // 2, len(same_recordings(prints))
        met.append(told("false pairs among the clips", f"{false} of {pairs:,}", "0", not false))

        corpus = load_gtzan("demo", demo_clips_per_genre=args.demo_clips_per_genre, cache_dir=cache_dir)
        began, processor = time.perf_counter(), time.process_time()
        demo = [heard.landmarks for heard in hear(corpus)]
        heard_after = time.perf_counter() - began
        false = len(same_recordings(demo))
        wall, processor = time.perf_counter() - began, time.process_time() - processor
        pairs = len(demo) * (len(demo) - 1) // 2
        value = f"{false} of {pairs:,}"
        met.append(told("false pairs of the demo corpus", value, "1 in 100,000", false <= DEMO_BAR * pairs))
        value = f"{wall:.0f} s, of which {heard_after:.0f} s to hear them; {processor:.0f} processor seconds"
        met.append(told(f"{len(demo):,} clips of 30 s", value, f"under {SECONDS_BAR:.0f} s", wall < SECONDS_BAR))
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
