"""How fast clips become the model's samples: ours against the map of the Hugging Face audio course; and the memory.

    python -m pip install -c constraints.txt -e '.[benchmark]'   # torchcodec, which needs `apt-get install ffmpeg`
    python benchmarks/data.py                                    # 100 synthetic clips of 15 to 19 s
    python benchmarks/data.py --audio ../shared/gtzan-subset     # real ones

The course (unit 4, music classification) casts the column to `Audio(sampling_rate=16000)`, which decodes by torchcodec,
and calls the model's feature extractor, here wav2vec 2.0's, in `map(batched=True, batch_size=100, num_proc=1)`, cut at
30 s. Ours is `decode_tracks`: the extractor's normalisation comes later, once per batch. Both map the same data set and
write a new Arrow file. soundfile and soxr alone, from files to arrays that are dropped, are the limit.

All are run in turn, `--repeats` times, so that a change in the machine's load meets all of them, in two ways: each in a
new process, as a recipe does (imports of datasets, transformers, torch and mgc_hf come before the clock, what a map
loads when it is called does not), and again in one process after a round that is not counted. A ratio is the median
over the rounds. Processor seconds include those of child processes.

Then the memory: how far a new process's peak lies above what its imports took, for 100 and for 1,000 clips (links to
the same files), from the folder to the decoded tracks. Ends with status 1 if ours is less than `--bar` times as fast in
new processes, or if memory grows with the number of clips.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import soundfile
import soxr
from memory import peak_mib
from transformers import Wav2Vec2FeatureExtractor

from mgc_hf import load_gtzan
from mgc_hf.features import decode_tracks

SOURCE_RATE, RATE, MAX_SECONDS, GENRES = 22_050, 16_000, 30, 10
SUFFIXES = {".wav", ".au", ".flac", ".ogg", ".mp3"}
COURSE, OURS = "the course's map", "decode_tracks"
FLAT_MIB = 20  # a difference between peaks below this is noise


def write_clips(folder: Path, count: int, seed: int) -> None:
    """Write noise that falls by 3 dB an octave, 15 to 19 s each, 16-bit mono WAV at 22,050 Hz."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        num_samples = round(rng.uniform(15, 19) * SOURCE_RATE)
        spectrum = np.fft.rfft(rng.standard_normal(num_samples)) / np.sqrt(np.arange(1, num_samples // 2 + 2))
        clip = np.fft.irfft(spectrum, num_samples)
        soundfile.write(folder / f"{number:03d}.wav", 0.1 * clip / clip.std(), SOURCE_RATE, "PCM_16")


def link_clips(source: Path, folder: Path, count: int) -> Path:
    """Make genre folders of links to the audio files in `source`, each in turn."""
    files = sorted(path.resolve() for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise SystemExit(f"{source}: there is no audio in it")
    for number, file in enumerate(itertools.islice(itertools.cycle(files), count)):
        genre = folder / f"genre{number % GENRES}"
        genre.mkdir(parents=True, exist_ok=True)
        (genre / f"{genre.name}.{number:05d}{file.suffix}").symlink_to(file)
    return folder


def course(corpus: datasets.Dataset, folder: Path) -> list[str]:
    """Run the course's map; return the files that it wrote."""
    feature_extractor = Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True, return_attention_mask=True)

    def preprocess_function(examples: dict[str, Any]) -> Any:
        audio_arrays = [x["array"] for x in examples["audio"]]
        return feature_extractor(
            audio_arrays,
            sampling_rate=feature_extractor.sampling_rate,
            max_length=int(feature_extractor.sampling_rate * MAX_SECONDS),
            truncation=True,
            return_attention_mask=True,
        )

    encoded = corpus.cast_column("audio", datasets.Audio(sampling_rate=RATE)).map(
        preprocess_function,
        remove_columns=["audio", "artist"],
        batched=True,
        batch_size=100,
        num_proc=1,
        load_from_cache_file=False,
        cache_file_name=str(folder / "course.arrow"),
    )
    return [file["filename"] for file in encoded.cache_files]


def ours(corpus: datasets.Dataset, folder: Path) -> list[str]:
    """Run `decode_tracks`; return the files that it wrote."""
    return [file["filename"] for file in decode_tracks(corpus, RATE).cache_files]


def alone(corpus: datasets.Dataset, folder: Path, threads: int = 1) -> list[str]:
    """Decode and resample by soundfile and soxr; nothing is written."""

    def resampled(audio: dict[str, Any]) -> None:
        samples, rate = soundfile.read(audio["path"], dtype="float32")
        soxr.resample(samples, rate, RATE)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(resampled, corpus["audio"]))
    return []


def alone_on_two(corpus: datasets.Dataset, folder: Path) -> list[str]:
    """Decode and resample by soundfile and soxr, two clips at a time."""
    return alone(corpus, folder, 2)


RUNS: dict[str, Callable[[datasets.Dataset, Path], list[str]]] = {
    COURSE: course,
    OURS: ours,
    "soundfile + soxr": alone,
    "the same, 2 threads": alone_on_two,
}


def timed(name: str, corpus: datasets.Dataset, folder: Path) -> tuple[float, float]:
    """Return the wall and processor seconds of one run."""
    wall, processor = time.perf_counter(), sum(os.times()[:4])
    written = RUNS[name](corpus, folder)
    seconds = time.perf_counter() - wall, sum(os.times()[:4]) - processor
    for file in written:
        os.unlink(file)
    return seconds


def read(folder: Path, cache: Path) -> datasets.Dataset:
    """Return the clips of a folder as a data set."""
    return load_gtzan(folder, cache_dir=cache)


def child(job: str, folder: Path, cache: Path) -> Any:
    """Do one job of a new process: a run of that name, or the whole way for its memory."""
    if job != "memory":
        return timed(job, read(folder, cache), cache)
    before = peak_mib()
    ours(read(folder, cache), cache)
    return peak_mib() - before


def in_new_process(job: str, folder: Path, cache: Path) -> Any:
    """Return what `child` returns in a process of its own."""
    command = [sys.executable, __file__, "--child", job, str(folder), str(cache)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1])


def show(title: str, seconds: dict[str, list[tuple[float, float]]], minutes: float) -> float:
    """Print medians and ratios; return how many times faster ours is than the course's map."""
    values = {name: np.array(pairs) for name, pairs in seconds.items()}
    print(f"\n{title:42} s   cpu s   minutes of audio per s   times ours, wall (cpu)")
    for name, pairs in values.items():
        wall, processor = np.median(pairs, axis=0)
        times = np.median(pairs / values[OURS], axis=0)
        print(f"  {name:36} {wall:6.3f} {processor:7.3f} {minutes / wall:20.0f} {times[0]:20.2f} ({times[1]:.2f})")
    return float(np.median(values[COURSE][:, 0] / values[OURS][:, 0]))


def main() -> int:
    """Print speeds and memory; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100, help="number of clips (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic clips (default: %(default)s)")
    parser.add_argument("--audio", type=Path, help="folder with audio to use in place of synthetic clips")
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--bar", type=float, default=10.0, help="least speed over the course's (default: %(default)s)")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    datasets.disable_progress_bars()
    if args.child:
        job, folder, cache = args.child
        print(json.dumps(child(job, Path(folder), Path(cache))))
        return 0

    with tempfile.TemporaryDirectory() as name:
        root, source = Path(name), args.audio
        if source is None:
            source = root / "source"
            source.mkdir()
            write_clips(source, args.clips, args.seed)
        folder, cache = link_clips(source, root / "clips", args.clips), root / "cache"
        began = time.perf_counter()
        corpus = read(folder, cache)
        first_read = time.perf_counter() - began
        minutes = sum(soundfile.info(audio["path"]).duration for audio in corpus["audio"]) / 60
        print(f"{len(corpus)} clips, {minutes:.1f} minutes; {args.repeats} rounds")
        print(f"load_gtzan before it, every clip decoded once to check it: {first_read:.2f} s")

        fresh: dict[str, list[tuple[float, float]]] = {job: [] for job in RUNS}
        warm: dict[str, list[tuple[float, float]]] = {job: [] for job in RUNS}
        for _ in range(args.repeats):
            for job in RUNS:
                fresh[job].append(in_new_process(job, folder, cache))
        for number in range(args.repeats + 1):
            for job in RUNS:
                seconds = timed(job, corpus, cache)
                if number:
                    warm[job].append(seconds)
        speed = show("new processes", fresh, minutes)
        warm_speed = show("one process, warm", warm, minutes)
        met = speed >= args.bar
        print(f"\nours over the course's map: {speed:.1f} x ({warm_speed:.1f} x warm); bar {args.bar:g} x: ", end="")
        print("met" if met else "NOT met")

        growth = {}
        for count in (args.clips, 10 * args.clips):
            clips = link_clips(source, root / f"clips{count}", count)
            growth[count] = in_new_process("memory", clips, root / f"cache{count}")
            print(f"peak memory over the imports' own, {count} clips: {growth[count]:.0f} MiB")
        difference = growth[10 * args.clips] - growth[args.clips]
        flat = difference < FLAT_MIB
        print(f"difference {difference:.0f} MiB: {'flat' if flat else 'NOT flat'} (below {FLAT_MIB} MiB)")
    return int(not (met and flat))


if __name__ == "__main__":
    sys.exit(main())
