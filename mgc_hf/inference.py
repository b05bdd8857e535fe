"""From audio to a genre, as a ladder usable at any rung: windows -> array -> file.

A clip is cut into windows as in evaluation (`data/segments.py`), the windows' probabilities are averaged, ties go to
the lower label. Files are read as a stream, so that memory does not grow with their length. The Trainer is not
imported here: it alone takes half of a gigabyte.
"""

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from mgc_hf.data.segments import seconds_to_samples, windowing
from mgc_hf.errors import AudioError
from mgc_hf.predictions import softmax

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GenrePrediction:
    """What the model says of one clip.

    Args:
        genre (`str`): Most probable genre.
        probabilities (`dict[str, float]`): Probability per genre (they add to 1), most probable first.
        seconds (`float`): Length of the decoded audio, seconds.
        windows (`int`): Windows whose probabilities were averaged.
    """

    genre: str
    probabilities: dict[str, float]
    seconds: float
    windows: int


def windows(blocks: Iterable[np.ndarray], length: int, hop: int) -> Iterator[np.ndarray]:
    """Cut a stream of samples into windows of `length` samples, one every `hop` samples.

    The last window is anchored to the end, so that no sample is left out; a stream shorter than one window gives one
    short window. Holds about one window and one block.

    Args:
        blocks (`Iterable[np.ndarray]`): Consecutive pieces, each `(num_samples,)`.
        length (`int`): Samples in a window.
        hop (`int`): Samples from one window to the next, at most `length`.
    """
    held, held_start = np.zeros(0, dtype=np.float32), 0
    total = covered = next_start = 0
    for block in blocks:
        held = np.concatenate([held, block])
        total += len(block)
        while next_start + length <= total:
            offset = next_start - held_start
            yield held[offset : offset + length]
            covered = next_start + length
            next_start += hop
        # the next window and the one anchored to the end are all that may still be asked for
        drop = min(next_start, max(total - length, 0)) - held_start
        held, held_start = held[drop:], held_start + drop
    if total > covered:
        yield held[max(total - length, 0) - held_start :]


class GenreClassifier:
    """A finished model with all that is needed to name the genre of audio.

    Every window that the model sees has the length of a whole segment, as in training and evaluation, since padding
    changes what some models say (wav2vec 2.0's group norm); so scores depend neither on the batch nor on what else is
    in it.

    Args:
        model (`PreTrainedModel`): An audio classifier.
        feature_extractor (`FeatureExtractionMixin`): Its feature extractor.
        batch_size (`int`, *optional*, defaults to 16): Windows per forward pass; scores do not depend on it.
    """

    def __init__(self, model: Any, feature_extractor: Any, batch_size: int = 16):
        from mgc_hf.features.extraction import BatchExtractor

        self.model = model.eval()
        self.feature_extractor = feature_extractor
        self.batch_size = batch_size
        self.genres = [model.config.id2label[index] for index in range(model.config.num_labels)]
        self.sampling_rate = int(feature_extractor.sampling_rate)
        self.segment_seconds, self.hop_seconds = windowing(feature_extractor)
        self._length = seconds_to_samples(self.segment_seconds, self.sampling_rate, "segment_seconds")
        self._extractor = BatchExtractor(feature_extractor, self._length)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        batch_size: int = 16,
        device: str | None = None,
        revision: str | None = None,
    ) -> Self:
        """Load a model folder or Hub repository.

        Args:
            name_or_path (`str` or `Path`): Folder or Hub id.
            batch_size (`int`, *optional*, defaults to 16): Windows per forward pass.
            device (`str`, *optional*): Torch device; a GPU where there is one by default.
            revision (`str`, *optional*): Branch, tag or commit of a Hub repository.

        Raises:
            CheckpointError: There is no complete model of this name.
            OptionError: A revision of a local folder.
        """
        import torch

        from mgc_hf.models.build import load_model

        model, feature_extractor = load_model(name_or_path, revision)
        model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return cls(model, feature_extractor, batch_size)

    def __call__(self, samples: np.ndarray, sampling_rate: int) -> GenrePrediction:
        """Name the genre of an array.

        Args:
            samples (`np.ndarray` of float or int16, shape `(num_samples,)` or `(num_samples, channels)`): Audio.
            sampling_rate (`int`): Its rate, Hz; another than the model's is resampled.

        Raises:
            AudioError: The array is empty or holds values that are not finite.
        """
        from mgc_hf.data.audio import from_array

        audio = from_array(samples, sampling_rate, self.sampling_rate)
        return self.predict_blocks([audio.samples], name="array")

    def predict_file(self, path: str | Path) -> GenrePrediction:
        """Name the genre of an audio file of any length, with bounded memory.

        Raises:
            AudioError: The file gives no usable audio; the text names it.
        """
        from mgc_hf.data.audio import stream

        return self.predict_blocks(stream(path, self.sampling_rate), name=str(path))

    def predict_blocks(self, blocks: Iterable[np.ndarray], name: str) -> GenrePrediction:
        """Name the genre of consecutive blocks of mono float32 samples at the model's rate.

        Raises:
            AudioError: There is no sample in them; `name` is the file named.
        """
        hop = seconds_to_samples(self.hop_seconds, self.sampling_rate, "hop_seconds")
        counted = _Counter(blocks)
        total, count = np.zeros(len(self.genres)), 0
        cut = windows(counted, self._length, hop)
        while batch := list(itertools.islice(cut, self.batch_size)):
            probabilities = softmax(self.logits(batch))
            total += probabilities.sum(axis=0)
            count += len(batch)
        if count == 0:
            raise AudioError(name, "holds no audio", kind="empty")
        if counted.num_samples < self._extractor.least_samples:
            least = self._extractor.least_samples / self.sampling_rate
            logger.warning("%s holds %d samples; silence was added up to %g s", name, counted.num_samples, least)
        mean = total / count
        order = np.argsort(-np.round(mean, 12), kind="stable")  # ties as in predictions.most_probable
        return GenrePrediction(
            genre=self.genres[order[0]],
            probabilities={self.genres[index]: float(mean[index]) for index in order},
            seconds=counted.num_samples / self.sampling_rate,
            windows=count,
        )

    def logits(self, segments: Sequence[np.ndarray]) -> np.ndarray:
        """Return the model's scores of windows, `(num_segments, num_labels)` float32; each array is `(num_samples,)`."""
        import torch

        from mgc_hf.features.dataset import attention_mask

        features, num_frames = self._extractor(list(segments))
        inputs = {self._extractor.name: torch.from_numpy(features).to(self.model.dtype)}
        if (num_frames < self._extractor.num_frames).any():
            inputs["attention_mask"] = attention_mask(num_frames, self._extractor.num_frames)
        with torch.inference_mode():
            output = self.model(**{name: value.to(self.model.device) for name, value in inputs.items()})
        return output.logits.float().cpu().numpy()


class _Counter:
    """Passes blocks on and counts their samples."""

    def __init__(self, blocks: Iterable[np.ndarray]):
        self.blocks = blocks
        self.num_samples = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self.blocks:
            self.num_samples += len(block)
            yield block
