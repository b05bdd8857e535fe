"""How fast log-mel features are made: ours, librosa clip by clip, and the Fourier transforms alone, their limit.

    python benchmarks/features.py                                    # 100 synthetic clips of 3 s
    python benchmarks/features.py --audio ../shared/gtzan-subset     # excerpts of real music

The four are run in turn, `--repeats` times, on the same clips; a ratio is the median over the rounds, so that a change
in the machine's load meets all of them. "FFTs alone" is one `torch.fft.rfft` over frames that lie ready (windowed, in
memory); "FFTs in chunks" is the same 130 frames at a time, which spares memory and is the harder limit. BLAS, OpenMP
and torch get the same number of threads. Ends with status 1 if the features differ from librosa's by more than 0.001 dB
within 60 dB of a clip's maximum or by more than 0.01 dB below.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from mgc_hf.data.audio import decode
from mgc_hf.models.mel_lstm import LogMelFeatureExtractor

RATE = 22050
CHUNK_FRAMES = 130
SUFFIXES = {".wav", ".au", ".flac", ".ogg", ".mp3"}


def synthetic_clip(seed: int, num_samples: int) -> np.ndarray:
    """Return decaying harmonics over noise that falls by 3 dB an octave, in 16-bit steps, float32 `(num_samples,)`."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(num_samples) / RATE
    spectrum = np.fft.rfft(rng.standard_normal(num_samples)) / np.sqrt(np.arange(1, num_samples // 2 + 2))
    clip = 0.05 * np.fft.irfft(spectrum, num_samples) / np.std(np.fft.irfft(spectrum, num_samples))
    for start in np.arange(0, num_samples, RATE // 4):
        pitch, after = 55 * 2 ** rng.uniform(0, 4), seconds[: num_samples - start]
        for harmonic in range(1, 9):
            clip[start:] += 0.1 / harmonic * np.exp(-4 * after) * np.sin(2 * np.pi * pitch * harmonic * after)
    return (np.round(np.clip(clip, -1, 1) * 32767) / 32768).astype(np.float32)


def real_clips(folder: Path, count: int, num_samples: int) -> list[np.ndarray]:
    """Return excerpts of the files in `folder`, taken in turn from each."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise SystemExit(f"--audio {folder}: there is no audio in it")
    tracks = [decode(path, sampling_rate=RATE).samples for path in files[:count]]
    tracks = [track for track in tracks if len(track) >= num_samples]
    if not tracks:
        raise SystemExit(f"--audio {folder}: no file lasts {num_samples / RATE:g} s")
    rng, clips = np.random.default_rng(0), []
    for index in range(count):
        track = tracks[index % len(tracks)]
        start = rng.integers(len(track) - num_samples + 1)
        clips.append(track[start : start + num_samples])
    return clips


def librosa_features(clips: list[np.ndarray]) -> list[np.ndarray]:
    """Return librosa's features, clip by clip, each `(num_mel_bins, num_frames)`."""
    return [
        librosa.power_to_db(librosa.feature.melspectrogram(y=clip, sr=RATE), ref=1.0, amin=1e-10, top_db=None)
        for clip in clips
    ]


def ready_frames(clips: list[np.ndarray]) -> torch.Tensor:
    """Return the windowed frames of all clips, `(num_frames, 2048)`."""
    frames = [torch.nn.functional.pad(torch.from_numpy(clip), (1024, 1024)).unfold(0, 2048, 512) for clip in clips]
    return torch.cat(frames) * torch.hann_window(2048)


def transform_in_chunks(frames: torch.Tensor) -> None:
    """Transform frames without keeping the results."""
    for chunk in frames.split(CHUNK_FRAMES):
        torch.fft.rfft(chunk)


def measure(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, np.ndarray]:
    """Run each in turn; return wall and processor seconds, `(repeats, 2)` for each."""
    for run in runs.values():
        run()
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            time.sleep(0.1)  # OpenBLAS's and OpenMP's threads spin on for a while after their work
            wall, processor = time.perf_counter(), time.process_time()
            run()
            seconds[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {name: np.array(values) for name, values in seconds.items()}


def differences(clips: list[np.ndarray], ours: np.ndarray) -> tuple[float, float]:
    """Return the largest difference from librosa within 60 dB of a clip's maximum, and below, dB."""
    near, far = 0.0, 0.0
    for theirs, mine in zip(librosa_features(clips), ours, strict=True):
        difference, floor = np.abs(theirs.T - mine), theirs.max() - 60
        loud = (theirs > floor).T
        near = max(near, float(difference[loud].max()))
        far = max(far, float(difference[~loud].max(initial=0.0)))
    return near, far


def main() -> int:
    """Print speeds and ratios for each number of threads; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100, help="number of clips (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a clip (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=9, help="rounds (default: %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="(default: 1 2)")
    parser.add_argument("--audio", type=Path, help="folder with music to take excerpts of")
    args = parser.parse_args()

    num_samples = round(args.seconds * RATE)
    if args.audio:
        clips = real_clips(args.audio, args.clips, num_samples)
    else:
        clips = [synthetic_clip(seed, num_samples) for seed in range(args.clips)]
    extractor, frames = LogMelFeatureExtractor(), ready_frames(clips)
    runs: dict[str, Callable[[], object]] = {
        "librosa": lambda: librosa_features(clips),
        "ours": lambda: extractor(clips, sampling_rate=RATE, return_tensors="pt"),
        "FFTs alone": lambda: torch.fft.rfft(frames),
        "FFTs in chunks": lambda: transform_in_chunks(frames),
    }
    print(f"{len(clips)} clips of {args.seconds:g} s at {RATE} Hz, {len(frames)} frames, {args.repeats} rounds")
    for threads in args.threads:
        before = torch.get_num_threads()
        with threadpool_limits(threads):
            torch.set_num_threads(threads)
            seconds = measure(runs, args.repeats)
        torch.set_num_threads(before)
        print(
            f"\n{threads} thread{'s' * (threads > 1)}: {'':11} ms   cpu ms   audio s per s   speed of ours, wall (cpu)"
        )
        for name, values in seconds.items():
            wall, processor = np.median(values, axis=0)
            ratio = np.median(values / seconds["ours"], axis=0)
            speed = len(clips) * args.seconds / wall
            print(
                f"  {name:16} {wall * 1e3:9.1f} {processor * 1e3:8.1f} {speed:15.0f} {ratio[0]:13.2f} ({ratio[1]:.2f})"
            )

    near, far = differences(clips, extractor(clips, sampling_rate=RATE)["input_features"])
    print(f"\nlargest difference from librosa: {near:.1e} dB within 60 dB of a clip's maximum, {far:.1e} dB below")
    return int(near > 1e-3 or far > 1e-2)


if __name__ == "__main__":
    sys.exit(main())
