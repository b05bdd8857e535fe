"""Whether the parts of a division share tracks or artists, whether an evaluation leaks, and how that is said."""

import logging
from collections.abc import Iterable, Sequence

from mgc_hf.data.artists import artist_groups, known
from mgc_hf.data.draws import UNUSED
from mgc_hf.data.facts import recording_of
from mgc_hf.data.protocols import PROTOCOLS, Split
from mgc_hf.data.sources import Corpus
from mgc_hf.data.verdict import PartTrack, Verdict, judge

logger = logging.getLogger(__name__)


def artist_of_tracks(corpus: Corpus) -> dict[str, str | None]:
    """Return the artist of every track of the data, by track id; `None` where it is not known."""
    return dict(zip(corpus.dataset["track_id"], corpus.dataset["artist"], strict=True))


def artists_of(corpus: Corpus, track_ids: Iterable[str]) -> dict[str, str] | None:
    """Return the artist of each track as the intervals by artist draw them.

    Args:
        corpus ([`Corpus`]): The data that the tracks are of.
        track_ids (`Iterable[str]`): Which tracks; their groups come of the joint credits of all of the data.

    Returns:
        `dict[str, str]`, *optional*: From each track id to the name of its group ([`artist_groups`]); a track without a
        known artist is a group of its own. `None` where the artist of none of them is known.
    """
    artists = {recording_of(item): artist for item, artist in artist_of_tracks(corpus).items()}
    wanted = {item: recording_of(item) for item in track_ids}
    if not any(known(artists[recording]) for recording in wanted.values()):
        return None
    group_of = artist_groups(list(artists), list(artists.values()))
    return {item: group_of[recording] for item, recording in wanted.items()}


def judge_split(split: Split, corpus: Corpus, test_corpus: Corpus | None = None) -> Verdict:
    """Say what a division leaks, by the ids and artists of the tracks in its parts.

    Args:
        split ([`Split`]): The division.
        corpus ([`Corpus`]): The data that it divides.
        test_corpus ([`Corpus`], *optional*): Other data that are the test part. Their tracks are other tracks whatever
            their ids; that the recordings differ is checked by their samples once they are decoded.
    """
    rows = _part_tracks(split, artist_of_tracks(corpus))
    if test_corpus is not None:
        other = artist_of_tracks(test_corpus).items()
        rows += [PartTrack("test", f"{test_corpus.name}: {recording_of(item)}", artist) for item, artist in other]
    return judge(rows)


def judge_folds(splits: Sequence[Split], corpus: Corpus) -> Verdict:
    """Say what the folds of a cross-validation share, by the ids and artists of their tracks.

    Args:
        splits (`Sequence[Split]`): The split of each fold, whose test part it is.
        corpus ([`Corpus`]): The data.
    """
    artists = artist_of_tracks(corpus)
    names = [f"fold {number}" for number in range(len(splits))]
    rows = [
        row._replace(part=name)
        for name, split in zip(names, splits, strict=True)
        for row in _part_tracks(split, artists)
        if row.part == "test"
    ]
    return judge(rows, names, "fold")


def tell_verdict(name: str, verdict: Verdict, split: Split | None = None) -> None:
    """Log a verdict before anything is computed: as a warning unless the division is clean.

    Args:
        name (`str`): Of the run.
        verdict ([`Verdict`]): On its division.
        split ([`Split`], *optional*): The division: what a published list is known to share is told before the verdict.
    """
    level = logging.INFO if verdict.status == "clean" else logging.WARNING
    if split is not None and PROTOCOLS[split.protocol].listed is not None:
        logger.log(level, "%s: %s", name, split.statement)
    logger.log(level, "%s: %s", name, verdict.statement)


def _part_tracks(split: Split, artists: dict[str, str | None]) -> list[PartTrack]:
    rows = []
    for item, part in split.part_of.items():
        track_id = item.rpartition("#")[0] if split.unit == "segment" else item
        if part != UNUSED:
            rows.append(PartTrack(part, recording_of(track_id), artists.get(track_id)))
    return rows


def leak_statement(statement: str, leak: Sequence[str], compared: bool) -> str:
    """Say in words what a split does and whether it leaks.

    Args:
        statement (`str`): What the split does.
        leak (`Sequence[str]`): Test tracks that were trained or validated on.
        compared (`bool`): Whether the recordings of both sides were compared.
    """
    if leak:
        return (
            f"This evaluation is leaky: {len(leak)} of the test recordings are, sample for sample, among those trained "
            f"or validated on ({', '.join(leak[:5])}{', ...' if len(leak) > 5 else ''})."
        )
    return (
        f"{statement} No test recording is, sample for sample, among those trained or validated on."
        if compared
        else statement
    )


def leak_of_split(split: Split, verdict: Verdict, repeated: Sequence[str], compared: bool) -> tuple[bool, str]:
    """Return whether an evaluation by a split leaks, and what the split does, in words.

    Args:
        split ([`Split`]): The division.
        verdict ([`Verdict`]): On it. A track in more than one part is a leak; an artist in more than one is told, but
            only some protocols keep artists apart.
        repeated (`Sequence[str]`): Test tracks whose samples were trained or validated on.
        compared (`bool`): Whether the recordings of two data sets were compared: that none are is then told, too.

    Returns:
        `tuple[bool, str]`: Repeats within one data set (GTZAN has fifty) that a draw has put into several parts are told and
            counted, as shared artists are; they are a leak where the data's author has divided them, or where they come
            from other data.
    """
    if split.leaky:
        return True, split.statement
    shared = sum(leak.kind == "track" for leak in verdict.leaks)
    if repeated and not (compared or shared) and PROTOCOLS[split.protocol].on_request:
        names = f"({', '.join(repeated[:5])}{', ...' if len(repeated) > 5 else ''})"
        return False, (
            f"{split.statement} {len(repeated)} of the test recordings {names} stand in the data again under another name, "
            "sample for sample, and were trained or validated on there."
        )
    statement = leak_statement(split.statement, repeated, compared)
    if shared and not repeated:
        verb = "track is" if shared == 1 else "tracks are"
        statement = f"This evaluation is leaky: {shared} {verb} in more than one part, as other files or as pieces."
    return bool(shared or repeated), statement


def leak_of_base(leaky: bool | None, why: str | None) -> tuple[bool | None, str]:
    """Return whether a run leaks, and a sentence, once it is known why its base may know the test part.

    Args:
        leaky (`bool`, *optional*): By the split alone.
        why (`str`, *optional*): Of the record's `model.contamination`.

    Returns:
        `tuple[bool | None, str]`: What was leak-free is no longer known to be; the sentence is empty without a reason.
    """
    if why is None:
        return leaky, ""
    sentence = f" Whether the weights, or those that they began from, knew the test part already is not known: {why}."
    return (True if leaky else None), sentence
