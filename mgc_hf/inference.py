"""From audio to a genre, as a ladder usable at any rung: windows -> array -> file.

A clip is cut into windows as in evaluation (`data/segments.py`), the windows' probabilities are averaged, ties go to
the lower label. Files are read as a stream, so that memory does not grow with their length. The Trainer is not
imported here: it alone takes half of a gigabyte.
"""

import hashlib
import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import numpy as np

from mgc_hf.data.segments import seconds_to_samples, windowing
from mgc_hf.data.threads import map_in_order
from mgc_hf.errors import AudioError, OptionError
from mgc_hf.predictions import softmax

logger = logging.getLogger(__name__)

#: Seconds of a clip that are decoded before the model gets to it; of longer ones the rest is read as it is heard.
_AHEAD_SECONDS = 120.0
_Key = TypeVar("_Key")


@dataclass(frozen=True)
class GenrePrediction:
    """What the model says of one clip.

    Args:
        genre (`str`): Most probable genre.
        probabilities (`dict[str, float]`): Probability per genre (they add to 1), most probable first.
        seconds (`float`): Length of the decoded audio, seconds.
        windows (`int`): Windows whose probabilities were averaged; they cover the clip to its end.
        notes (`tuple[str, ...]`): What is odd about the audio, though it was heard (cut off, repaired, silent, short).
    """

    genre: str
    probabilities: dict[str, float]
    seconds: float
    windows: int
    notes: tuple[str, ...] = ()


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
        revision (`str`, *optional*): Which weights these are: the Hub's commit, or `sha256:` and the first 16 digits of
            the digest of a folder's weights.
    """

    def __init__(self, model: Any, feature_extractor: Any, batch_size: int = 16, revision: str | None = None):
        from mgc_hf.features.extraction import BatchExtractor

        self.model = model.eval()
        self.feature_extractor = feature_extractor
        self.batch_size = batch_size
        self.revision = revision
        self.genres = [model.config.id2label[index] for index in range(model.config.num_labels)]
        self.sampling_rate = int(feature_extractor.sampling_rate)
        self.segment_seconds, self.hop_seconds = windowing(feature_extractor)
        self._length = seconds_to_samples(self.segment_seconds, self.sampling_rate, "segment_seconds")
        self.extractor = BatchExtractor(feature_extractor, self._length)

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
        commit = getattr(model.config, "_commit_hash", None)
        return cls(model, feature_extractor, batch_size, commit or _weights_digest(Path(name_or_path)))

    def __call__(self, audio: Any, sampling_rate: int | None = None) -> GenrePrediction:
        """Name the genre of audio in memory.

        Args:
            audio (`np.ndarray`, `dict`, `bytes`, binary file, `str` or `Path`): An array of floats or integers,
                `(num_samples,)`, `(num_samples, channels)` or `(channels, num_samples)`; a row as `datasets` gives it, with
                `array` (or `raw`) and `sampling_rate`, or `bytes` or `path`; the content of an audio file; or its path.
                It is not changed.
            sampling_rate (`int`, *optional*): Rate of an array, Hz; another than the model's is resampled.

        Raises:
            OptionError: An array without its rate, or something that is no audio.
            AudioError: The audio is empty, cannot be read, or holds values that are not finite.
        """
        from mgc_hf.data.audio import from_array, stream

        if isinstance(audio, dict):
            sampling_rate = audio.get("sampling_rate", sampling_rate)
            found = [audio[name] for name in ("array", "raw", "bytes", "path") if audio.get(name) is not None]
            if not found:
                raise OptionError(
                    f"a dict with {', '.join(map(str, audio))}: give array and sampling_rate, bytes, or path"
                )
            return self(found[0], sampling_rate)
        if isinstance(audio, str | Path):
            return self.predict_file(audio)
        if hasattr(audio, "read"):
            audio = audio.read()
        if isinstance(audio, bytes | bytearray):
            return self.predict_blocks(stream(bytes(audio), self.sampling_rate), name="audio bytes")
        if sampling_rate is None:
            raise OptionError("an array says nothing of its rate: pass sampling_rate, in Hz")
        return self.predict_blocks(from_array(audio, sampling_rate, self.sampling_rate), name="array")

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
        (_, outcome), *_ = self.predict_many([(name, lambda: blocks)])
        if isinstance(outcome, AudioError):
            raise outcome
        return outcome

    def predict_many(
        self, clips: Iterable[tuple[_Key, Callable[[], Iterable[np.ndarray]]]], threads: int = 0
    ) -> Iterator[tuple[_Key, GenrePrediction | AudioError]]:
        """Name the genres of any number of clips, in their order; windows of neighbours share a forward pass.

        Memory does not grow with the number of clips, nor with their length.

        Args:
            clips (`Iterable[tuple[Any, Callable]]`): What a clip is called (`str` of it in messages), and a function that
                opens it: it returns blocks as [`predict_blocks`] takes them. Is read a few clips ahead.
            threads (`int`, *optional*, defaults to 0): Threads that open and decode clips ahead of the model; with 0
                each is decoded when its turn comes.

        Yields:
            `tuple`: The clip's key and its [`GenrePrediction`], or the [`AudioError`] that says why there is none.
        """
        hop = seconds_to_samples(self.hop_seconds, self.sampling_rate, "hop_seconds")
        ahead = max(1, round(_AHEAD_SECONDS / self.hop_seconds))

        def opened(clip: tuple[_Key, Callable[[], Iterable[np.ndarray]]]) -> _Heard[_Key]:
            key, open_clip = clip
            return _Heard(key, open_clip, self._length, hop, len(self.genres), ahead)

        waiting: deque[_Heard[_Key]] = deque()
        batch: list[tuple[_Heard[_Key], np.ndarray]] = []
        every = map_in_order(opened, clips, threads) if threads else ((clip, opened(clip)) for clip in clips)
        for _, heard in every:
            waiting.append(heard)
            for window in heard.windows():
                batch.append((heard, window))
                if len(batch) == self.batch_size:
                    self._judge(batch)
            while waiting and waiting[0].is_complete:
                yield self._outcome(waiting.popleft())
        self._judge(batch)
        while waiting:
            yield self._outcome(waiting.popleft())

    def _judge(self, batch: "list[tuple[_Heard[_Key], np.ndarray]]") -> None:
        """Hear the windows of a batch, add what is said of each to its clip, and empty the batch."""
        if batch:
            for (heard, _), row in zip(batch, softmax(self.logits([window for _, window in batch])), strict=True):
                heard.total += row
                heard.judged += 1
            batch.clear()

    def _outcome(self, heard: "_Heard[_Key]") -> tuple[_Key, GenrePrediction | AudioError]:
        if heard.error is not None:
            return heard.key, heard.error
        if not heard.judged:
            return heard.key, AudioError(str(heard.key), "holds no audio", kind="empty")
        notes, least = heard.notes, self.extractor.least_samples
        if heard.num_samples < least:
            text = f"short: {heard.num_samples} samples; silence was added up to {least / self.sampling_rate:g} s"
            logger.warning("%s: %s", heard.key, text)
            notes += (text,)
        mean = heard.total / heard.judged
        order = np.argsort(-np.round(mean, 12), kind="stable")  # ties as in predictions.most_probable
        return heard.key, GenrePrediction(
            genre=self.genres[order[0]],
            probabilities={self.genres[index]: float(mean[index]) for index in order},
            seconds=heard.num_samples / self.sampling_rate,
            windows=heard.judged,
            notes=notes,
        )

    def logits(self, segments: Sequence[np.ndarray]) -> np.ndarray:
        """Return the model's scores of windows, `(num_segments, num_labels)` float32; each array is `(num_samples,)`."""
        import torch

        from mgc_hf.features.dataset import attention_mask

        features, num_frames = self.extractor(list(segments))
        inputs = {self.extractor.name: torch.from_numpy(features).to(self.model.dtype)}
        if (num_frames < self.extractor.num_frames).any():
            inputs["attention_mask"] = attention_mask(num_frames, self.extractor.num_frames)
        with torch.inference_mode():
            output = self.model(**{name: value.to(self.model.device) for name, value in inputs.items()})
        return output.logits.float().cpu().numpy()


class _Heard(Generic[_Key]):
    """A clip on its way through the model: its windows, and what was said of them so far."""

    def __init__(
        self,
        key: _Key,
        open_clip: Callable[[], Iterable[np.ndarray]],
        length: int,
        hop: int,
        num_labels: int,
        ahead: int,
    ):
        self.key = key
        self.total, self.judged = np.zeros(num_labels), 0
        self.num_samples, self.error, self.notes = 0, None, ()
        self._given, self._ended = 0, False
        self._blocks: Iterable[np.ndarray] = ()
        self._cut = windows(self._counted(open_clip), length, hop)
        self._rest = self._guarded()
        self._first = list(itertools.islice(self._rest, ahead))

    error: AudioError | None
    notes: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every window was judged, or the clip cannot be read."""
        return self.error is not None or (self._ended and self.judged == self._given)

    def windows(self) -> Iterator[np.ndarray]:
        """Yield the windows, those that were read ahead first."""
        for window in itertools.chain(self._first, self._rest):
            self._given += 1
            yield window
        self._first, self._ended = [], True
        if self.error is None:
            self.notes = tuple(getattr(self._blocks, "notes", ()))

    def _guarded(self) -> Iterator[np.ndarray]:
        try:
            yield from self._cut
        except AudioError as error:
            self.error = error

    def _counted(self, open_clip: Callable[[], Iterable[np.ndarray]]) -> Iterator[np.ndarray]:
        self._blocks = open_clip()
        for block in self._blocks:
            self.num_samples += len(block)
            yield block


def _weights_digest(folder: Path) -> str | None:
    """Return `sha256:` and 16 digits for the weights of a folder, `None` where there are none of its own."""
    digest = hashlib.sha256()
    files = sorted(folder.glob("model*.safetensors"))
    for file in files:
        with open(file, "rb") as opened:
            while part := opened.read(2**20):
                digest.update(part)
    return f"sha256:{digest.hexdigest()[:16]}" if files else None
