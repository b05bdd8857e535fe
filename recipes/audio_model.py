"""Fine-tune any audio classifier of transformers, from a folder or the Hub; docs/speech.md says what goes with which.

    accelerate launch recipes/audio_model.py --model_name_or_path ntu-spml/distilhubert --output_dir outputs/distilhubert
    accelerate launch recipes/audio_model.py --model_name_or_path openai/whisper-base --output_dir outputs/whisper
    python recipes/audio_model.py --model_name_or_path ntu-spml/distilhubert --from_scratch --size tiny \
        --dataset demo --output_dir outputs/try     # a minute on a CPU, no download

The feature extractor of the checkpoint decides between waveforms and spectrograms, and at which sampling rate.
"""

from mgc_hf.cli.recipe import main
from mgc_hf.options import SPEECH_DEFAULTS

DEFAULTS = {**SPEECH_DEFAULTS, "model_name_or_path": "", "output_dir": "outputs/audio_model"}

if __name__ == "__main__":
    main(DEFAULTS, __file__, __doc__)
