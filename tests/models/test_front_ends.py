"""A front end gives what its feature extractor gives."""

import numpy as np
import pytest
import torch
from transformers import ASTFeatureExtractor, SeamlessM4TFeatureExtractor, Wav2Vec2FeatureExtractor
from transformers import WhisperFeatureExtractor as Whisper

from mgc_hf.models.front_ends import front_end
from mgc_hf.models.mel_lstm import LogMelFeatureExtractor
from tests.tunes import tune

EXTRACTORS = {
    "log-mel": lambda: LogMelFeatureExtractor(),
    "log-mel-reflected-magnitudes": lambda: LogMelFeatureExtractor(pad_mode="reflect", power=1.0, n_fft=512),
    "log-mel-not-centred": lambda: LogMelFeatureExtractor(center=False),
    "wav2vec2": lambda: Wav2Vec2FeatureExtractor(do_normalize=True),
    "wav2vec2-as-it-is": lambda: Wav2Vec2FeatureExtractor(do_normalize=False),
    "whisper": lambda: Whisper(chunk_length=1),
    "ast": lambda: ASTFeatureExtractor(max_length=100),
}


@pytest.mark.filterwarnings("ignore:At least one mel filter")
@pytest.mark.parametrize("name", EXTRACTORS)
def test_equals_the_extractor_at_any_length(name):
    """Shorter than a window, a window, and longer; loud, and so soft that floors are reached."""
    extractor = EXTRACTORS[name]()
    rate = extractor.sampling_rate
    front = front_end(extractor)
    for seconds in (0.2, 1.0, 1.3):
        clips = [tune("jazz", 1, seconds, rate), 1e-6 * tune("metal", 2, seconds, rate)]
        found = front(torch.from_numpy(np.stack(clips))).numpy()
        expected = extractor(clips, sampling_rate=rate, return_tensors="np")[extractor.model_input_names[0]]
        assert found.shape == expected.shape
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-3 if "log-mel" in name else 1e-4, rtol=1e-5)


def test_others_have_none():
    assert front_end(SeamlessM4TFeatureExtractor()) is None
    assert front_end(Whisper(dither=0.1)) is None  # random: no function of the samples
