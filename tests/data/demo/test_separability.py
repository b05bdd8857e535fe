"""The corpus is neither trivial (the average spectrum does not give the genre away) nor random (time does help)."""

import io

import numpy as np
import pytest
import soundfile

from mgc_hf.data.demo import generate_demo

CLIPS, SECONDS = 12, 10.0


@pytest.fixture(scope="module")
def spectra() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each clip the log of its mean power spectrum, its log-mel mean, deviation and mean step, and its genre."""
    import librosa

    filters = librosa.filters.mel(sr=22050, n_fft=2048, n_mels=128)
    mean_spectra, textures, genres = [], [], []
    for clip in generate_demo(CLIPS, SECONDS):
        audio, _ = soundfile.read(io.BytesIO(clip.wav), dtype="float32")
        power = np.abs(librosa.stft(audio, n_fft=2048, hop_length=512)) ** 2
        mel = librosa.power_to_db(filters @ power, top_db=None)
        mean_spectra.append(np.log(power.mean(axis=1) + 1e-10))
        textures.append(np.concatenate([mel.mean(axis=1), mel.std(axis=1), np.abs(np.diff(mel)).mean(axis=1)]))
        genres.append(clip.genre)
    return np.array(mean_spectra), np.array(textures), np.array(genres)


def cross_validated(classifier, x: np.ndarray, y: np.ndarray) -> float:
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return float(cross_val_score(make_pipeline(StandardScaler(), classifier), x, y, cv=folds).mean())


def test_mean_spectrum_does_not_give_the_genre_away(spectra):
    from sklearn.linear_model import LogisticRegression

    mean_spectra, _, genres = spectra
    assert len(genres) == 10 * CLIPS
    accuracy = cross_validated(LogisticRegression(max_iter=2000), mean_spectra, genres)
    assert 0.3 < accuracy < 0.9


def test_genres_can_be_learnt(spectra):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    _, textures, genres = spectra
    accuracy = cross_validated(LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3), textures, genres)
    assert accuracy > 0.5
