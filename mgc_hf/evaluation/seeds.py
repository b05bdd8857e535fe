"""Mean and spread of a figure over runs that differ in their seed alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mgc_hf.errors import RecordError


@dataclass(frozen=True)
class OverSeeds:
    """A figure over several seeds.

    Args:
        mean (`float`): Mean.
        deviation (`float`, *optional*): Sample standard deviation (divided by n - 1); `None` for one run. It tells how
            far one run may lie from another, not how well the mean is known, and holds nothing of the choice of tracks:
            that is in each run's interval.
        n (`int`): Runs.
    """

    mean: float
    deviation: float | None
    n: int

    def __str__(self) -> str:
        """Return a fraction as per cent: `62.3 ± 4.1 % over 5 seeds`."""
        spread = "" if self.deviation is None else f" ± {100 * self.deviation:.1f}"
        return f"{100 * self.mean:.1f}{spread} % over {self.n} seed{'' if self.n == 1 else 's'}"


def over_seeds(values: Sequence[float]) -> OverSeeds:
    """Return mean and spread of a figure over runs with different seeds.

    Args:
        values (`Sequence[float]`): The figure of each run.

    Returns:
        [`OverSeeds`]

    Raises:
        RecordError: There is no run, or a figure is not finite.
    """
    figures = np.asarray(values, dtype=np.float64)
    if not figures.size or not np.isfinite(figures).all():
        raise RecordError(f"no mean of {list(values)}: it takes one run at least, and figures that are finite")
    deviation = float(figures.std(ddof=1)) if figures.size > 1 else None
    return OverSeeds(float(figures.mean()), deviation, int(figures.size))
