"""Whether probabilities mean what they say: expected calibration error, reliability bins, temperature; top-k accuracy.

Of logits at either level: those of segments, or the logarithms of tracks' mean probabilities. Tempering after the mean
is what calibrates it (Rahaman and Thiery, "Uncertainty Quantification and Deep Ensembles", NeurIPS 2021), and it changes
no item's class.
"""

import numpy as np
from scipy.special import log_softmax

from mgc_hf.errors import OptionError, RecordError
from mgc_hf.predictions import most_probable, softmax
from mgc_hf.results import Calibration, ReliabilityBin

#: Bins of equal width from 0 to 1, as Guo and others (2017) have them.
NUM_BINS = 15
#: A validation part that is all right (or all wrong) asks for a temperature without end: it ends here.
TEMPERATURES = (0.05, 20.0)


def calibrate(
    logits: np.ndarray, label: np.ndarray, validation: tuple[np.ndarray, np.ndarray] | None = None
) -> Calibration:
    """Return how far the probabilities of one level can be trusted, as they are and with a temperature.

    Args:
        logits (`np.ndarray` of `float`, shape `(n, num_labels)`): Scores before softmax of the part that is judged.
        label (`np.ndarray` of `int64`, shape `(n,)`): True class.
        validation (`tuple[np.ndarray, np.ndarray]`, *optional*): Logits and labels of the validation part, to which the
            temperature is fitted. Without it there is none: fitted to what it is judged on it would flatter.

    Returns:
        [`~mgc_hf.results.Calibration`]

    Raises:
        RecordError: There is no item, or shapes and labels do not fit together.
    """
    bins = reliability_bins(softmax(logits), label)
    temperature = after = None
    if validation is not None:
        temperature = fit_temperature(*validation)
        after = expected_calibration_error(softmax(np.asarray(logits, dtype=np.float64) / temperature), label)
    return Calibration(_mean_gap(bins), temperature, after, bins)


def reliability_bins(probabilities: np.ndarray, label: np.ndarray, num_bins: int = NUM_BINS) -> list[ReliabilityBin]:
    """Return what a reliability diagram shows: accuracy against confidence, bin by bin.

    Args:
        probabilities (`np.ndarray` of `float`, shape `(n, num_labels)`): Rows that sum to 1.
        label (`np.ndarray` of `int64`, shape `(n,)`): True class.
        num_bins (`int`, *optional*, defaults to 15): Bins of equal width.

    Returns:
        `list[ReliabilityBin]`: All bins from 0 to 1, empty ones too.

    Raises:
        RecordError: There is no item, or shapes and labels do not fit together.
        OptionError: Fewer than one bin.
    """
    label = _checked(probabilities, label)
    if num_bins < 1:
        raise OptionError(f"num_bins is {num_bins}; there must be at least one")
    confidence = np.asarray(probabilities, dtype=np.float64).max(axis=-1)
    right = most_probable(probabilities) == label
    edges = np.linspace(0, 1, num_bins + 1)
    bins = np.searchsorted(edges[1:-1], confidence)
    counts = np.bincount(bins, minlength=num_bins)
    sums = [np.bincount(bins, weights=values, minlength=num_bins) for values in (confidence, right)]
    return [
        ReliabilityBin(
            float(edges[index]),
            float(edges[index + 1]),
            int(n),
            *(float(total[index] / n) if n else None for total in sums),
        )
        for index, n in enumerate(counts)
    ]


def expected_calibration_error(probabilities: np.ndarray, label: np.ndarray, num_bins: int = NUM_BINS) -> float:
    """Return the mean distance of accuracy and confidence, weighted by the items of each bin.

    Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015. Of a
    few items it is far from 0 for a perfectly calibrated model too: compare it at the same number of items only.

    Args:
        probabilities, label, num_bins: As for [`reliability_bins`].

    Returns:
        `float`: From 0 (what is said with 80 % is right in 80 %) to 1.

    Raises:
        RecordError, OptionError: As [`reliability_bins`].
    """
    return _mean_gap(reliability_bins(probabilities, label, num_bins))


def _mean_gap(bins: list[ReliabilityBin]) -> float:
    """Return the mean distance of accuracy and confidence, weighted by the items of each bin."""
    gaps = [b.n * abs(b.accuracy - b.confidence) for b in bins if b.accuracy is not None and b.confidence is not None]
    return sum(gaps) / sum(b.n for b in bins)


def fit_temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """Return the temperature by which logits are divided so that their probabilities fit best.

    It minimises the mean cross-entropy (Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks",
    ICML 2017) and changes no item's class. Fit it on the validation part, never on the part that is scored.

    Args:
        logits (`np.ndarray` of `float`, shape `(n, num_labels)`): Scores before softmax.
        label (`np.ndarray` of `int64`, shape `(n,)`): True class.

    Returns:
        `float`: From 0.05 to 20. Above 1: the model was too sure. 1 where no other fits better.

    Raises:
        RecordError: There is no item, or shapes and labels do not fit together.
    """
    from scipy.optimize import minimize_scalar

    label = _checked(logits, label)
    scores = np.asarray(logits, dtype=np.float64)

    def loss(log_temperature: float) -> float:
        log_probabilities = log_softmax(scores / np.exp(log_temperature), axis=-1)
        return float(-np.take_along_axis(log_probabilities, label[:, None], axis=-1).mean())

    # convex in 1 / T, so it has one valley in log T too
    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x)) if found.fun < loss(0.0) - 1e-12 else 1.0


def among_top(probabilities: np.ndarray, label: np.ndarray, k: int = 2) -> np.ndarray:
    """Return of each item whether its true class is among the k most probable, ties to the lower index.

    scikit-learn's `top_k_accuracy_score` gives ties to the higher one, so that its top-1 is not our accuracy.

    Args:
        probabilities (`np.ndarray` of `float`, shape `(n, num_labels)`): Probabilities, or any scores.
        label (`np.ndarray` of `int64`, shape `(n,)`): True class.
        k (`int`, *optional*, defaults to 2): Classes that are looked at; with as many as there are all is right.

    Returns:
        `np.ndarray` of `bool`, shape `(n,)`: Its mean is the top-k accuracy.

    Raises:
        RecordError: There is no item, or shapes and labels do not fit together.
        OptionError: `k` is less than 1.
    """
    label = _checked(probabilities, label)
    if k < 1:
        raise OptionError(f"k is {k}; it must be at least 1")
    rounded = np.round(np.asarray(probabilities, dtype=np.float64), 12)  # as most_probable
    best = np.argsort(-rounded, axis=-1, kind="stable")[:, :k]
    return (best == label[:, None]).any(axis=-1)


def _checked(values: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the labels, after making sure that they fit the values.

    Raises:
        RecordError: They do not, or there are none.
    """
    shape = np.shape(values)
    if len(shape) != 2 or shape[0] != len(label) or not len(label):
        raise RecordError(
            f"{len(label)} labels and values of shape {shape} cannot be judged: one row a label, at least one"
        )
    checked = np.asarray(label, dtype=np.int64)
    if checked.min() < 0 or checked.max() >= shape[1]:
        raise RecordError(f"a label lies outside 0..{shape[1] - 1}")
    return checked
