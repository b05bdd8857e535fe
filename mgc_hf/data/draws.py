"""Draws that need no random generator: ids are ordered by a SHA-256 of seed and id.

The order is the same on every platform, with every version of every library and whatever order the files come in. What
is given up is a draw that fills the asked shares over all genres together: each genre is divided on its own.
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mgc_hf.errors import SplitError
from mgc_hf.predictions import PARTS

#: Where the ids are that a draw leaves out of every part.
UNUSED = "unused"


@dataclass(frozen=True)
class PartSizes:
    """How much of each genre goes into which part.

    Args:
        sizes (`Mapping[str, float | int]`): For each part wanted a share of the genre (`float`, above 0 and below 1)
            or a number of ids (`int`, at least 1).
        rest (`str`, *optional*, defaults to `"train"`): The part that takes what is left, at least one id of each
            genre; or `"unused"`, which may stay empty.
    """

    sizes: Mapping[str, float | int]
    rest: str = "train"

    @property
    def least(self) -> int:
        """The fewest ids of a genre that can be divided."""
        return sum(size if isinstance(size, int) else 1 for size in self.sizes.values()) + (self.rest != UNUSED)

    def of_genre(self, count: int) -> Counter[str]:
        """Return the ids in each part of a genre that has `count`, at least `least`, of them."""
        found = Counter(
            {
                part: self.sizes[part] if isinstance(self.sizes[part], int) else self._share(part, count)
                for part in ("test", "validation", "train")
                if part in self.sizes
            }
        )
        shared = [part for part in found if not isinstance(self.sizes[part], int)]
        while found.total() + (self.rest != UNUSED) > count:  # rounding up must leave one for the rest
            found[max(shared, key=found.__getitem__)] -= 1
        found[self.rest] = count - found.total()
        return found

    def _share(self, part: str, count: int) -> int:
        return max(1, math.floor(count * self.sizes[part] + 0.5))

    def described(self) -> str:
        """Return the parts in words: `20 train and validation and test`."""
        numbers = {part: f"{size} {part}" for part, size in self.sizes.items() if isinstance(size, int)}
        return " and ".join(numbers.get(part, part) for part in PARTS if part in self.sizes or part == self.rest)


#: `(ids, genres, sizes, seed) -> {id: part}`.
Draw = Callable[[Sequence[str], Sequence[str], PartSizes, int], dict[str, str]]


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


def stratified_draw(ids: Sequence[str], genres: Sequence[str], wanted: PartSizes, seed: int) -> dict[str, str]:
    """Divide every genre on its own by the same sizes; shares are rounded (half up) to at least one id per part.

    Within a genre's seeded order the test ids come first, then the validation ids, and the training ids stand at the
    end. So the test part of a seed does not move when the validation share or the number of training ids changes, and
    fewer training ids are some of the more; unless the test part is what the others leave.

    Raises:
        SplitError: A genre has fewer ids than the parts need; every such genre is named with its count.
    """
    members = defaultdict(list)
    for item, genre in zip(ids, genres, strict=True):
        members[genre].append(item)
    least = wanted.least
    too_few = [f"{genre} has {len(members[genre])}" for genre in sorted(members) if len(members[genre]) < least]
    if too_few:
        raise SplitError(
            f"too few clips for a stratified split into {wanted.described()}, which takes at least {least} of every "
            f"genre: {', '.join(too_few)}. Add clips, leave the genre out, or ask for fewer clips or parts "
            "(train_tracks_per_genre, test_tracks_per_genre, validation_fraction 0, or a test_dataset)"
        )
    part_of = {}
    for genre in sorted(members):
        order = seeded_order(members[genre], seed, "split")
        sizes = wanted.of_genre(len(order))
        for part in ("test", "validation", UNUSED, "train"):
            part_of.update(dict.fromkeys(order[: sizes[part]], part))
            order = order[sizes[part] :]
    return part_of
