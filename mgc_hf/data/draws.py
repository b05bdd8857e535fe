"""Draws that need no random generator: ids are ordered by a SHA-256 of seed and id.

The order is the same on every platform, with every version of every library and whatever order the files come in. What
is given up is a draw that fills the asked fractions over all genres together: each genre is divided on its own.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from mgc_hf.errors import SplitError
from mgc_hf.predictions import PARTS

#: `(ids, genres, fractions, seed) -> {id: part}`; `fractions` holds the parts wanted besides train, each above 0.
Draw = Callable[[Sequence[str], Sequence[str], Mapping[str, float], int], dict[str, str]]


def seeded_order(ids: Iterable[str], seed: int, salt: str) -> list[str]:
    """Shuffle ids, whatever order they come in: they are sorted by the SHA-256 of `salt`, `seed` and id.

    Args:
        ids (`Iterable[str]`): Ids, all different.
        seed (`int`): Another seed, another order.
        salt (`str`): Names the purpose, so that two draws with one seed have nothing to do with each other.

    Returns:
        `list[str]`: The ids in an order that looks random and depends on the three arguments alone.
    """

    def key(item: str) -> tuple[bytes, str]:
        return hashlib.sha256(f"{salt}\n{seed}\n{item}".encode("utf-8", "surrogatepass")).digest(), item

    return sorted(ids, key=key)


def stratified_draw(
    ids: Sequence[str], genres: Sequence[str], fractions: Mapping[str, float], seed: int
) -> dict[str, str]:
    """Divide every genre on its own by the same fractions, each rounded (half up) to at least one id per part.

    The test ids are taken first, then the validation ids, the rest is for training: the test part of a seed does not
    move when the validation fraction changes.

    Raises:
        SplitError: A genre has fewer ids than there are parts; every such genre is named with its count.
    """
    members = defaultdict(list)
    for item, genre in zip(ids, genres, strict=True):
        members[genre].append(item)
    num_parts = 1 + len(fractions)
    too_few = [f"{genre} has {len(members[genre])}" for genre in sorted(members) if len(members[genre]) < num_parts]
    if too_few:
        parts = " and ".join(part for part in PARTS if part == "train" or part in fractions)
        raise SplitError(
            f"too few clips for a stratified split into {parts}, which takes at least {num_parts} of every genre: "
            f"{', '.join(too_few)}. Add clips, leave the genre out, or ask for fewer parts "
            "(validation_fraction 0, or a test_dataset)"
        )
    part_of = {}
    for genre in sorted(members):
        order = seeded_order(members[genre], seed, "split")
        for part, size in _part_sizes(len(order), fractions).items():
            part_of.update(dict.fromkeys(order[:size], part))
            order = order[size:]
        part_of.update(dict.fromkeys(order, "train"))
    return part_of


def _part_sizes(count: int, fractions: Mapping[str, float]) -> dict[str, int]:
    sizes = {
        part: max(1, math.floor(count * fractions[part] + 0.5)) for part in ("test", "validation") if part in fractions
    }
    while sum(sizes.values()) >= count:  # rounding up must leave one for training
        sizes[max(sizes, key=lambda part: sizes[part])] -= 1
    return sizes
