"""A finished model as an ONNX file that onnxruntime runs alone, checked against the model before anything is written.

The file takes the waveform itself, since the front end is exported with the model (`models/front_ends.py`); where there
is none (the floor), what the feature extractor gives. Exports have no attention mask: a clip shorter than a window is
given at its own length. The exporter is transformers' own (`transformers.exporters`).
"""

import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgc_hf.errors import CheckpointError, OptionError
from mgc_hf.files import atomic_folder, write_json
from mgc_hf.inference import GenreClassifier, windows

#: Names of the files in the export's folder.
MODEL, MODEL_INT8, FIGURES = "model.onnx", "model_int8.onnx", "export.json"
#: How far logits may be from the model's.
TOLERANCE = 1e-4
#: Part of the labels that must be the model's after quantization to int8.
INT8_EQUAL_LABELS = 0.98
#: The lengths at which a model that takes any is checked, in windows.
_LENGTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
_ONE_FILE_BYTES = 1_900_000_000  # protobuf ends at 2 GiB
_NEEDED = ("onnx", "onnxscript", "onnxruntime")


@dataclass
class Comparison:
    """Logits of two models on the same windows.

    Args:
        num_windows (`int`): Windows compared.
        max_difference (`float`): Greatest difference of two logits.
        equal_labels (`int`): Windows with the same most probable genre.
    """

    num_windows: int = 0
    max_difference: float = 0.0
    equal_labels: int = 0

    def add(self, expected: np.ndarray, found: np.ndarray) -> None:
        """Compare logits `(num_windows, num_labels)`."""
        if expected.shape != found.shape or not np.isfinite(found).all():
            self.max_difference = float("inf")
        else:
            self.max_difference = max(self.max_difference, float(np.abs(expected - found).max(initial=0.0)))
            self.equal_labels += int((expected.argmax(axis=1) == found.argmax(axis=1)).sum())
        self.num_windows += len(expected)

    @property
    def is_equal(self) -> bool:
        """Whether there are windows, every label is the same, and no logit is off by more than `TOLERANCE`."""
        return self.max_difference <= TOLERANCE and self.equal_labels == self.num_windows > 0

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "num_windows": self.num_windows,
            "max_difference": self.max_difference,
            "equal_labels": self.equal_labels,
        }


def export_onnx(
    model: str | Path,
    output_dir: str | Path | None = None,
    *,
    dataset: str | None = None,
    int8: bool = False,
    overwrite: bool = False,
    revision: str | None = None,
) -> dict[str, Any]:
    """Export a finished model to ONNX, with dynamic batch and, where the model takes any, length.

    Args:
        model (`str` or `Path`): Model folder or Hub id.
        output_dir (`str` or `Path`, *optional*): Folder for `model.onnx` and `export.json`; `onnx` in the model's folder
            by default.
        dataset (`str`, *optional*): Audio to compare the two models on: a folder, or a source as the recipes take it.
        int8 (`bool`, *optional*, defaults to `False`): Also write `model_int8.onnx`, with weights quantized to 8 bits,
            if 98 % of the labels of `dataset`'s windows stay the model's.
        overwrite (`bool`, *optional*, defaults to `False`): Replace an export that is there.
        revision (`str`, *optional*): Branch, tag or commit of a Hub id.

    Returns:
        `dict`: What `export.json` holds.

    Raises:
        OptionError: The packages are missing, the folder is there already, or `int8` without `dataset`.
        CheckpointError: The model cannot be exported, or the export does not say what the model says; nothing was
            written.
    """
    _check_packages()
    if int8 and dataset is None:
        raise OptionError("--int8: is judged by labels of audio; name some by --dataset")
    if output_dir is None and not Path(model).is_dir():
        raise OptionError(f"{model}: is no folder here; name one for the export by --output_dir")
    target = Path(model, "onnx") if output_dir is None else Path(output_dir)
    _check_target(target, overwrite)
    classifier = GenreClassifier.from_pretrained(model, device="cpu", revision=revision)
    clips = None if dataset is None else _clips_of(dataset, classifier)
    graph = _Graph(classifier)
    with atomic_folder(target, replace=overwrite or target.exists()) as folder:
        graph.save(folder / MODEL)
        session = _session(folder / MODEL)
        lengths, noise = graph.check(session)
        figures = _describe(classifier, graph, str(model)) | {"lengths": lengths, "checked_on_noise": noise.to_dict()}
        _refuse_unless(noise.is_equal, model, "noise", noise)
        if clips is not None:
            heard = graph.compare(session, clips())
            figures |= {"dataset": Path(str(dataset)).name, "checked_on_dataset": heard.to_dict()}
            _refuse_unless(heard.is_equal, model, str(dataset), heard)
        if int8 and clips is not None:
            _quantize(folder / MODEL, folder / MODEL_INT8)
            rough = graph.compare(_session(folder / MODEL_INT8), clips())
            share = rough.equal_labels / rough.num_windows
            is_kept = share >= INT8_EQUAL_LABELS
            figures["int8"] = rough.to_dict() | {"equal_labels_share": share, "is_kept": is_kept}
            if not is_kept:
                (folder / MODEL_INT8).unlink()
        figures["files"] = {
            file.name: file.stat().st_size for file in sorted(folder.iterdir()) if file.name.startswith("model")
        }
        write_json(folder / FIGURES, figures)
    return figures


def _check_target(target: Path, overwrite: bool) -> None:
    """Refuse a folder that holds anything but an export, whatever is asked for."""
    if target.exists() and not target.is_dir():
        raise OptionError(f"--output_dir {target}: is a file; name a folder")
    held = sorted(file.name for file in target.iterdir()) if target.exists() else []
    foreign = [name for name in held if name not in (MODEL, MODEL_INT8, FIGURES, f"{MODEL}.data")]
    if foreign:
        raise OptionError(
            f"--output_dir {target}: holds {foreign[0]}, which is of no export; name a folder of its own"
        )
    if held and not overwrite:
        raise OptionError(f"{target}: is there already; --overwrite replaces it")


def _check_packages() -> None:
    import importlib.util

    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise OptionError(f"--to onnx needs {', '.join(missing)}: pip install 'mgc_hf[onnx]'")


class _Graph:
    """A model with its front end, as torch module and as ONNX program."""

    def __init__(self, classifier: GenreClassifier):
        import torch

        from mgc_hf.models.front_ends import WithFrontEnd, front_end

        self.classifier = classifier
        self.module, self.input = classifier.model, classifier.extractor.name
        self.window, self.least_samples = classifier.extractor.segment_samples, classifier.extractor.least_samples
        front = front_end(classifier.feature_extractor)
        self.takes_waveform = front is not None
        if front is not None:
            self.module, self.input = WithFrontEnd(classifier.model, front, self.input).eval(), "input_values"
        batch = self.inputs([_noise(self.window, seed) for seed in range(2)])
        from onnxscript.optimizer import fold_constants, remove_unused_nodes
        from transformers.exporters.exporter_onnx import OnnxConfig, OnnxExporter

        axis = torch.export.Dim.AUTO
        axes = {0: axis, 1: axis} if self.takes_waveform else {0: axis}
        config = OnnxConfig(dynamic=True, dynamic_shapes={self.input: axes})
        try:
            with _quiet(), torch.no_grad():
                exported = OnnxExporter().export(self.module, {self.input: torch.from_numpy(batch)}, config=config)
        except Exception as error:  # the exporter raises whatever torch does at the operation that it does not know
            text = (str(error).strip().splitlines() or [""])[0]
            raise CheckpointError(
                f"a {classifier.model.config.model_type} cannot be exported to ONNX ({type(error).__name__}: {text})"
            ) from error
        self.program = exported.program
        # weights that the exporter reorders in the graph (the LSTM's gates) must be constants to be quantized
        fold_constants(self.program, input_size_limit=_ONE_FILE_BYTES, output_size_limit=_ONE_FILE_BYTES)
        remove_unused_nodes(self.program)

    def inputs(self, clips: list[np.ndarray]) -> np.ndarray:
        """Return the file's input for clips of one length, float32 `(num_clips, ...)`."""
        if self.takes_waveform:
            return np.stack(clips).astype(np.float32)
        return self.classifier.extractor(clips)[0]

    def save(self, path: Path) -> None:
        """Write one file, or one with its weights beside it where they pass what a file may hold."""
        import onnx_ir

        weights = sum(p.numel() * p.element_size() for p in self.module.parameters())
        onnx_ir.save(self.program, str(path), external_data=f"{MODEL}.data" if weights > _ONE_FILE_BYTES else None)

    def run(self, session: Any, clips: list[np.ndarray]) -> np.ndarray:
        """Return the file's logits of clips of one length."""
        try:
            found: np.ndarray = session.run(["logits"], {self.input: self.inputs(clips)})[0]
        except Exception as error:  # onnxruntime's own have no common type; sizes of the trace that were kept end here
            raise CheckpointError(
                f"an exported {self.classifier.model.config.model_type} does not run on {len(clips)} clips of "
                f"{len(clips[0])} samples ({' '.join(str(error).split())[-200:]}); nothing was written"
            ) from error
        return found

    def expected(self, clips: list[np.ndarray]) -> np.ndarray:
        """Return the model's own logits of clips of one length, by its own feature extractor, without a mask."""
        import torch

        extractor, rate = self.classifier.feature_extractor, self.classifier.sampling_rate
        if self.takes_waveform:
            features = extractor(clips, sampling_rate=rate, return_tensors="pt")[self.classifier.extractor.name]
        else:
            features = torch.from_numpy(self.classifier.extractor(clips)[0])
        with torch.inference_mode():
            logits: np.ndarray = self.classifier.model(**{self.classifier.extractor.name: features}).logits.numpy()
        return logits

    def check(self, session: Any) -> tuple[list[int], Comparison]:
        """Compare file and model on noise: at five lengths where any is taken, else at five batch sizes."""
        lengths = [max(self.least_samples, round(factor * self.window)) for factor in _LENGTHS]
        if not self.takes_waveform:
            lengths = [self.window]
        found = Comparison()
        for number, length in enumerate(lengths if self.takes_waveform else lengths * len(_LENGTHS)):
            clips = [_noise(length, seed=10 * number + row) for row in range(1 + number % 3)]
            found.add(self.expected(clips), self.run(session, clips))
        return lengths, found

    def compare(self, session: Any, clips: Iterable[np.ndarray]) -> Comparison:
        """Compare file and model on the windows of clips."""
        found, hop = Comparison(), round(self.classifier.hop_seconds * self.classifier.sampling_rate)
        for clip in clips:
            filled = np.pad(clip, (0, max(0, self.least_samples - len(clip))))
            cut = list(windows([filled], self.window, hop))
            for first in range(0, len(cut), 16):
                batch = cut[first : first + 16]
                found.add(self.expected(batch), self.run(session, batch))
        return found


def _describe(classifier: GenreClassifier, graph: _Graph, name: str) -> dict[str, Any]:
    import importlib.metadata

    shape: list[int | str] = ["batch_size", "num_samples"]
    if not graph.takes_waveform:
        shape = ["batch_size", *classifier.extractor.shape]
    what = "mono samples at sampling_rate, full scale 1.0"
    if not graph.takes_waveform:
        what = f"what {type(classifier.feature_extractor).__name__} gives for a window"
    return {
        "format": "onnx",
        "model": Path(name).name if os.path.isdir(name) else name,
        "model_type": classifier.model.config.model_type,
        "revision": classifier.revision,
        "opset": graph.program.opset_imports.get("", None),
        "input": {"name": graph.input, "dtype": "float32", "shape": shape, "what": what},
        "output": {"name": "logits", "dtype": "float32", "shape": ["batch_size", len(classifier.genres)]},
        "labels": classifier.genres,
        "sampling_rate": classifier.sampling_rate,
        "segment_seconds": classifier.segment_seconds,
        "segment_samples": graph.window,
        "least_samples": graph.least_samples,
        "hop_seconds": classifier.hop_seconds,
        "aggregation": "mean of the windows' probabilities",
        "tolerance": TOLERANCE,
        "packages": {name: importlib.metadata.version(name) for name in ("torch", "transformers", *_NEEDED)},
    }


def _clips_of(dataset: str, classifier: GenreClassifier) -> Callable[[], Iterator[np.ndarray]]:
    """Return a function that decodes the clips of a source one after another, `(num_samples,)` each."""
    from mgc_hf.data.audio import decode
    from mgc_hf.data.sources import read_corpus

    rows = read_corpus(dataset).dataset.select_columns("audio")

    def clips() -> Iterator[np.ndarray]:
        for row in rows:
            audio = row["audio"]
            yield decode(audio["bytes"] or audio["path"], classifier.sampling_rate).samples

    return clips


def _noise(length: int, seed: int) -> np.ndarray:
    """Return pink-like noise: white noise, smoothed, `(length,)`; nothing in it is silent."""
    white = np.random.default_rng(seed).standard_normal(length + 8)
    smooth: np.ndarray = np.convolve(white, np.ones(9) / 9, "valid") + 0.1 * white[:length]
    return (0.2 * smooth).astype(np.float32)


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _quantize(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        # products of 8 by 8 bits overflow on processors without VNNI unless the weights keep to 7
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "LSTM"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
        )


def _refuse_unless(is_good: bool, model: str | Path, where: str, found: Comparison) -> None:
    if not is_good:
        raise CheckpointError(
            f"{model}: its export does not say what it says on {where}: {found.equal_labels} of {found.num_windows} "
            f"labels are the same, logits are up to {found.max_difference:.2g} off; nothing was written"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporters log of their own progress from the user's screen."""
    import contextlib
    import io

    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
