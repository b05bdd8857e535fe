"""How systems stand to each other: accuracies over seeds, paired differences, and what a leak is worth.

All from predictions; tracks are the unit of every interval and test, since the segments of one track, and its answers under
several seeds, go together.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgc_hf.comparison.material import Material, RunEntry, System, identify_floor
from mgc_hf.evaluation.intervals import LEVELS, NUM_RESAMPLES, accuracy_interval, difference_with_width, draw_counts
from mgc_hf.evaluation.paired import Answers, PairedTest, by_track, holm
from mgc_hf.predictions import Predictions
from mgc_hf.results import Interval


@dataclass(frozen=True)
class Standing:
    """A system under a protocol, over all seeds.

    Args:
        system ([`System`]): The system.
        protocol (`str`): The protocol.
        unit (`str`): What the figures are of: `track` or `segment`.
        seeds (`dict[int, float]`): Seed -> accuracy, fractions.
        accuracy ([`Interval`]): Mean over the seeds; its interval from drawing tracks, each with all its answers.
        spread (`float`, *optional*): Standard deviation over the seeds; `None` of one.
        num_tracks (`int`): Different tracks that it was tested on.
        from_runs (`bool`): Whether it has runs of its own; the floor may stand in other runs' folders alone.
    """

    system: System
    protocol: str
    unit: str
    seeds: dict[int, float]
    accuracy: Interval
    spread: float | None
    num_tracks: int
    from_runs: bool = True


@dataclass(frozen=True)
class Duel:
    """Two systems under a protocol, on the seeds that both have.

    Args:
        protocol (`str`): The protocol.
        first, second ([`System`]): The two, in the order of the report.
        seeds (`tuple[int, ...]`): Seeds that both have.
        same_items (`bool`): Whether both were asked the same; segments of another length are not the same.
        difference ([`Interval`]): Accuracy of the first less that of the second, with its paired interval.
        tracks ([`PairedTest`]): On how many shared tracks the one or the other has more right.
        corrected_p (`float`): p-value after Holm's correction for all pairs of the protocol.
    """

    protocol: str
    first: System
    second: System
    seeds: tuple[int, ...]
    same_items: bool
    difference: Interval
    tracks: PairedTest
    corrected_p: float


@dataclass(frozen=True)
class LeakWorth:
    """What a leaky protocol adds to a system's accuracy, in segments under both.

    Args:
        system ([`System`]): The system.
        leaky, honest (`str`): The protocols.
        leaky_accuracy, honest_accuracy ([`Interval`]): Of segments, over all seeds.
        difference ([`Interval`]): The one less the other; tracks that are tested under both are drawn together.
        shared_tracks (`int`): How many tracks these are.
    """

    system: System
    leaky: str
    honest: str
    leaky_accuracy: Interval
    honest_accuracy: Interval
    difference: Interval
    shared_tracks: int


def standings(
    material: Material, protocol: str, num_resamples: int = NUM_RESAMPLES, unit: str | None = None
) -> list[Standing]:
    """Return every system's accuracy under a protocol, the most accurate first.

    Args:
        material ([`Material`]): The runs.
        protocol (`str`): One of its protocols.
        num_resamples (`int`, *optional*, defaults to 2,000): Resamples of the intervals.
        unit (`str`, *optional*): `track` or `segment`; what the protocol divides by default.
    """
    unit = unit or material.of(protocol=protocol)[0].unit
    found = []
    for system, by_seed in _asked(material, protocol, unit).items():
        seeds = {seed: float(one.right.mean()) for seed, one in by_seed.items()}
        values = np.array(list(seeds.values()))
        found.append(
            Standing(
                system=system,
                protocol=protocol,
                unit=unit,
                seeds=seeds,
                accuracy=Interval(float(values.mean()), _interval(_pool(by_seed.values()), values, num_resamples)),
                spread=float(values.std(ddof=1)) if len(values) > 1 else None,
                num_tracks=len(np.unique(np.concatenate([one.track_id for one in by_seed.values()]))),
                from_runs=bool(material.of(system, protocol)),
            )
        )
    return sorted(found, key=lambda one: (-one.accuracy.value, one.system))


def duels(material: Material, protocol: str, num_resamples: int = NUM_RESAMPLES) -> list[Duel]:
    """Compare every two systems of a protocol on the tracks that both were tested on.

    Args:
        material ([`Material`]): The runs.
        protocol (`str`): One of its protocols.
        num_resamples (`int`, *optional*, defaults to 2,000): Resamples of the intervals.
    """
    pairs: list[tuple[Any, ...]] = []
    for (first, ones), (second, others) in itertools.combinations(sorted(_asked(material, protocol).items()), 2):
        seeds = tuple(sorted(set(ones) & set(others)))
        test = _on_shared_tracks([(ones[seed], others[seed]) for seed in seeds])
        if test is None:
            continue
        same = all(np.array_equal(np.sort(ones[seed].ids), np.sort(others[seed].ids)) for seed in seeds)
        one, other = (_pool(answers_of[seed] for seed in seeds) for answers_of in (ones, others))
        pairs.append((first, second, seeds, same, _difference(one, other, num_resamples)[0], test))
    corrected = holm([test.p_value for *_, test in pairs])
    return [
        Duel(protocol, first, second, seeds, same, difference, test, p)
        for (first, second, seeds, same, difference, test), p in zip(pairs, corrected, strict=True)
    ]


def leaks(material: Material, num_resamples: int = NUM_RESAMPLES) -> list[LeakWorth]:
    """Return what each leaky protocol is worth over each other one, system by system.

    Args:
        material ([`Material`]): The runs.
        num_resamples (`int`, *optional*, defaults to 2,000): Resamples of the intervals.
    """
    dishonest = [name for name in material.protocols if is_leaky(material, name)]
    honest = [name for name in material.protocols if name not in dishonest]
    doubted = {name: doubted_systems(material, name) for name in honest}
    asked = {name: _asked(material, name, unit="segment") for name in material.protocols}
    found = []
    for one, other in itertools.product(dishonest, honest):
        for system in sorted((set(asked[one]) & set(asked[other])) - doubted[other]):
            sides = [asked[name][system] for name in (one, other)]
            pools = [_pool(side.values()) for side in sides]
            accuracies = []
            for side, pool in zip(sides, pools, strict=True):
                values = np.array([seed.right.mean() for seed in side.values()])
                accuracies.append(Interval(float(values.mean()), _interval(pool, values, num_resamples)))
            difference, shared = _difference(pools[0], pools[1], num_resamples)
            found.append(LeakWorth(system, one, other, accuracies[0], accuracies[1], difference, shared))
    return sorted(found, key=lambda leak: leak.system)


def is_leaky(material: Material, protocol: str) -> bool:
    """Whether a protocol leaks: every run of it does."""
    return all(run.result.leaky for run in material.of(protocol=protocol))


def doubted_systems(material: Material, protocol: str) -> set[System]:
    """Return the systems that are not known to be honest under a protocol that does not leak: one such run is enough.

    Their base checkpoint may know the test part, or it is not known what they were trained on.
    """
    if is_leaky(material, protocol):
        return set()
    return {run.system for run in material.of(protocol=protocol) if not run.is_honest}


def mark_of(material: Material, protocol: str, system: System) -> str | None:
    """Return how a system's figures under a protocol are marked: as the worst of its runs, or as the protocol leaks."""
    marks = {run.mark for run in material.of(system, protocol)}
    if "leaky" in marks or is_leaky(material, protocol):
        return "leaky"
    return "warning" if "warning" in marks else None


def _asked(material: Material, protocol: str, unit: str | None = None) -> dict[System, dict[int, Answers]]:
    """Return seed -> answers of each system; the floor's come from the other runs' folders where it has no run."""
    found: dict[System, dict[int, Answers]] = {}
    runs = material.of(protocol=protocol)
    for run in runs:
        found.setdefault(run.system, {})[run.seed] = Answers.of(run.predictions, unit or run.unit)
    if not any(system.is_floor for system in found):
        floors = {run.seed: _floor_of(run, unit) for run in reversed(runs) if run.floor is not None}
        if floors:
            found[identify_floor()] = dict(sorted(floors.items()))
    return found


def _floor_of(run: RunEntry, unit: str | None) -> Answers:
    floor: Predictions | None = run.floor
    assert floor is not None
    return Answers.of(floor, unit or run.unit)


def _pool(several: Any) -> Answers:
    """Join the answers of several seeds."""
    parts: Sequence[Answers] = list(several)
    return Answers(*(np.concatenate([getattr(one, name) for one in parts]) for name in vars(parts[0])))


def _interval(pool: Answers, values: np.ndarray, num_resamples: int) -> list[float]:
    """Return the interval of an accuracy over seeds, which holds the mean over seeds.

    Seeds may have a few items more or less, so that the mean over seeds and over all answers differ a little.
    """
    low, high = accuracy_interval(pool.track_id, pool.right, num_resamples=num_resamples)
    mean = float(values.mean())
    return [min(low, mean), max(high, mean)]


def _difference(one: Answers, other: Answers, num_resamples: int) -> tuple[Interval, int]:
    """Return how much more often the one is right, with its interval, and on how many tracks both were tested.

    A percentile bootstrap over the tracks of either: a drawn track brings all its answers of both, so that what the two
    share is paired, and what only one was asked is not. With the same items it is `paired_difference`.
    """
    tracks, row = np.unique(np.concatenate([one.track_id, other.track_id]), return_inverse=True)
    split = len(one.track_id)
    rows = (row[:split], row[split:])
    sizes = [np.bincount(part, minlength=len(tracks)) for part in rows]
    hits = [
        np.bincount(part, weights=side.right.astype(float), minlength=len(tracks))
        for part, side in zip(rows, (one, other), strict=True)
    ]
    counts = draw_counts(np.random.default_rng(0), num_resamples, len(tracks))
    totals = [counts @ size for size in sizes]
    usable = (totals[0] > 0) & (totals[1] > 0)  # a draw may miss all tracks of the one
    shares = [(counts @ hit)[usable] / total[usable] for hit, total in zip(hits, totals, strict=True)]
    value = float(one.right.mean() - other.right.mean())
    low, high = np.quantile(shares[0] - shares[1], LEVELS).tolist() if usable.any() else (value, value)
    low, high = difference_with_width([low, high], value, len(tracks))
    shared = int(((sizes[0] > 0) & (sizes[1] > 0)).sum())
    return Interval(value, [min(low, value), max(high, value)]), shared


def _on_shared_tracks(pairs: Sequence[tuple[Answers, Answers]]) -> PairedTest | None:
    """Compare by the tracks that both were tested on under the same seed; `None` where there is none."""
    ids: list[str] = []
    shares: tuple[list[float], list[float]] = ([], [])
    for one, other in pairs:
        means = [_by_track(side) for side in (one, other)]
        for track in sorted(means[0].keys() & means[1].keys()):
            ids.append(track)
            for side, values in zip(shares, means, strict=True):
                side.append(values[track])
    return by_track(np.array(ids), np.array(shares[0]), np.array(shares[1])) if ids else None


def _by_track(side: Answers) -> Mapping[str, float]:
    tracks, row = np.unique(side.track_id, return_inverse=True)
    means = np.bincount(row, weights=side.right.astype(float)) / np.bincount(row)
    return dict(zip(tracks.tolist(), means.tolist(), strict=True))
