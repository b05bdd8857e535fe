"""Fine-tune any audio classifier of transformers, from a folder or the Hub, and write a model folder with its card.

    accelerate launch recipes/audio_model.py --model_name_or_path ntu-spml/distilhubert --output_dir outputs/distilhubert
    accelerate launch recipes/audio_model.py --model_name_or_path openai/whisper-base --output_dir outputs/whisper

Any checkpoint that AutoModelForAudioClassification takes: HuBERT, WavLM, wav2vec 2.0 and their kin, AST, Whisper's
encoder, wav2vec2-bert. Its feature extractor decides between waveforms and spectrograms, and at which sampling rate.
docs/speech.md has every option and what goes with which model.
"""

from mgc_hf.cli.recipe import main
from mgc_hf.options import SPEECH_DEFAULTS

DEFAULTS = {
    **SPEECH_DEFAULTS,
    "model_name_or_path": "",  # to be given
    "output_dir": "outputs/audio_model",
}

if __name__ == "__main__":
    main(DEFAULTS, __file__, __doc__)
