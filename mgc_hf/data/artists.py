"""Who plays, as far as a split needs to know it: spellings of one name, joint credits, and groups of tracks.

Two credits belong together where their names are the same once case, accents, punctuation, `&` and a leading "the" are
set aside, or where one of them is a joint credit ("Lauryn Hill and Bob Marley") and names the other. A joint credit is
taken apart only into names that stand in another credit of the same data too, so that "Peaches and Herb" stays whole
unless there is a "Herb". Names say nothing of bands that share a singer (Black Sabbath, Ozzy Osbourne): those stay apart.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

#: Normalised credits that name nobody.
NOBODY = frozenset(
    {"", "unknown", "unknown artist", "various", "various artists", "va", "none", "n a", "na", "no artist"}
)
#: Parts of a joint credit that many acts share without sharing a musician.
_ANYBODY = frozenset({"band", "co", "company", "friends", "her", "his", "inc", "orchestra", "the", "their", "trio"})
_JOINTS = re.compile(
    r"\s*[,;&+()\[\]]\s*|\s+/\s+|(?:^|(?<=[\s,;&+(\[]))(?:and|with|vs\.?|versus|feat\.?|featuring|ft\.?)(?=\s)",
    re.IGNORECASE,
)


def normalised(name: str) -> str:
    """Return what two spellings of one name have in common.

    `Earth, Wind & Fire` and `Earth Wind and Fire` give `earth wind and fire`; `The Beatles` and `Beatles, The` give
    `beatles`; `R.E.M.` gives `rem`, `Motörhead` `motorhead`. A name of signs alone (`!!!`) stays as it is.
    """
    text = unicodedata.normalize("NFKD", name.casefold())
    # combining accents of Latin, Greek and Cyrillic letters; those of other scripts make other letters, and stay
    text = "".join(sign for sign in text if not 0x300 <= ord(sign) < 0x370)
    text = re.sub(r"[&+]", " and ", re.sub(r"['’`]", "", text))
    text = unicodedata.normalize("NFC", text)
    words = "".join(sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in text).split()
    if len(words) > 1 and (words[0] == "the" or (words[-1] == "the" and "," in name)):
        words = words[1:] if words[0] == "the" else words[:-1]
    joined: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if len(word) == len(before) == 1:
            joined[-1] += word  # initials, with dots or without
        else:
            joined.append(word)
    return " ".join(joined) or name.strip().casefold()


def known(name: str | None) -> bool:
    """Whether a credit names somebody: not empty, "unknown" or "various artists"."""
    return name is not None and normalised(name) not in NOBODY


def members(credit: str) -> list[str]:
    """Return the normalised names that a joint credit may be taken apart into; none where it is one name."""
    names = {normalised(part) for part in _JOINTS.split(credit) if part and part.strip()}
    names = {name for name in names if name not in NOBODY and name.split()[0] not in _ANYBODY}
    return sorted(names - {normalised(credit)})


def players(credits: Iterable[str | None]) -> dict[str, tuple[str, ...]]:
    """Find out who stands behind each credit of some data.

    Args:
        credits (`Iterable[str | None]`): The artist of each track, as written; what is not known is passed over.

    Returns:
        `dict[str, tuple[str, ...]]`: From each known credit to the normalised names of its players: those of its
        members that other credits name as well, or else the one name that the credit is.
    """
    whole = {credit: normalised(credit) for credit in credits if credit is not None and known(credit)}
    named_by: dict[str, set[str]] = defaultdict(set)
    for credit, name in whole.items():
        for one in (name, *members(credit)):
            named_by[one].add(name)
    return {
        credit: tuple(one for one in members(credit) if len(named_by[one]) > 1) or (name,)
        for credit, name in whole.items()
    }


def artist_groups(ids: Sequence[str], artists: Sequence[str | None]) -> dict[str, str]:
    """Put tracks together that share a player, directly or through others (connected components).

    Args:
        ids (`Sequence[str]`): Track ids, all different.
        artists (`Sequence[str | None]`): Artist of each track.

    Returns:
        `dict[str, str]`: From each id to its group: the group's first name in alphabetical order, or, for a track
        whose artist is not known, `?` and its id: a group of its own.
    """
    names = players(artists)
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = name = parent[parent[name]]
        return name

    for one in names.values():
        for other in one:
            first, second = sorted((root(one[0]), root(other)))
            parent[second] = first
    return {
        item: root(names[artist][0]) if artist in names else f"?{item}"
        for item, artist in zip(ids, artists, strict=True)
    }


def spelling(credits: Iterable[str]) -> dict[str, str]:
    """Return the most frequent spelling of each normalised name, for people to read."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for credit in credits:
        counts[normalised(credit)][credit] += 1
    return {name: min(found, key=lambda one: (-found[one], one)) for name, found in counts.items()}


def merges(artists: Iterable[str | None]) -> list[tuple[str, str]]:
    """Return every group that more than one credit went into, as sorted pairs of group and credit."""
    written = sorted({artist for artist in artists if artist is not None and known(artist)})
    group_of = artist_groups(written, written)
    sizes = Counter(group_of.values())
    return sorted((group_of[credit], credit) for credit in written if sizes[group_of[credit]] > 1)
