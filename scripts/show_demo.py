"""Show what `make demo` has made: load the model folder, name the genre of a new clip, print the top of the card."""

import sys
from pathlib import Path

import mgc_hf
from mgc_hf.data.audio import decode
from mgc_hf.data.demo import render_clip


def main(folder: Path) -> None:
    """Load the model in `folder` and use it on a clip that it has not seen."""
    classifier = mgc_hf.GenreClassifier.from_pretrained(folder)
    clip = decode(render_clip("reggae", index=0, seconds=10.0, seed=1))
    prediction = classifier(clip.samples, clip.sampling_rate)
    likely = ", ".join(f"{genre} {p:.2f}" for genre, p in list(prediction.probabilities.items())[:3])
    print(f"\na new synthetic reggae clip is heard as: {likely}")
    card = (folder / "README.md").read_text(encoding="utf-8")
    body = card.split("---", 2)[2].strip().splitlines()
    print("\n".join(body[:8]))
    print(f"\nthe whole card: {folder / 'README.md'}; pictures: {folder / 'images'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
