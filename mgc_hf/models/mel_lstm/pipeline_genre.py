"""The genre of a whole piece of music, from a file of any length: a pipeline for `transformers.pipeline`.

It lies beside a model's weights and runs where mgc_hf is not installed: transformers, torch, soundfile and soxr are all
that it needs (arrays at the model's own rate need neither of the last two). Audio is cut into the windows that the
model was trained on, their probabilities are averaged, as the accuracy of tracks was measured.
"""

import inspect
import io
import os
import shutil
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Pipeline

try:  # in a `try`, so that transformers does not ask for them before a file is read
    import soundfile
    import soxr
except ImportError:
    soundfile = soxr = None

#: Frames of a file that are read at a time.
_BLOCK_FRAMES = 2**18
#: Sound that moves less than this is silence (one step of 16 bits either way).
_SILENCE_RANGE = 2.0**-14
#: Channels whose mean keeps less than this part of the loudest one's energy cancel each other.
_CANCELLED_ENERGY = 0.1
#: Windows per forward pass.
_BATCH_SIZE = 16
#: The least sound that is given to a model, seconds; what is shorter is filled up with silence.
_LEAST_SECONDS = 0.1


class GenrePipeline(Pipeline):
    """Music genre classification of audio of any length.

    Example:

    ```python
    >>> from transformers import pipeline
    >>> classifier = pipeline("audio-classification", model="ORG/NAME", trust_remote_code=True)
    >>> classifier("song.mp3", top_k=3)
    [{'score': 0.81, 'label': 'jazz'}, {'score': 0.1, 'label': 'blues'}, {'score': 0.04, 'label': 'pop'}]
    ```
    """

    model: Any
    feature_extractor: Any

    _load_processor = False
    _load_image_processor = False
    _load_feature_extractor = True
    _load_tokenizer = False

    def __init__(self, *args: Any, batch_size: int | None = None, **kwargs: Any):
        # what a batch holds are windows: whole pieces have different lengths
        super().__init__(*args, windows_per_pass=batch_size or _BATCH_SIZE, **kwargs)

    def __call__(self, inputs: Any, *, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Name the genre of one piece, or of each of several.

        Args:
            inputs (`str`, `Path`, `bytes`, `np.ndarray`, `torch.Tensor`, `dict`, or a list, generator or `Dataset` of
                them): Path or address of an audio file (WAV, FLAC, MP3, OGG), its content, an array `(num_samples,)`
                at the model's own rate, or a `dict` with `sampling_rate` (Hz) and `raw` or `array`, `(num_samples,)`,
                `(num_samples, channels)` or `(channels, num_samples)`. Rows of `datasets` with an `Audio` column do
                too, decoded or not.
            top_k (`int`, *optional*, defaults to 5): So many genres, most probable first; `None` for all.
            return_windows (`bool`, *optional*, defaults to `False`): Return also what was said of each window.
            batch_size (`int`, *optional*, defaults to 16): Windows per forward pass.

        Returns:
            `list[dict]`: `label` and `score` (probability, mean over windows), most probable first. With
            `return_windows` a `dict` of `labels` (that list) and `windows`: for each window `start` and `end` (seconds)
            and its own `labels`.

        Raises:
            ValueError: The audio cannot be read, is empty or not finite.
            ImportError: soundfile or soxr is needed and not installed.
        """
        if batch_size is not None:
            kwargs["windows_per_pass"] = batch_size
        if isinstance(inputs, Path):
            inputs = str(inputs)
        return super().__call__(inputs, batch_size=1, **kwargs)

    def _sanitize_parameters(self, **given: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        forward: dict[str, Any] = {name: given.pop(name) for name in ("windows_per_pass",) if name in given}
        after: dict[str, Any] = {name: given.pop(name) for name in ("top_k", "return_windows") if name in given}
        if given:
            raise TypeError(f"unknown option {', '.join(sorted(given))}; known are top_k, return_windows, batch_size")
        return {}, forward, after

    def preprocess(self, inputs: Any) -> dict[str, np.ndarray]:
        """Decode to mono float32 samples `(num_samples,)` at the model's rate."""
        return {"samples": _decode(inputs, int(self.feature_extractor.sampling_rate))}

    def _forward(self, model_inputs: dict[str, np.ndarray], windows_per_pass: int = _BATCH_SIZE) -> dict[str, Any]:
        samples, rate = model_inputs["samples"], int(self.feature_extractor.sampling_rate)
        seconds = getattr(self.feature_extractor, "segment_seconds", None)
        length = round(seconds * rate) if seconds else len(samples)
        hop = round((getattr(self.feature_extractor, "hop_seconds", None) or seconds or 0) * rate) or length
        starts = [*range(0, len(samples) - length + 1, hop)]
        if not starts or starts[-1] + length < len(samples):
            starts.append(max(0, len(samples) - length))  # the last window ends with the piece
        windows = [samples[start : start + length] for start in starts]
        batches = (windows[first : first + windows_per_pass] for first in range(0, len(windows), windows_per_pass))
        probabilities = torch.cat([self._probabilities(batch, length) for batch in batches])
        ends = [min(start + length, len(samples)) / rate for start in starts]
        return {"probabilities": probabilities, "starts": [start / rate for start in starts], "ends": ends}

    def _probabilities(self, windows: list[np.ndarray], length: int) -> torch.Tensor:
        extractor = self.feature_extractor
        rate = int(extractor.sampling_rate)
        least = max(min(round(_LEAST_SECONDS * rate), length), int(getattr(extractor, "min_samples", 0)))
        windows = [np.pad(window, (0, max(0, least - len(window)))) for window in windows]
        length, count = max(length, least), len(windows)
        if max(map(len, windows)) < length:
            # a whole window of silence goes along, so that a short one is padded as it was in training
            windows.append(np.zeros(length, np.float32))
        # extractors that pad by a rule of their own (AST, Whisper) are left to it
        rule = inspect.signature(type(extractor).__call__).parameters.get("padding")
        padding = {"padding": True} if rule is not None and isinstance(rule.default, bool) else {}
        inputs = extractor(windows, sampling_rate=rate, return_tensors="pt", **padding)
        name = extractor.model_input_names[0]
        given = {name: inputs[name][:count].to(self.model.dtype)}
        mask = inputs.get("attention_mask")
        if mask is not None and not mask[:count].all():
            given["attention_mask"] = mask[:count]
        logits = self.model(**{key: value.to(self.model.device) for key, value in given.items()}).logits
        return logits.double().softmax(dim=-1).cpu()

    def postprocess(
        self, model_outputs: dict[str, Any], top_k: int | None = 5, return_windows: bool = False
    ) -> list[dict[str, Any]] | dict[str, Any]:
        """Return genres with probabilities, as [`__call__`] says."""
        probabilities = model_outputs["probabilities"].numpy()
        labels = self._labels(probabilities.mean(axis=0), top_k)
        if not return_windows:
            return labels
        spans = zip(model_outputs["starts"], model_outputs["ends"], probabilities, strict=True)
        windows = [{"start": start, "end": end, "labels": self._labels(row, top_k)} for start, end, row in spans]
        return {"labels": labels, "windows": windows}

    def _labels(self, probabilities: np.ndarray, top_k: int | None) -> list[dict[str, Any]]:
        order = np.argsort(-np.round(probabilities, 12), kind="stable")[:top_k]
        names = self.model.config.id2label
        return [{"score": float(probabilities[index]), "label": names[int(index)]} for index in order]

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs: Any) -> None:
        """Save model and feature extractor, and this file with them, so that the folder is whole."""
        super().save_pretrained(save_directory, **kwargs)
        target = Path(save_directory) / Path(__file__).name
        if not target.exists():
            shutil.copyfile(__file__, target)


def _decode(inputs: Any, rate: int) -> np.ndarray:
    if hasattr(inputs, "get_all_samples"):  # an AudioDecoder of torchcodec, as `datasets` gives it
        decoded = inputs.get_all_samples()
        inputs = {"array": decoded.data, "sampling_rate": decoded.sample_rate}
    if isinstance(inputs, dict):
        if "audio" in inputs and not {"raw", "array", "bytes", "path"} & set(inputs):  # a row of `datasets`
            return _decode(inputs["audio"], rate)
        if (array := inputs.get("raw", inputs.get("array"))) is not None:
            if "sampling_rate" not in inputs:
                raise ValueError('a dict with "raw" or "array" needs "sampling_rate", in Hz')
            return _from_array(array, int(inputs["sampling_rate"]), rate)
        inputs = inputs.get("bytes") or inputs.get("path")
        if inputs is None:
            raise ValueError('a dict needs "raw" or "array" and "sampling_rate", or "bytes" or "path"')
    if isinstance(inputs, np.ndarray | torch.Tensor):
        return _from_array(inputs, rate, rate)
    if isinstance(inputs, str | Path):
        return _from_file(str(inputs), rate)
    if isinstance(inputs, bytes):
        return _from_stream(lambda: io.BytesIO(inputs), "audio bytes", rate)
    raise TypeError(f"{type(inputs).__name__} is no audio: give a path, bytes, an array, or a dict with sampling_rate")


def _from_array(array: Any, given_rate: int, rate: int) -> np.ndarray:
    samples = array.detach().cpu().numpy() if isinstance(array, torch.Tensor) else np.asarray(array)
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.ndim != 2 or not samples.shape[1]:
        raise ValueError(f"shape {samples.shape} is no audio; wanted is (num_samples,) or (num_samples, channels)")
    if 0 < samples.shape[0] < samples.shape[1]:
        samples = samples.T
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    samples = samples.astype(np.float32)
    return _to_mono(lambda: iter([samples]), samples.shape[1], given_rate, rate, "array")


def _from_file(path: str, rate: int) -> np.ndarray:
    if path.startswith(("http://", "https://")):
        with urllib.request.urlopen(path, timeout=60) as answer:
            content = answer.read()
        return _from_stream(lambda: io.BytesIO(content), path, rate)
    if not os.path.isfile(path):
        raise ValueError(f"{path}: there is no such file")
    return _from_stream(lambda: path, path, rate)


def _from_stream(opened: Callable[[], Any], name: str, rate: int) -> np.ndarray:
    if soundfile is None:
        raise ImportError("reading audio files needs soundfile: pip install soundfile soxr")
    try:
        with soundfile.SoundFile(opened()) as sound:
            channels, given_rate = sound.channels, sound.samplerate

        def blocks() -> Iterator[np.ndarray]:
            with soundfile.SoundFile(opened()) as sound:
                yield from sound.blocks(_BLOCK_FRAMES, dtype="float32", always_2d=True)

        return _to_mono(blocks, channels, given_rate, rate, name)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{name}: cannot be read as audio ({error.error_string})") from error


def _to_mono(
    blocks: Callable[[], Iterable[np.ndarray]], channels: int, given_rate: int, rate: int, name: str
) -> np.ndarray:
    """Mix blocks `(num_frames, channels)` to one channel and bring them to a rate, in Hz."""
    weights = _weights(blocks(), channels) if channels > 1 else np.ones(1)
    resampler = None
    if given_rate != rate:
        if soxr is None:
            raise ImportError(f"{name}: is at {given_rate} Hz, the model at {rate}; pip install soxr")
        resampler = soxr.ResampleStream(given_rate, rate, 1, dtype="float32")
    pieces = [np.zeros(0, np.float32)]
    for block in blocks():
        mono = np.zeros(len(block), np.float32)
        for channel in np.flatnonzero(weights):
            mono += block[:, channel] * np.float32(weights[channel])
        pieces.append(resampler.resample_chunk(mono) if resampler else mono)
    if resampler:
        pieces.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    samples = np.concatenate(pieces)
    if not len(samples):
        raise ValueError(f"{name}: holds no audio")
    if not np.isfinite(samples).all():
        raise ValueError(f"{name}: holds samples that are not finite")
    return samples


def _weights(blocks: Iterable[np.ndarray], channels: int) -> np.ndarray:
    """Weigh channels: the mean of those that sound, or the loudest alone where that mean cancels."""
    low, high, products = np.full(channels, np.inf), np.full(channels, -np.inf), np.zeros((channels, channels))
    for block in blocks:
        if len(block):
            low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
            wide = block.astype(np.float64)
            products += wide.T @ wide
    sounding = high - low > _SILENCE_RANGE
    if not sounding.any():
        return np.full(channels, 1 / channels)
    weights = sounding / sounding.sum()
    energy = products.diagonal()
    cancels = weights @ products @ weights < _CANCELLED_ENERGY * energy.max()
    return np.eye(channels)[int(energy.argmax())] if cancels else weights
