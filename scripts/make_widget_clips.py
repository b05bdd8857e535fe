"""Render the clips that model pages offer to try: seconds 4 to 12 of the demo corpus's first piece of three genres.

    python scripts/make_widget_clips.py

They are committed, since rendering them takes the synthesizer, which who only publishes need not have.
"""

from pathlib import Path

import soundfile

import mgc_hf
from mgc_hf.data.audio import decode
from mgc_hf.results import WIDGET_FILES

RATE, START, STOP = 22050, 4, 12


def main() -> None:
    """Write `mgc_hf/cards/widget/*.mp3`."""
    dataset = mgc_hf.load_gtzan("demo", demo_clips_per_genre=1, demo_seconds=16.0)
    names = dataset.features["genre"].names
    for row in dataset:
        genre = names[row["genre"]]
        if genre in WIDGET_FILES:
            file = Path(mgc_hf.__file__).parent / "cards" / WIDGET_FILES[genre]
            samples = decode(row["audio"]["bytes"] or row["audio"]["path"], RATE).samples[START * RATE : STOP * RATE]
            file.parent.mkdir(exist_ok=True)
            soundfile.write(file, samples, RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.6)
            print(f"{file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
