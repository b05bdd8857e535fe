"""What of the paper's conclusion stands on this data, in words that follow from the figures."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

from mgc_hf.comparison.formatting import counted, interval_text, listed, percent
from mgc_hf.comparison.material import Material, System
from mgc_hf.comparison.paper import PaperSystem, paper_systems
from mgc_hf.comparison.ranking import Duel, Standing, doubted_systems, is_leaky
from mgc_hf.evaluation.paired import ALPHA
from mgc_hf.results import format_p_value


def conclusion(
    material: Material, found: Mapping[str, Sequence[Standing]], fought: Mapping[str, Sequence[Duel]]
) -> list[str]:
    """Return the paragraphs below the ranking: what the paper says, and protocol by protocol what is found.

    Args:
        material ([`Material`]): The runs.
        found (`Mapping[str, Sequence[Standing]]`): Protocol -> systems, the most accurate first.
        fought (`Mapping[str, Sequence[Duel]]`): Protocol -> pairs of systems.
    """
    ranked = sorted(paper_systems().values(), key=lambda one: -one.accuracy)
    order = ", ".join(f"{system.title} {percent(system.accuracy, 2)}" for system in ranked)
    words = [
        f"The paper ranks {order}, and concludes that a network made for the task is ahead of pre-trained speech models. "
        "Below is what of each of its six comparisons stands on this data, under every protocol that was run."
    ]
    words += [
        _of_protocol(material, protocol, ranked, found[protocol], fought[protocol]) for protocol in material.protocols
    ]
    words += _by_the_papers_own(material, ranked, found)
    return [*words, _in_short(material, ranked, fought)]


def _by_the_papers_own(
    material: Material, ranked: Sequence[PaperSystem], found: Mapping[str, Sequence[Standing]]
) -> list[str]:
    """Say what comes out as the paper did it: the LSTM on leaking segments, the others on unheard clips."""
    if not {"segment", "track"} <= set(found):
        return []
    figures = []
    for system in ranked:
        protocol = "segment" if system.key == _SEGMENTED else "track"
        figures += [
            f"{_standing(one, doubted_systems(material, protocol))} ({protocol})"
            for one in found[protocol]
            if one.system.paper == system.key
        ]
    return [
        "As the paper did it, the LSTM tested on segments of tracks that it was trained on and the others on clips that "
        f"they were not: {', '.join(figures)}. These answer two questions, so they make no ranking."
    ]


#: The system that the paper divided by segments; of the others it speaks of samples.
_SEGMENTED = "lstm"


def _of_protocol(
    material: Material,
    protocol: str,
    ranked: Sequence[PaperSystem],
    standing: Sequence[Standing],
    fought: Sequence[Duel],
) -> str:
    """Say what is found under one protocol."""
    kind = material.example(protocol).result.leak
    doubted = doubted_systems(material, protocol)
    places = ", ".join(_standing(one, doubted) for one in sorted(standing, key=lambda one: one.system in doubted))
    text = f"Under {protocol} ({kind}), {standing[0].unit}s right: {places}."
    told = _judge(ranked, fought, doubted)
    for verdict, (start, end) in _VERDICTS.items():
        if told[verdict]:
            text += f" {start} {listed(told[verdict])}{end}"
    floor = _against_floor([duel for duel in fought if not _is_doubted(duel, doubted)])
    return f"{text} {floor}" if floor else text


#: Verdict -> what stands before and after the pairs of systems that it is of.
_VERDICTS = {
    "stands": ("It stands that", "."),
    "reversed": ("It is the other way round for", "."),
    "open": ("The data does not tell", "."),
    "doubted": ("Not judged, since a side of it may know the test part, is", "."),
    "absent": ("Not run, and so not said, is", "."),
}


def _standing(one: Standing, doubted: Collection[System]) -> str:
    return f"{one.system.title} {interval_text(one.accuracy)}{' (to be doubted)' if one.system in doubted else ''}"


def _is_doubted(duel: Duel, doubted: Collection[System]) -> bool:
    return duel.first in doubted or duel.second in doubted


def _pairs(
    ranked: Sequence[PaperSystem], fought: Sequence[Duel]
) -> Iterator[tuple[PaperSystem, PaperSystem, list[Duel]]]:
    """Yield the paper's comparisons, each the better system before the other, with the pairs that stand for it."""
    for better, worse in itertools.combinations(ranked, 2):
        yield (
            better,
            worse,
            [duel for duel in fought if {duel.first.paper, duel.second.paper} == {better.key, worse.key}],
        )


def _judge(ranked: Sequence[PaperSystem], fought: Sequence[Duel], doubted: Collection[System]) -> dict[str, list[str]]:
    """Sort the paper's comparisons by what the paired tests say of them."""
    told: dict[str, list[str]] = {name: [] for name in _VERDICTS}
    for better, worse, pairs in _pairs(ranked, fought):
        if not pairs:
            told["absent"].append(f"{better.title} against {worse.title}")
        for duel in pairs:
            sides = {duel.first.paper: duel.first, duel.second.paper: duel.second}
            one, other = sides[better.key], sides[worse.key]
            if _is_doubted(duel, doubted):
                told["doubted"].append(f"{one.title} against {other.title}")
            else:
                told[_verdict(duel, one)].append(_pair_in_words(duel, one, other))
    return told


def _verdict(duel: Duel, better: System) -> str:
    if duel.corrected_p >= ALPHA:
        return "open"
    lead = duel.tracks.first_alone - duel.tracks.second_alone
    return "stands" if (lead > 0) == (better == duel.first) else "reversed"


def _pair_in_words(duel: Duel, better: System, worse: System) -> str:
    if duel.corrected_p < ALPHA:
        word = "is ahead of" if _verdict(duel, better) == "stands" else "and"
        return f"{better.title} {word} {worse.title}"
    test = duel.tracks
    needed = test.tracks_needed
    if test.p_value < ALPHA:
        why = f"beyond chance alone ({format_p_value(test.p_value)}), not after correction for so many pairs"
    elif needed is None:
        why = f"with equal counts no number of tracks would, {test.n} were at hand"
    elif needed <= test.n:
        why = f"the {test.n} tracks at hand differ too seldom ({format_p_value(test.p_value)})"
    else:
        why = f"it takes about {needed:,} tracks, {test.n} were at hand"
    return f"{better.title} from {worse.title} ({why})"


def _against_floor(fought: Sequence[Duel]) -> str:
    """Say which systems are above the linear floor, and which are not."""
    told: dict[str, list[str]] = {"above": [], "level": [], "below": []}
    for duel in fought:
        if duel.first.is_floor == duel.second.is_floor:
            continue
        system = duel.second if duel.first.is_floor else duel.first
        lead = duel.tracks.first_alone - duel.tracks.second_alone
        ahead = lead > 0 if system == duel.first else lead < 0
        told["level" if duel.corrected_p >= ALPHA else "above" if ahead else "below"].append(system.title)
    words = {
        "above": "above the linear floor beyond chance",
        "level": "not told from it" if told["above"] else "not told from the linear floor",
        "below": "below it beyond chance"
        if told["above"] or told["level"]
        else "below the linear floor beyond chance",
    }
    parts = [
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} {words[kind]}" for kind, names in told.items() if names
    ]
    return f"{'; '.join(parts)}." if parts else ""


def _in_short(material: Material, ranked: Sequence[PaperSystem], fought: Mapping[str, Sequence[Duel]]) -> str:
    """Say in one paragraph what of the conclusion stands where nothing leaks, and what the data is too small for."""
    honest = [name for name in material.protocols if material.example(name).is_honest]
    if not honest:
        every = all(is_leaky(material, name) for name in material.protocols)
        why = "every protocol that was run leaks" if every else "no run is known to be free of a leak"
        return (
            f"In short: {why}, so nothing is said here of music that was not trained on. Run the same systems with "
            "--protocol track."
        )
    counts = dict.fromkeys(_VERDICTS, 0)
    open_ones: list[Duel] = []
    for protocol in honest:
        doubted = doubted_systems(material, protocol)
        for verdict, told in _judge(ranked, fought[protocol], doubted).items():
            counts[verdict] += len(told)
        open_ones += [
            duel
            for *_, pairs in _pairs(ranked, fought[protocol])
            for duel in pairs
            if duel.corrected_p >= ALPHA and not _is_doubted(duel, doubted)
        ]
    said = [
        f"{_are(counts['stands'], 'come out')} as in the paper",
        f"{_are(counts['reversed'], 'are')} the other way round",
        f"{_are(counts['open'], 'are')} open on this data",
        f"{_are(counts['doubted'], 'are')} not judged for a side that may know the test part",
        f"{_are(counts['absent'], 'were')} not run",
    ]
    text = (
        f"In short, where nothing leaks by track ({listed(honest)}), of {counted(sum(counts.values()), 'comparison')} of the "
        f"systems as they were run here {listed([words for words in said if counts['doubted'] or words != said[3]])}."
    )
    text += _of_open(open_ones)
    unlike = [system.title for system in material.systems if system.paper and not system.faithful]
    if unlike:
        text += (
            f" Of the pre-trained models that the paper speaks of this says nothing, since {listed(unlike)} "
            f"{'was' if len(unlike) == 1 else 'were'} trained without their weights."
        )
    return text


def _of_open(duels: Sequence[Duel]) -> str:
    """Say why the open comparisons are open; every one of them is in one of the counts."""
    tests = [duel.tracks for duel in duels]
    alone = [test for test in tests if test.p_value < ALPHA]
    rest = [test for test in tests if test.p_value >= ALPHA]
    needed = [test.tracks_needed for test in rest if test.tracks_needed is not None and test.tracks_needed > test.n]
    equal = [test for test in rest if test.tracks_needed is None]
    seldom = len(rest) - len(needed) - len(equal)
    text = ""
    if needed:
        tracks = max(test.n for test in rest)
        whole = "the open one" if len(tests) == 1 else "the open ones"
        ones = whole if len(needed) == len(tests) else f"{len(needed)} of the open ones"
        span = f"{min(needed):,}" if min(needed) == max(needed) else f"{min(needed):,} to {max(needed):,}"
        difference, takes = ("differences", "they take") if len(needed) > 1 else ("difference", "it takes")
        text += (
            f" The data is too small for {ones}: at the {difference} found {takes} {span} test tracks, and at most {tracks} "
            "were at hand."
        )
    told = [
        (len(equal), "with equal counts for the one and the other: no number of tracks would tell"),
        (len(alone), "beyond chance alone, but not after correction for so many pairs"),
        (seldom, "open since too few tracks differ"),
    ]
    return text + "".join(f" Of the open ones, {_are(count, 'are')} {words}." for count, words in told if count)


def _are(count: int, verb: str) -> str:
    """Return a number with its verb: `none are`, `1 is`, `3 are`."""
    single = {"are": "is", "were": "was", "come out": "comes out"}[verb]
    return f"{count or 'none'} {single if count == 1 else verb}"
