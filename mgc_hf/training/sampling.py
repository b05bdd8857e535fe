"""The order of the training rows."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class EpochSampler(Sampler[int]):
    """Rows in an order that depends on seed and epoch alone, so that a resumed epoch goes on as it began.

    Args:
        num_rows (`int`): Rows of the data set.
        seed (`int`): Seed of all orders.
        shuffle (`bool`, *optional*, defaults to `True`): Whether to shuffle at all.
    """

    def __init__(self, num_rows: int, seed: int, shuffle: bool = True):
        self.num_rows = num_rows
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch, from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.num_rows

    def __iter__(self) -> Iterator[int]:
        if not self.shuffle:
            return iter(range(self.num_rows))
        return iter(np.random.default_rng((self.seed, self.epoch)).permutation(self.num_rows).tolist())
