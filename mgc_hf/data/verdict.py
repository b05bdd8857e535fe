"""What a division of tracks leaks, as far as ids and artists can tell: told before anything is computed from it.

The protocol says what was meant; the verdict looks at the tracks that lie in the parts. It compares ids and the names of
artists. That two files hold one recording under two ids is not seen here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mgc_hf.data.artists import known, players, spelling
from mgc_hf.predictions import PARTS
from mgc_hf.results import LeakRecord, VerdictRecord

_MOST = 5  #: Names that a sentence lists; the verdict itself has all of them.


class PartTrack(NamedTuple):
    """A track in a part: its id (that of the whole recording) and its artist, if known."""

    part: str
    track_id: str
    artist: str | None


@dataclass(frozen=True)
class Leak:
    """What is in more than one part.

    Args:
        kind (`str`): `track` or `artist`.
        name (`str`): Id of the track, or the artist's name in its most frequent spelling.
        tracks (`dict[str, int]`): For each part (of cross-validation: `fold 0`, ...) that has it the number of its tracks there.
    """

    kind: str
    name: str
    tracks: dict[str, int]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(f'{part} {count}' for part, count in self.tracks.items())})"


@dataclass(frozen=True)
class Verdict:
    """What a division leaks.

    Args:
        leaks (`tuple[Leak, ...]`): Tracks and artists in more than one part, each sorted by name.
        num_tracks (`int`): Tracks in all parts.
        num_unknown (`int`): Those of them whose artist is not known.
        noun (`str`, *optional*, defaults to `"part"`): What the parts are called: `part`, or `fold`.
    """

    leaks: tuple[Leak, ...]
    num_tracks: int
    num_unknown: int
    noun: str = "part"

    @property
    def status(self) -> str:
        """`leaks`; or `not provable`, where none was found but artists are not known; or `clean`."""
        if self.leaks:
            return "leaks"
        return "not provable" if self.num_unknown else "clean"

    @property
    def statement(self) -> str:
        """The verdict in words, for people and records; it begins `Verdict: ` and the status."""
        found = []
        for kind in ("track", "artist"):
            names = [str(leak) for leak in self.leaks if leak.kind == kind]
            if names:
                more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
                verb = f"{kind}s are" if len(names) > 1 else f"{kind} is"
                found.append(f"{len(names)} {verb} in more than one {self.noun}: {', '.join(names[:_MOST])}{more}.")
        unknown = f"{self.num_unknown} of {self.num_tracks} tracks have no known artist."
        if self.leaks:
            return " ".join([f"Verdict: {self.status}.", *found, *([unknown] if self.num_unknown else [])])
        if self.num_unknown:
            return f"Verdict: {self.status}. No track and no known artist is in two {self.noun}s, but {unknown}"
        return f"Verdict: {self.status}. No track and no artist is in two {self.noun}s ({self.num_tracks} tracks)."

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict for programs: plain values, `status` first."""
        return {
            "status": self.status,
            "leaks": [{"kind": leak.kind, "name": leak.name, "tracks": dict(leak.tracks)} for leak in self.leaks],
            "num_tracks": self.num_tracks,
            "num_unknown": self.num_unknown,
        }

    def to_record(self) -> VerdictRecord:
        """Return the verdict as the record of a run keeps it."""
        leaks = [LeakRecord(leak.kind, leak.name, dict(leak.tracks)) for leak in self.leaks]
        return VerdictRecord(self.status, leaks, self.num_tracks, self.num_unknown)


def judge(rows: Iterable[PartTrack], parts: Sequence[str] = PARTS, noun: str = "part") -> Verdict:
    """Find the tracks and artists that are in more than one part.

    A joint credit counts for each of its artists whom another credit of the same parts names ([`players`]).

    Args:
        rows (`Iterable[PartTrack]`): What the parts hold; a track may come several times (segments, pieces).
        parts (`Sequence[str]`, *optional*): All names of parts, in the order in which a leak names them.
        noun (`str`, *optional*, defaults to `"part"`): What they are called.

    Returns:
        `Verdict`: All leaks, listed.
    """
    artist_of: dict[tuple[str, str], str | None] = {}
    for row in rows:
        artist = row.artist if known(row.artist) else None
        artist_of[row.part, row.track_id] = artist_of.get((row.part, row.track_id)) or artist
    who = players(artist_of.values())
    written = spelling(artist for artist in artist_of.values() if artist is not None)
    tracks: dict[str, Counter[str]] = defaultdict(Counter)
    artists: dict[str, Counter[str]] = defaultdict(Counter)
    for (part, track_id), artist in artist_of.items():
        tracks[track_id][part] += 1
        for name in who.get(artist, ()) if artist else ():
            artists[written.get(name, name)][part] += 1  # a name in joint credits alone: as it is compared
    leaks = [
        Leak(kind, name, {part: found[part] for part in parts if part in found})
        for kind, table in (("track", tracks), ("artist", artists))
        for name, found in sorted(table.items())
        if len(found) > 1
    ]
    unknown = {track_id for (_, track_id), artist in artist_of.items() if artist is None}
    return Verdict(tuple(leaks), len(tracks), len(unknown), noun)
