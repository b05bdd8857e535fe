"""Genre names: GTZAN's ten in their one order, and the spellings that mean one of them."""

from collections.abc import Sequence

#: GTZAN's genres in alphabetical order (Tzanetakis and Cook, 2002): the label ids of every GTZAN model.
GTZAN_GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


def _fold(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def gtzan_name(name: str) -> str | None:
    """Return GTZAN's spelling of a genre name (`"Hip-Hop"`, `"hip hop"` -> `"hiphop"`), or `None` where it is none."""
    folded = _fold(name)
    return folded if folded in GTZAN_GENRES else None


def canonical_names(names: Sequence[str]) -> dict[str, str]:
    """Map each given genre name to the name that the data set will use.

    If every name is a spelling of a GTZAN genre, GTZAN's spellings are used (several may merge into one); otherwise
    the names are kept exactly as given, since a tree of other genres owns its names.

    Args:
        names (`Sequence[str]`): Genre names as found (folder names or a CSV column).

    Returns:
        `dict[str, str]`: From the given to the canonical name.
    """
    canonical = {name: gtzan_name(name) for name in names}
    if all(canonical.values()):
        return {name: str(value) for name, value in canonical.items()}
    return {name: name for name in names}


def class_names(names: Sequence[str]) -> list[str]:
    """Return the class names in label order: sorted, which for GTZAN is its own order.

    A tree that holds a few of GTZAN's genres has those few classes; labels are joined by name everywhere, so models
    and data with different class lists never mix label ids.
    """
    return sorted(set(names))


def join_names(names: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Match genre names of some data with those of a model: as written, else by letters and digits alone.

    Args:
        names (`Sequence[str]`): Names of the data.
        known (`Sequence[str]`): Names of the model.

    Returns:
        `dict[str, str]`: From a name of the data to the model's; those without a match, or with several, are left out.
    """
    spelled: dict[str, list[str]] = {}
    for name in known:
        spelled.setdefault(_fold(name), []).append(name)
    matches = {name: [name] if name in known else spelled.get(_fold(name), []) for name in names}
    return {name: found[0] for name, found in matches.items() if len(found) == 1}
