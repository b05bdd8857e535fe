"""Configuration of the floor: a linear classifier of statistics of frame features."""

from transformers import PreTrainedConfig


class StatsFloorConfig(PreTrainedConfig):
    r"""
    Configuration of a [`StatsFloorForAudioClassification`].

    Args:
        num_features (`int`, *optional*, defaults to 516):
            Number of statistics of a segment: the `feature_size` of its [`StatsFeatureExtractor`].
        shrinkage (`float`, *optional*, defaults to 0.3):
            How far the covariance of the features is shrunk towards a multiple of the identity when the model is fitted,
            from 0 to 1. Nothing in the finished model depends on it.

    Raises:
        ValueError: A value has the wrong type or is out of range.

    Example:

    ```python
    >>> from mgc_hf import StatsFloorConfig, StatsFloorForAudioClassification

    >>> model = StatsFloorForAudioClassification(StatsFloorConfig(num_labels=10))
    >>> model.classifier.weight.shape
    torch.Size([10, 516])

    ```"""

    model_type = "stats_floor"

    num_features: int = 516
    shrinkage: float | int = 0.3

    def __post_init__(self, **kwargs):
        # bool is an int to Python, but `num_features=True` is a mistake
        if isinstance(self.num_features, bool) or not isinstance(self.num_features, int) or self.num_features < 1:
            raise ValueError(
                f"StatsFloorConfig: num_features is {self.num_features!r}, must be a whole number of at least 1"
            )
        if isinstance(self.shrinkage, bool) or not isinstance(self.shrinkage, int | float):
            raise ValueError(f"StatsFloorConfig: shrinkage is {self.shrinkage!r}, must be a number from 0 to 1")
        if not 0 <= self.shrinkage <= 1:
            raise ValueError(f"StatsFloorConfig: shrinkage is {self.shrinkage!r}, must be a number from 0 to 1")
        super().__post_init__(**kwargs)


__all__ = ["StatsFloorConfig"]
