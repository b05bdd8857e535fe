"""Make `model_cards/` anew: train each system on the real clips, judge its weights again, keep all but the weights.

    python scripts/make_cards.py                  # all; about ten minutes on two cores
    python scripts/make_cards.py lstm-gtzan-subset --outputs outputs/cards
    python scripts/make_cards.py --scores_only    # of the committed predictions, where a new figure is to be had

A run that is finished in `--outputs` is not trained again. Before its files are taken, its weights are read back and
evaluated on the split's test part: the figures must be those of its card.
"""

import argparse
import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mgc_hf
from mgc_hf.cards.card import render_card
from mgc_hf.cards.index import render_index
from mgc_hf.data.sources import read_corpus
from mgc_hf.evaluation.score import score
from mgc_hf.files import write_text
from mgc_hf.hub import list_contents
from mgc_hf.leaks import artists_of
from mgc_hf.pictures import draw_all
from mgc_hf.predictions import Predictions
from mgc_hf.results import RunResult

ROOT = Path(__file__).parents[1]
CARDS, SHARED = ROOT / "model_cards", ROOT / ".." / "shared"
CLIPS = SHARED / "gtzan-subset"

_SCRATCH = ("--from_scratch", "--size", "tiny")
#: Folder -> recipe and options.
SYSTEMS = {
    "lstm-gtzan-subset": ("lstm.py",),
    "hubert-tiny-gtzan-subset": ("hubert.py", *_SCRATCH),
    "wavlm-tiny-gtzan-subset": ("wavlm.py", *_SCRATCH),
    "wav2vec2-tiny-gtzan-subset": ("wav2vec2.py", *_SCRATCH),
    "whisper-tiny-encoder-gtzan-subset": (
        *("audio_model.py", "--model_name_or_path"),
        *(str(SHARED / "checkpoints" / "whisper-tiny.en-encoder"), "--base_model", "openai/whisper-tiny.en"),
    ),
}
#: What of a run is kept: all that is published but the model itself, and the licence, which stands at the top.
_LEFT_OUT = (".safetensors", ".py", "config.json", "LICENSE")


def make(name: str, outputs: Path) -> None:
    """Train, judge again and keep one system."""
    recipe, *options = SYSTEMS[name]
    folder = outputs / name
    command = [sys.executable, str(ROOT / "recipes" / recipe), "--dataset", str(CLIPS), "--output_dir", str(folder)]
    subprocess.run([*command, *options, "--resume"], check=True)
    result = RunResult.load(folder / "results.json")
    again = mgc_hf.evaluate(str(folder), str(CLIPS), split=folder / "split.json")
    for level, scores in result.levels.items():
        found, said = again.levels[level].accuracy.value, scores.accuracy.value
        if abs(found - said) > 1e-9:
            raise SystemExit(f"{name}: the weights give {found:.4f} of {level}s, the card says {said:.4f}")
    target = CARDS / name
    shutil.rmtree(target, ignore_errors=True)
    for content in list_contents(folder):
        if not content.path.endswith(_LEFT_OUT):
            (target / content.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(content.file, target / content.path)


def score_again(folder: Path) -> None:
    """Compute a record's scores from its committed predictions, and draw the pictures that show scores."""
    result, predictions = RunResult.load(folder / "results.json"), Predictions.load(folder / "predictions.parquet")
    test = predictions.of_part("test")
    artist_of = artists_of(read_corpus(CLIPS), set(test.track_id))
    track, segment = score(
        test, validation=predictions.of_part("validation"), artist_of=artist_of, seed=result.seed or 0
    )
    result = dataclasses.replace(result, track=track, segment=segment)
    draw_all(result, None, folder, ("confusion_matrix_track", "confusion_matrix_segment", "reliability"))
    result.save(folder / "results.json")


def write_pages() -> None:
    """Render cards and index from the committed records."""
    results = {path.parent.name: RunResult.load(path) for path in CARDS.glob("*/results.json")}
    for name, result in results.items():
        write_text(CARDS / name / "README.md", render_card(result))
    write_text(CARDS / "README.md", render_index(results))


def main() -> None:
    """Make the systems named, all by default, then the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="*", choices=[[], *SYSTEMS], help="which (default: all)")
    parser.add_argument("--outputs", type=Path, default=ROOT / "outputs" / "cards")
    parser.add_argument("--scores_only", action="store_true", help="only score the records' predictions again")
    parser.add_argument("--pages_only", action="store_true", help="only render cards and index from the records")
    arguments = parser.parse_args()
    if not arguments.pages_only:
        if not CLIPS.is_dir():
            raise SystemExit(f"{CLIPS}: the real clips are not at hand")
        os.chdir(ROOT)
        for name in arguments.systems or SYSTEMS:
            if arguments.scores_only:
                score_again(CARDS / name)
            else:
                make(name, arguments.outputs)
    write_pages()


if __name__ == "__main__":
    main()
