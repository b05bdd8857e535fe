"""What is taken for audio: clips as mono arrays at a known rate, or an error that says how to make them so."""

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

#: Full scale of the integer formats that are samples of audio.
FULL_SCALE = {np.dtype(np.int16): 2.0**15, np.dtype(np.int32): 2.0**31}


def check_sampling_rate(given: int | None, own: int) -> None:
    """Refuse a rate that is missing or is not the extractor's own, Hz.

    Raises:
        ValueError: It says how to get the right one.
    """
    load = f"load the file with mgc_hf.data.audio.decode(path, sampling_rate={own})"
    if given is None:
        raise ValueError(
            f"sampling_rate is missing, so the rate of raw_speech cannot be checked: pass sampling_rate={own} if that "
            f"is its rate in Hz; otherwise resample it to {own} Hz first, or {load}"
        )
    if given != own:
        raise ValueError(
            f"sampling_rate is {given} Hz, but this feature extractor and its model take {own} Hz: resample first, "
            f"soxr.resample(array, {given}, {own}) or librosa.resample(array, orig_sr={given}, target_sr={own}), or {load}"
        )


def mono_clips(raw_speech: Any) -> list[np.ndarray]:
    """Return clips as arrays `(num_samples,)` of floats, int16 or int32; a single one becomes a batch of one.

    Raises:
        ValueError: There is no clip, or an array is not mono.
        TypeError: There are no numbers, or numbers whose full scale is not certain.
    """
    if isinstance(raw_speech, (list, tuple)):
        if not raw_speech:
            raise ValueError("raw_speech is an empty list; pass at least one clip")
        if not isinstance(raw_speech[0], numbers.Number):
            return [_clip(item, f"clip {index} of raw_speech") for index, item in enumerate(raw_speech)]
    array = _array(raw_speech, "raw_speech")
    if array.ndim == 2 and min(array.shape) > 2:
        return [_clip(row, "raw_speech") for row in array]
    return [_clip(array, "raw_speech")]


def _clip(item: Any, name: str) -> np.ndarray:
    array = _array(item, name)
    if array.ndim == 1:
        return array
    if array.ndim != 2:
        raise ValueError(f"{name} has the shape {array.shape}; a clip is an array (num_samples,)")
    axis = 0 if array.shape[0] <= array.shape[1] else 1
    raise ValueError(
        f"{name} has the shape {array.shape}, which could be one clip of {array.shape[axis]} channels: mix it to mono, "
        f"array.mean(axis={axis}), or, if it holds clips, pass a list of arrays (num_samples,)"
    )


def _array(item: Any, name: str) -> np.ndarray:
    """Return samples as an array of a type that can be computed with."""
    if isinstance(item, torch.Tensor):
        item = item.detach().cpu()
        item = (item.float() if item.dtype == torch.bfloat16 else item).numpy()
    if isinstance(item, (Mapping, str, bytes)) or item is None:
        raise TypeError(
            f"{name} is a {type(item).__name__}; pass the samples, an array (num_samples,) (of a row of `datasets`: "
            'row["audio"]["array"])'
        )
    try:
        array = np.asarray(item)
    except ValueError as error:
        raise TypeError(f"{name} is no array of numbers ({error})") from error
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind != "f" and array.dtype not in FULL_SCALE and array.size:
        raise TypeError(
            f"{name} holds {array.dtype} values, whose full scale is not certain; pass floats between -1 and 1, or the "
            "samples as int16 or int32"
        )
    return array
