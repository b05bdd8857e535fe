"""How fast a catalogue is labelled, against loading each file by librosa, and whether memory grows with its length.

    python benchmarks/predict.py                  # 1,000 clips; about five minutes on two cores
    python benchmarks/predict.py --clips 100

The model is an LSTM with random weights: its speed is that of a trained one. The clips are noise under slow swells, 30 s
of 22,050 Hz mono WAV. Ours is the labelling of the command, to JSON lines; the peers are
`librosa.load`, librosa's log-mel for each 3 s window (or one for the clip, cut after), and one forward pass a clip, on
the same model and threads. Both have the model loaded, and take turns: a part of the clips by each, round by round; the
ratio is of medians. Time and peak memory of the whole command, start included, are given for a tenth of the clips and
for all. For a HuBERT of base size the time within the
model is taken as a part of the labelling's. Ends with status 1 where a bar is not met.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch

from mgc_hf.data.threads import count_threads
from mgc_hf.inference import GenreClassifier
from mgc_hf.labelling import Item, label, open_output
from mgc_hf.labels import GTZAN_GENRES
from mgc_hf.models.build import build_model

RATE, SECONDS = 22_050, 30.0


def make_clips(folder: Path, number: int) -> None:
    """Write clips of 30 s of mono WAV."""
    swell = np.sin(np.linspace(0, 40, round(RATE * SECONDS))) * 0.3
    for index in range(number):
        noise = np.random.default_rng(index).standard_normal(len(swell), dtype=np.float32) * 0.2
        soundfile.write(folder / f"{index:05d}.wav", noise * swell, RATE, subtype="PCM_16")


def save_model(name: str, folder: Path, **values: object) -> None:
    """Save a model with random weights and ten genres."""
    torch.manual_seed(0)
    model, extractor = build_model(name, GTZAN_GENRES, segment_seconds=values.pop("segment_seconds", 3.0), **values)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)


def command(clips: Path, model: Path, output: Path) -> tuple[float, float]:
    """Label by the command; return its seconds and its peak memory in MiB."""
    script = (
        "import json, resource, sys; sys.argv[0] = 'mgc-hf'\n"
        "from mgc_hf.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))"
    )
    words = ["predict", str(clips), "--model", str(model), "--output", str(output), "--batch_size", "64"]
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script, *words], check=True, capture_output=True, text=True)
    return time.perf_counter() - began, float(json.loads(done.stdout.splitlines()[-1]))


def ours(files: list[Path], classifier: GenreClassifier, output: Path) -> float:
    """Label as the command does; return seconds."""
    began = time.perf_counter()
    out, done = open_output(str(output), classifier.genres)
    for _ in label(classifier, [Item(str(file)) for file in files], out.write, done=done, threads=count_threads()):
        pass
    out.close()
    return time.perf_counter() - began


def by_librosa(files: list[Path], classifier: GenreClassifier, each_window: bool) -> float:
    """Label the plain way; return seconds."""
    extractor, model = classifier.feature_extractor, classifier.model
    values = {
        "sr": RATE,
        "n_fft": extractor.n_fft,
        "hop_length": extractor.hop_length,
        "n_mels": extractor.num_mel_bins,
    }
    length, frames = 3 * RATE, 3 * RATE // extractor.hop_length
    began = time.perf_counter()
    for file in files:
        samples, _ = librosa.load(file, sr=RATE)
        if each_window:
            starts = range(0, len(samples) - length + 1, length)
            windows = [samples[start : start + length] for start in starts]
            mels = [librosa.power_to_db(librosa.feature.melspectrogram(y=y, **values)) for y in windows]
        else:
            whole = librosa.power_to_db(librosa.feature.melspectrogram(y=samples, **values))
            mels = [whole[:, at : at + frames] for at in range(0, whole.shape[1] - frames + 1, frames)]
        batch = torch.from_numpy(np.stack(mels).transpose(0, 2, 1).copy())
        with torch.inference_mode():
            model(input_features=batch).logits.softmax(-1).mean(0)
    return time.perf_counter() - began


def share_of_the_model(folder: Path, files: list[Path]) -> float:
    """Return the part of the labelling's time that is spent within the model's forward pass."""
    classifier, inside = GenreClassifier.from_pretrained(folder), [0.0, 0.0]
    classifier.model.register_forward_pre_hook(lambda *_: inside.__setitem__(0, time.perf_counter()))
    classifier.model.register_forward_hook(
        lambda *_: inside.__setitem__(1, inside[1] + time.perf_counter() - inside[0])
    )
    began = time.perf_counter()
    for _ in label(classifier, [Item(str(file)) for file in files], lambda row: None, threads=2):
        pass
    return inside[1] / (time.perf_counter() - began)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--peer_clips", type=int, default=40, help="Clips that each peer labels a round.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--speech_clips", type=int, default=6)
    arguments = parser.parse_args()
    rows: list[tuple[str, str, str, bool]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("all", "tenth", "lstm", "hubert"):
            (folder / part).mkdir()
        make_clips(folder / "all", arguments.clips)
        files = sorted((folder / "all").iterdir())
        for file in files[::10]:
            (folder / "tenth" / file.name).hardlink_to(file)
        save_model("mel_lstm", folder / "lstm")
        classifier = GenreClassifier.from_pretrained(folder / "lstm", batch_size=64)
        size = len(files) // arguments.rounds
        by_librosa(files[:2], classifier, True)
        ours(files[:2], classifier, folder / "warm.jsonl")
        rates: dict[str, list[float]] = {"ours": [], "window": [], "clip": []}
        for number in range(arguments.rounds):
            part = files[number * size : (number + 1) * size]
            some = part[: arguments.peer_clips]
            rates["ours"].append(len(part) / ours(part, classifier, folder / f"{number}.jsonl"))
            rates["window"].append(len(some) / by_librosa(some, classifier, True))
            rates["clip"].append(len(some) / by_librosa(some, classifier, False))
        few_seconds, few_memory = command(folder / "tenth", folder / "lstm", folder / "few.jsonl")
        seconds, memory = command(folder / "all", folder / "lstm", folder / "all.jsonl")
        rate, window, clip = (statistics.median(rates[key]) for key in ("ours", "window", "clip"))
        rows += [
            ("clips a second", f"{rate:.1f}", "", True),
            ("librosa, a log-mel a window", f"{window:.1f}; ours {rate / window:.2f} x", ">= 4 x", rate >= 4 * window),
            ("librosa, a log-mel a clip", f"{clip:.1f}; ours {rate / clip:.2f} x", ">= 2.5 x", rate >= 2.5 * clip),
            (
                "the whole command",
                f"{few_seconds:.1f} s for {len(files[::10])}, {seconds:.1f} s for {len(files)}",
                "",
                True,
            ),
            (
                "its peak memory",
                f"{few_memory:.0f} MiB for {len(files[::10])}, {memory:.0f} MiB for {len(files)}",
                "flat: within 50 MiB",
                memory - few_memory < 50,
            ),
        ]
        if arguments.speech_clips:
            save_model("facebook/hubert-base-ls960", folder / "hubert", from_scratch=True)
            share = share_of_the_model(folder / "hubert", files[: arguments.speech_clips])
            rows.append(("HuBERT base: time within the model", f"{100 * share:.1f} %", ">= 85 %", share >= 0.85))
    print(f"{arguments.clips} clips of {SECONDS:g} s, {torch.get_num_threads()} threads\n")
    print("| what | measured | bar | |\n|---|---|---|---|")
    for what, measured, bar, met in rows:
        print(f"| {what} | {measured} | {bar} | {'met' if met else '**not met**'} |")
    sys.exit(not all(met for *_, met in rows))


if __name__ == "__main__":
    main()
