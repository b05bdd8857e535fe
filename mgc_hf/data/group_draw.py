"""A draw of whole groups of tracks (artists), each genre near its shares and in every part."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from mgc_hf.data.draws import PartSizes, seeded_order
from mgc_hf.errors import SplitError
from mgc_hf.predictions import PARTS

#: Orders tried for one seed; the division nearest to the shares is taken.
_TRIES = 24


def group_draw(
    ids: Sequence[str], genres: Sequence[str], groups: Mapping[str, str], wanted: PartSizes, seed: int
) -> dict[str, str]:
    """Divide groups of tracks, so that each genre is in every part and its shares are near those asked for.

    A seeded order of the groups is walked: first every part gets a group of every genre, the genres with the fewest
    groups before the others; then each group goes where its genres lack most. That is done for some orders, and the
    division with the least sum of squared deviations (tracks, over genres and parts) is taken. A group may have tracks
    of several genres. Groups differ in size, so shares are met nearly, not exactly.

    Args:
        ids, genres (`Sequence[str]`): Id and genre of each track.
        groups (`Mapping[str, str]`): From each id to its group.
        wanted (`PartSizes`): Shares; numbers of tracks are not taken.
        seed (`int`): Another seed, another division. The order of the ids is of no consequence.

    Returns:
        `dict[str, str]`: From each id to its part.

    Raises:
        SplitError: A genre has fewer groups than there are parts (each is named with its groups), or no order was found
            in which groups that span genres leave every part something of each.
    """
    parts = [part for part in PARTS if part in wanted.sizes or part == wanted.rest]
    sizes: dict[str, Counter[str]] = defaultdict(Counter)
    for item, genre in zip(ids, genres, strict=True):
        sizes[groups[item]][genre] += 1
    totals = sum(sizes.values(), Counter())
    groups_of = {genre: sum(genre in size for size in sizes.values()) for genre in sorted(totals)}
    too_few = [f"{genre} has {count}" for genre, count in groups_of.items() if count < len(parts)]
    if too_few:
        raise SplitError(
            f"too few artists for parts that share none: each of {', '.join(parts)} needs one of every genre, so a genre "
            f"needs {len(parts)} artists; {', '.join(too_few)}. Divide by --protocol track, leave the genre out, or ask "
            "for fewer parts (--validation_fraction 0, or --test_dataset)"
        )
    shares = {part: float(wanted.sizes[part]) for part in parts if part in wanted.sizes}
    shares[wanted.rest] = 1 - sum(shares.values())
    targets = {(genre, part): totals[genre] * shares[part] for genre in totals for part in parts}
    scarce = sorted(totals, key=lambda genre: (groups_of[genre], genre))
    best: tuple[float, dict[str, str]] | None = None
    for attempt in range(_TRIES):
        found = _attempt(seeded_order(sizes, seed, f"artist {attempt}"), sizes, scarce, parts, targets)
        if found is not None and (best is None or found[0] < best[0]):
            best = found
    if best is None:
        raise SplitError(
            f"no division was found in which each of {', '.join(parts)} has tracks of every genre and no artist is in "
            "two: artists with tracks of several genres stand in the way. Divide by --protocol track, try another "
            "--split_seed, or ask for fewer parts (--validation_fraction 0, or --test_dataset)"
        )
    return {item: best[1][groups[item]] for item in ids}


def _attempt(
    order: list[str],
    sizes: Mapping[str, Counter[str]],
    scarce: list[str],
    parts: list[str],
    targets: Mapping[tuple[str, str], float],
) -> tuple[float, dict[str, str]] | None:
    """Divide the groups in one order; `None` where a part is left without a genre."""
    lacking = dict(targets)
    part_of: dict[str, str] = {}

    def cost(group: str, part: str) -> float:
        """By how much the sum of squared deviations grows when the group goes into the part."""
        return sum(count * (count - 2 * lacking[genre, part]) for genre, count in sorted(sizes[group].items()))

    def put(group: str, part: str) -> None:
        part_of[group] = part
        for genre, count in sizes[group].items():
            lacking[genre, part] -= count

    of_genre: dict[str, list[str]] = defaultdict(list)
    for group in order:
        for genre in sizes[group]:
            of_genre[genre].append(group)
    for genre in scarce:
        covered = {part_of[group] for group in of_genre[genre] if group in part_of}
        free = (group for group in of_genre[genre] if group not in part_of)
        for part in parts:
            if part in covered:
                continue
            group = next(free, "")
            if not group:
                return None
            put(group, part)
    for group in order:
        if group not in part_of:
            put(group, min(parts, key=lambda part: cost(group, part)))
    return sum(lack * lack for _, lack in sorted(lacking.items())), part_of
