"""Cross-validation: tracks, or whole groups of them, dealt into folds that are alike in their genres."""

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from mgc_hf.errors import SplitError

#: What stays in one fold: the pieces of one recording, or all tracks of artists that are connected.
FOLD_GROUPS = ("track", "artist")


def draw_folds(
    ids: Sequence[str],
    genres: Sequence[str],
    groups: Mapping[str, str],
    num_folds: int,
    seed: int,
    kind: str = "track",
) -> dict[str, int]:
    """Deal groups of tracks into folds with scikit-learn's `StratifiedGroupKFold`.

    Args:
        ids, genres (`Sequence[str]`): Id and genre of each track. Their order is of no consequence.
        groups (`Mapping[str, str]`): From each id to its group, whose tracks are all in one fold.
        num_folds (`int`): At least 2.
        seed (`int`): Another seed, another division. Unlike that of the other draws it may change with scikit-learn.
        kind (`str`, *optional*, defaults to `"track"`): What a group is, in words for errors (`FOLD_GROUPS`).

    Returns:
        `dict[str, int]`: From each id to the number of its fold, from 0.

    Raises:
        SplitError: A genre has fewer groups than there are folds (each is named with its groups), or all of a genre is
            in one fold, so that the model tested on it would not know it.
    """
    order = sorted(zip(ids, genres, strict=True))
    groups_of = defaultdict(set)
    for item, genre in order:
        groups_of[genre].add(groups[item])
    too_few = [
        f"{genre} has {len(groups_of[genre])}" for genre in sorted(groups_of) if len(groups_of[genre]) < num_folds
    ]
    ways = f"ask for fewer folds (--num_folds), {'take --fold_groups track, ' if kind == 'artist' else ''}"
    if too_few:
        raise SplitError(
            f"too few {kind}s for {num_folds} folds by {kind}, of which each needs one of every genre: "
            f"{', '.join(too_few)}. To go on, {ways}or leave the genre out"
        )
    label = np.unique([genre for _, genre in order], return_inverse=True)[1]
    group = np.unique([groups[item] for item, _ in order], return_inverse=True)[1]
    fold = np.array(_deal(tuple(label.tolist()), tuple(group.tolist()), num_folds, seed))
    # scikit-learn says nothing of a genre whose groups all come into one fold
    lost = [str(genre) for index, genre in enumerate(sorted(groups_of)) if len(set(fold[label == index])) < 2]
    if lost:
        raise SplitError(
            f"of {', '.join(lost)} all tracks come into one fold, and the model that is tested on them would not know the "
            f"genre. To go on, take another --split_seed, {ways}or leave the genre out"
        )
    return {item: int(number) for (item, _), number in zip(order, fold, strict=True)}


@functools.lru_cache(maxsize=4)  # seconds for a thousand tracks, and asked for by every fold
def _deal(label: tuple[int, ...], group: tuple[int, ...], num_folds: int, seed: int) -> tuple[int, ...]:
    from sklearn.model_selection import StratifiedGroupKFold

    fold = np.empty(len(label), dtype=np.int64)
    dealer = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed)
    for number, (_, tested) in enumerate(dealer.split(label, label, group)):
        fold[tested] = number
    return tuple(fold.tolist())
