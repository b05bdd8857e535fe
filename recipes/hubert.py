"""Fine-tune HuBERT on waveforms, split by track, and write a model folder with its card.

    accelerate launch recipes/hubert.py --dataset marsyas/gtzan --output_dir outputs/hubert

A first try on a CPU, a minute or two, without pre-trained weights and without a download (nothing is learnt yet):

    python recipes/hubert.py --dataset demo --demo_clips_per_genre 5 --from_scratch --size tiny \\
        --num_train_epochs 2 --output_dir outputs/try

The paper (Marzuqi and Nastiti 2025) reports 86 % after fine-tuning on 200 clips. That can be read in two ways: 20
training tracks of each genre, --train_tracks_per_genre 20, or 20 test tracks, --test_tracks_per_genre 20
--validation_fraction 0.
docs/speech.md has every option and what goes with which model.
"""

from mgc_hf.cli.recipe import main
from mgc_hf.options import SPEECH_DEFAULTS

DEFAULTS = {
    **SPEECH_DEFAULTS,
    "model_name_or_path": "facebook/hubert-base-ls960",
    "output_dir": "outputs/hubert",
}

if __name__ == "__main__":
    main(DEFAULTS, __file__, __doc__)
