"""What of the paper's conclusion stands on this data, in words that follow from the figures."""

import itertools
from collections.abc import Mapping, Sequence

from mgc_hf.comparison.formatting import counted, interval_text, listed, percent
from mgc_hf.comparison.material import Material, System
from mgc_hf.comparison.paper import PaperSystem, paper_systems
from mgc_hf.comparison.ranking import Duel, Standing, is_leaky
from mgc_hf.evaluation.paired import ALPHA


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
            f"{one.system.title} {interval_text(one.accuracy)} ({protocol})"
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
    kind = "leaky" if is_leaky(material, protocol) else material.of(protocol=protocol)[0].result.leak
    places = ", ".join(f"{one.system.title} {interval_text(one.accuracy)}" for one in standing)
    text = f"Under {protocol} ({kind}), {standing[0].unit}s right: {places}."
    told = _judge(ranked, fought)
    for verdict, (start, end) in _VERDICTS.items():
        if told[verdict]:
            text += f" {start} {listed(told[verdict])}{end}"
    floor = _against_floor(fought)
    return f"{text} {floor}" if floor else text


#: Verdict -> what stands before and after the pairs of systems that it is of.
_VERDICTS = {
    "stands": ("It stands that", "."),
    "reversed": ("It is the other way round for", "."),
    "open": ("The data does not tell", "."),
    "absent": ("Not run, and so not said, is", "."),
}


def _judge(ranked: Sequence[PaperSystem], fought: Sequence[Duel]) -> dict[str, list[str]]:
    """Sort the paper's comparisons, each the better system before the other, by what the paired tests say of them."""
    told: dict[str, list[str]] = {name: [] for name in _VERDICTS}
    for better, worse in itertools.combinations(ranked, 2):
        pairs = [duel for duel in fought if {duel.first.paper, duel.second.paper} == {better.key, worse.key}]
        if not pairs:
            told["absent"].append(f"{better.title} against {worse.title}")
        for duel in pairs:
            sides = {duel.first.paper: duel.first, duel.second.paper: duel.second}
            one, other = sides[better.key], sides[worse.key]
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
    needed = duel.tracks.tracks_needed
    wanted = "with equal counts no number of tracks would" if needed is None else f"it takes about {needed:,} tracks"
    return f"{better.title} from {worse.title} ({wanted}, {duel.tracks.n} were at hand)"


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
    honest = [name for name in material.protocols if not is_leaky(material, name)]
    if not honest:
        return (
            "In short: every protocol that was run leaks, so nothing is said here of music that was not trained on. Run the "
            "same systems with --protocol track."
        )
    counts = dict.fromkeys(_VERDICTS, 0)
    for protocol in honest:
        for verdict, pairs in _judge(ranked, fought[protocol]).items():
            counts[verdict] += len(pairs)
    text = (
        f"In short, where nothing leaks by track ({listed(honest)}), of {counted(sum(counts.values()), 'comparison')} of the "
        f"systems as they were run here {_are(counts['stands'], 'come out')} as in the paper, "
        f"{_are(counts['reversed'], 'are')} the other way round, {_are(counts['open'], 'are')} open on this data and "
        f"{_are(counts['absent'], 'were')} not run."
    )
    needed = [
        duel.tracks.tracks_needed
        for protocol in honest
        for duel in fought[protocol]
        if duel.first.paper and duel.second.paper and duel.corrected_p >= ALPHA and duel.tracks.tracks_needed
    ]
    if needed:
        tracks = max(duel.tracks.n for protocol in honest for duel in fought[protocol])
        text += (
            f" The data is too small for the open ones: at the differences found they take {min(needed):,} to "
            f"{max(needed):,} test tracks, and at most {tracks} were at hand."
            if min(needed) != max(needed)
            else f" The data is too small for the open one: at the difference found it takes {min(needed):,} test tracks, "
            f"and at most {tracks} were at hand."
        )
    unlike = [system.title for system in material.systems if system.paper and not system.faithful]
    if unlike:
        text += (
            f" Of the pre-trained models that the paper speaks of this says nothing, since {listed(unlike)} "
            f"{'was' if len(unlike) == 1 else 'were'} trained without their weights."
        )
    return text


def _are(count: int, verb: str) -> str:
    """Return a number with its verb: `none are`, `1 is`, `3 are`."""
    single = {"are": "is", "were": "was", "come out": "comes out"}[verb]
    return f"{count or 'none'} {single if count == 1 else verb}"
