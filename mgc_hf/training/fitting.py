"""Fitting in closed form: the floor's linear layer from a shrinkage linear discriminant analysis of its training rows."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mgc_hf.errors import OptionError

if TYPE_CHECKING:
    from mgc_hf.training.loop import TrainOutcome

logger = logging.getLogger(__name__)

#: Score of a genre without training rows, whose probability then is 0.
_NEVER = -1e4
_BATCH_SIZE = 1024

#: Options of training that steer what is not done here, and those of augmentation that need several epochs.
IDLE_OPTIONS = (
    "num_train_epochs",
    "max_steps",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "gradient_checkpointing",
    "learning_rate",
    "head_learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "max_grad_norm",
    "label_smoothing_factor",
    "bf16",
    "fp16",
    "save_strategy",
    "save_steps",
    "save_total_limit",
    "metric_for_best_model",
    "early_stopping_patience",
    "weight_averaging",
)


@dataclass(frozen=True)
class Discriminants:
    """Linear discriminant functions of normalised features: `logits = (x - mean) / deviation @ weight.T + bias`.

    Args:
        mean, deviation (`np.ndarray` of `float64`, shape `(num_features,)`): What features are normalised by.
        weight (`np.ndarray` of `float64`, shape `(num_labels, num_features)`): Weights.
        bias (`np.ndarray` of `float64`, shape `(num_labels,)`): Biases.
    """

    mean: np.ndarray
    deviation: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


def check_training_rows(labels: np.ndarray, option: str) -> None:
    """Refuse training rows that no discriminant analysis can be made of.

    Args:
        labels (`np.ndarray` of `int64`, shape `(num_rows,)`): Their classes.
        option (`str`): What the text tells to do instead.

    Raises:
        OptionError: They are of one genre, or there are not more of them than genres.
    """
    genres = len(np.unique(labels))
    if genres < 2 or len(labels) <= genres:
        raise OptionError(
            f"the floor is a linear discriminant analysis, which needs two genres and more segments than genres; the "
            f"training part has {len(labels)} of {genres}: {option}"
        )


def fit_discriminants(features: np.ndarray, labels: np.ndarray, num_labels: int, shrinkage: float) -> Discriminants:
    """Fit a linear discriminant analysis with a shrunk covariance; softmax of its functions are its probabilities.

    Features are brought to mean 0 and deviation 1 first, so that shrinking (Friedman, "Regularized discriminant
    analysis", Journal of the American Statistical Association 84(405), 1989) treats them alike.

    Args:
        features (`np.ndarray`, shape `(num_rows, num_features)`): Training rows.
        labels (`np.ndarray` of `int64`, shape `(num_rows,)`): Their classes, 0 to `num_labels - 1`.
        num_labels (`int`): Number of classes. One without rows is never named.
        shrinkage (`float`): From 0 (the empirical covariance) to 1 (a multiple of the identity).

    Raises:
        OptionError: As [`check_training_rows`].
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.preprocessing import StandardScaler

    check_training_rows(labels, "give more data")
    scaler = StandardScaler()
    analysis = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
    analysis.fit(scaler.fit_transform(np.asarray(features, dtype=np.float64)), labels)
    coefficients, intercepts = analysis.coef_, analysis.intercept_
    if len(coefficients) == 1:  # of two classes scikit-learn keeps the difference of their functions
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros_like(intercepts), intercepts])
    weight = np.zeros((num_labels, features.shape[1]))
    bias = np.full(num_labels, _NEVER)
    weight[analysis.classes_], bias[analysis.classes_] = coefficients, intercepts
    return Discriminants(scaler.mean_, scaler.scale_, weight, bias)


def fit_model(model: Any, train_data: Any) -> None:
    """Fit a model in closed form to training rows, and put it into evaluation mode.

    Args:
        model (`PreTrainedModel`): One with `set_discriminants`, changed in place.
        train_data ([`~mgc_hf.features.SegmentDataset`]): Training rows, with hard labels.

    Raises:
        OptionError: Mixup makes the labels soft, or as [`check_training_rows`].
    """
    import torch

    if train_data.augmentation.mixes:
        raise OptionError(
            f"--mixup_alpha is {train_data.augmentation.mixup_alpha}; it must be 0 for a {model.config.model_type}, which is "
            "fitted to whole labels"
        )
    batches = [batch[train_data.source.name] for batch in train_data.batches(_BATCH_SIZE)]
    found = fit_discriminants(
        torch.cat(batches).numpy(), train_data.labels.numpy(), model.config.num_labels, model.config.shrinkage
    )
    model.set_discriminants(*(torch.from_numpy(value).float() for value in vars(found).values()))
    model.eval()


def fit(model: Any, feature_extractor: Any, train_data: Any, options: Any) -> "TrainOutcome":
    """Fit a model in closed form, in place of [`~mgc_hf.training.loop.train`], with the same outcome.

    There are no epochs and no checkpoints: it takes seconds, and to resume is to fit again. Of several processes the main
    one fits, and the others are sent the weights, so that all have the same to the last bit.

    Args:
        model (`PreTrainedModel`): One with `set_discriminants`.
        feature_extractor (`FeatureExtractionMixin`): Its feature extractor.
        train_data ([`~mgc_hf.features.SegmentDataset`]): Training rows.
        options ([`~mgc_hf.options.TrainOptions`]): The training options; seed and devices alone have a meaning here.

    Returns:
        [`~mgc_hf.training.loop.TrainOutcome`]: `selected` is `fitted`, and there is no history.

    Raises:
        OptionError: As [`fit_model`].
    """
    from mgc_hf.distributed import on_main
    from mgc_hf.training.arguments import trainer_arguments
    from mgc_hf.training.loop import TrainOutcome
    from mgc_hf.training.trainer import GenreTrainer

    started = time.perf_counter()

    def weights() -> dict[str, Any]:
        fit_model(model, train_data)
        return {name: value.cpu() for name, value in model.state_dict().items()}

    model.load_state_dict(on_main(weights))
    seconds = time.perf_counter() - started
    trainer = GenreTrainer(model.float(), trainer_arguments(options, False), feature_extractor, train_data)
    trainer.settle(model)
    return TrainOutcome(model, trainer, [], "fitted", 1.0, 1.0, 0, seconds, resumed=False, already_finished=False)


def warn_of_idle(changed: Sequence[str], model_type: str) -> None:
    """Say which of the user's options do nothing for a model that is fitted in closed form."""
    for name in IDLE_OPTIONS:
        if name in changed:
            logger.warning("--%s has no effect on a %s, which is fitted in closed form", name, model_type)
