"""A tiny Whisper with random weights, as a checkpoint without a classifier lies on a disk."""

from pathlib import Path

from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForAudioClassification


def save_tiny_whisper(folder: Path) -> Path:
    """Save an encoder with positions for 30 seconds, in float16, and its feature extractor of 8 bands."""
    config = WhisperConfig(
        d_model=16,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=16,
        num_mel_bins=8,
        classifier_proj_size=8,
    )
    model = WhisperForAudioClassification(config).half()
    weights = {name: value for name, value in model.state_dict().items() if name.startswith("encoder.")}
    model.save_pretrained(folder, state_dict=weights)
    WhisperFeatureExtractor(feature_size=8).save_pretrained(folder)
    return folder
