"""The making of a split: ids, genres and what else a protocol goes by, to a part for each id."""

import difflib
import operator
from collections import Counter
from collections.abc import Sequence

from mgc_hf.data.artists import artist_groups, known
from mgc_hf.data.draws import UNUSED, PartSizes, stratified_draw
from mgc_hf.data.facts import recording_of
from mgc_hf.data.folds import FOLD_GROUPS, draw_folds
from mgc_hf.data.group_draw import group_draw
from mgc_hf.data.protocols import PROTOCOLS, Split, askable_protocols, listed_ids, listed_tracks_held
from mgc_hf.errors import OptionError, SplitError
from mgc_hf.predictions import PARTS

#: What protocol `artist` does with a track whose artist is not known.
UNKNOWN_ARTIST = ("own_group", "leave_out")


def make_split(
    ids: Sequence[str],
    genres: Sequence[str],
    protocol: str = "track",
    *,
    seed: int = 0,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.25,
    train_tracks_per_genre: int = 0,
    test_tracks_per_genre: int = 0,
    artists: Sequence[str | None] | None = None,
    unknown_artist: str = "own_group",
    num_folds: int = 5,
    fold: int | None = None,
    fold_groups: str = "track",
) -> Split:
    """Divide ids into parts by a named protocol.

    Args:
        ids (`Sequence[str]`): Track ids, or segment ids where the protocol's unit is `segment`. Their order is of no
            consequence.
        genres (`Sequence[str]`): Genre name of each id.
        protocol (`str`, *optional*, defaults to `"track"`): A key of `PROTOCOLS` that can be asked for. Under
            `fault_filtered` and `course` lists say which id is where, and neither seed nor fractions have an effect.
        seed (`int`, *optional*, defaults to 0): Seed of the draw.
        validation_fraction (`float`, *optional*, defaults to 0.15): Share of each genre for validation; 0: no such part.
        test_fraction (`float`, *optional*, defaults to 0.25): Share of each genre for testing; 0: no such part (the
            test part comes from other data).
        train_tracks_per_genre (`int`, *optional*, defaults to 0): Train on exactly so many tracks of each genre;
            validation comes on top of them. Those that are left are tested on, or `unused` where the test part has a
            number too or comes from other data. 0: all that is left of each genre.
        test_tracks_per_genre (`int`, *optional*, defaults to 0): Test on exactly so many tracks of each genre. 0: by
            `test_fraction`, which has no effect with either number.
        artists (`Sequence[str | None]`, *optional*): Artist of each id, for protocol `artist` and folds by artist.
        unknown_artist (`str`, *optional*, defaults to `"own_group"`): There, whether a track whose artist is not known
            is taken for an artist of its own (`own_group`) or is in no part (`leave_out`).
        num_folds (`int`, *optional*, defaults to 5): Under `kfold` the number of folds.
        fold (`int`, *optional*): Under `kfold` the fold that is the test part, from 0; it must be given. Fractions have no
            effect: the other folds are trained on.
        fold_groups (`str`, *optional*, defaults to `"track"`): Under `kfold` what stays in one fold: the pieces of one
            recording (`track`), or all tracks of connected artists (`artist`).

    Returns:
        `Split`: Every genre has at least one id in every part asked for; under `fault_filtered`, `course` and `kfold`
        in training.

    Raises:
        OptionError: Unknown protocol, fractions that are negative or leave nothing for training, or numbers that are
            negative or asked of a protocol that divides segments or artists.
        SplitError: A genre has too few ids or artists, an id stands twice, there is none, no artist is known, or the
            ids are not those of the protocol's lists.
    """
    _check_protocol(protocol)
    unit = PROTOCOLS[protocol].unit
    numbers = _checked_numbers(
        protocol, train_tracks_per_genre=train_tracks_per_genre, test_tracks_per_genre=test_tracks_per_genre
    )
    fractions = _checked_fractions(
        validation_fraction=validation_fraction, test_fraction=0.0 if numbers else test_fraction
    )
    rest = "train"
    if "train" in numbers:
        rest = "test" if "test" not in numbers and test_fraction > 0 else UNUSED
    _check_ids(ids, genres)
    if PROTOCOLS[protocol].listed is not None:
        return Split(protocol, unit, None, _listed_parts(protocol, ids, genres))
    seed = operator.index(seed)
    sizes = PartSizes({**fractions, **numbers}, rest)
    taken: dict[str, str]
    if protocol == "artist":
        taken, groups = _artist_groups(protocol, ids, genres, artists, unknown_artist)
        drawn = group_draw(list(taken), list(taken.values()), groups, sizes, seed)
        return Split(protocol, unit, seed, {**dict.fromkeys(ids, UNUSED), **drawn})
    if protocol == "kfold":
        _check_fold(num_folds, fold, fold_groups)
        taken, groups = dict(zip(ids, genres, strict=True)), {item: recording_of(item) for item in ids}
        if fold_groups == "artist":
            taken, groups = _artist_groups(protocol, ids, genres, artists, unknown_artist)
        fold_of = draw_folds(list(taken), list(taken.values()), groups, num_folds, seed, fold_groups)
        parts = {item: "test" if number == fold else "train" for item, number in fold_of.items()}
        return Split(protocol, unit, seed, {**dict.fromkeys(ids, UNUSED), **parts})
    draw = PROTOCOLS[protocol].draw
    assert draw is not None
    return Split(protocol, unit, seed, draw(ids, genres, sizes, seed))


def _check_fold(num_folds: int, fold: int | None, fold_groups: str) -> None:
    if num_folds < 2:
        raise OptionError(f"num_folds is {num_folds}; it must be at least 2")
    if fold is None or not 0 <= fold < num_folds:
        raise OptionError(f"fold is {fold}; a split of protocol kfold is of one fold, from 0 to {num_folds - 1}")
    if fold_groups not in FOLD_GROUPS:
        raise OptionError(f"fold_groups is {fold_groups!r}; allowed are {', '.join(FOLD_GROUPS)}")


def _artist_groups(
    protocol: str,
    ids: Sequence[str],
    genres: Sequence[str],
    artists: Sequence[str | None] | None,
    unknown_artist: str,
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the tracks that are divided, with their genres, and the group of artists of each track."""
    if unknown_artist not in UNKNOWN_ARTIST:
        raise OptionError(f"unknown_artist is {unknown_artist!r}; allowed are {', '.join(UNKNOWN_ARTIST)}")
    artists = [None] * len(ids) if artists is None else artists
    if len(artists) != len(ids):
        raise ValueError(f"{len(ids)} ids, but {len(artists)} artists")
    by_artist = "artist" if protocol == "artist" else f"{protocol} with --fold_groups artist"
    if not any(known(artist) for artist in artists):
        instead = "Divide by --protocol track" if protocol == "artist" else "Take --fold_groups track"
        raise SplitError(
            f"protocol {by_artist} cannot be had: no artist is known in these data. {instead}, or give the "
            "artists (a CSV or Hub data set with a column artist)"
        )
    taken = {
        item: genre
        for item, genre, artist in zip(ids, genres, artists, strict=True)
        if unknown_artist == "own_group" or known(artist)
    }
    without = sorted(set(genres) - set(taken.values()))
    if without:
        raise SplitError(
            f"protocol {by_artist}: no artist is known of any track of {', '.join(without)}, so with --unknown_artist "
            "leave_out nothing is left of it; use own_group, or leave the genre out"
        )
    return taken, artist_groups(ids, artists)


def _listed_parts(protocol: str, ids: Sequence[str], genres: Sequence[str]) -> dict[str, str]:
    entry = PROTOCOLS[protocol]
    assert entry.listed is not None
    listed = entry.listed()
    foreign = sorted(item for item in ids if recording_of(item) not in listed)
    if foreign:
        raise SplitError(
            f"protocol {protocol} is a list of GTZAN's own tracks (blues.00000), and cannot be had for other data: "
            f"{listed_ids(foreign)} not among them. Divide by --protocol track or artist"
        )
    part_of = {item: listed[recording_of(item)] for item in ids}
    held: dict[str, set[str]] = {part: set() for part in (*PARTS, UNUSED)}
    for item, genre in zip(ids, genres, strict=True):
        held[part_of[item]].add(genre)
    empty = [part for part in PARTS if part in listed.values() and not held[part]]
    untrained = sorted(set(genres) - held["train"])
    if empty or untrained:
        lacks = f"the {' and '.join(empty)} part is empty" if empty else f"{', '.join(untrained)} cannot be trained on"
        raise SplitError(
            f"protocol {protocol} cannot be had: {lacks}. {listed_tracks_held(protocol, part_of)} Give more of GTZAN, or "
            "divide by --protocol track"
        )
    return part_of


def split_from_parts(
    ids: Sequence[str],
    parts: Sequence[str | None],
    genres: Sequence[str],
    *,
    seed: int = 0,
    validation_fraction: float = 0.15,
) -> Split:
    """Take the parts that the data set itself defines (protocol `source`).

    Args:
        ids (`Sequence[str]`): Track ids.
        parts (`Sequence[str | None]`): `train`, `validation` or `test` for each id.
        genres (`Sequence[str]`): Genre name of each id.
        seed (`int`, *optional*, defaults to 0): Seed of the draw of a validation part.
        validation_fraction (`float`, *optional*, defaults to 0.15): Where the data set defines no validation part,
            this share of each genre's training tracks becomes it; 0: none. Without effect where it defines one.

    Returns:
        `Split`: Its seed is `None` where nothing was drawn.

    Raises:
        OptionError: The fraction is negative or leaves nothing for training.
        SplitError: A track has no part or an unknown one, a genre has no training track, or too few for validation.
    """
    _check_ids(ids, genres)
    fractions = _checked_fractions(validation_fraction=validation_fraction)
    part_of = {}
    for item, part in zip(ids, parts, strict=True):
        if part not in PARTS:
            raise SplitError(f"track {item} has the part {part!r}; allowed are {', '.join(PARTS)}")
        part_of[item] = str(part)
    genre_of = dict(zip(ids, genres, strict=True))
    train = sorted(item for item, part in part_of.items() if part == "train")
    untrained = sorted(set(genres) - {genre_of[item] for item in train})
    if untrained:
        raise SplitError(f"the data's own split has no training track of {', '.join(untrained)}")
    if "validation" in part_of.values() or not fractions:
        return Split("source", "track", None, part_of)
    seed = operator.index(seed)
    whole = {recording_of(item): genre_of[item] for item in train}  # pieces and copies of a track stay together
    drawn = stratified_draw(list(whole), list(whole.values()), PartSizes(fractions), seed)
    part_of.update({item: drawn[recording_of(item)] for item in train})
    return Split("source", "track", seed, part_of)


def _check_protocol(protocol: str) -> None:
    askable = askable_protocols()
    if protocol not in askable:
        nearest = difflib.get_close_matches(protocol, askable, 1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise OptionError(f"protocol {protocol!r} cannot be asked for; allowed are {', '.join(askable)}{hint}")


def _checked_fractions(**fractions: float) -> dict[str, float]:
    for name, value in fractions.items():
        if not 0 <= value < 1:
            raise OptionError(f"{name} is {value}; it must be at least 0 and below 1")
    if sum(fractions.values()) >= 1:
        text = " and ".join(f"{name} {value}" for name, value in fractions.items())
        raise OptionError(f"{text} leave nothing for training; together they must be below 1")
    return {name.removesuffix("_fraction"): float(value) for name, value in fractions.items() if value > 0}


def _checked_numbers(protocol: str, **numbers: int) -> dict[str, int]:
    why = {
        "segment": "a protocol that divides segments",
        "artist": "a protocol that divides artists",
        "kfold": "a protocol that tests on every track once",
    }.get(protocol)
    if PROTOCOLS[protocol].listed is not None:
        why = "a protocol whose lists say which track is where"
    for name, value in numbers.items():
        if value < 0:
            raise OptionError(f"{name} is {value}; it must be 0 or more")
        if value and why:
            raise OptionError(f"{name} is {value}; it must be 0 for {why}")
    return {name.split("_")[0]: operator.index(value) for name, value in numbers.items() if value}


def _check_ids(ids: Sequence[str], genres: Sequence[str]) -> None:
    if len(ids) != len(genres):
        raise ValueError(f"{len(ids)} ids, but {len(genres)} genres")
    if not len(ids):
        raise SplitError("there is nothing to divide: the data hold no clip")
    repeated = sorted(item for item, count in Counter(ids).items() if count > 1)
    if repeated:
        raise SplitError(f"{listed_ids(repeated)} in the data more than once; ids must differ")
