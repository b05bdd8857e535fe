"""`audit`: what a division of audio leaks, from ids, artists, titles, and from the sound of every clip.

A leak is what stands in two parts. Where nothing is divided, clips that repeat each other are leaks to be: no draw keeps
them apart. `docs/audit.md` is the page for users.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc_hf.auditing.hearing import HeardClip, hear
from mgc_hf.data.artists import known, normalised, players
from mgc_hf.data.facts import gtzan_artists, gtzan_genre, gtzan_same_titles, gtzan_track_id, recording_of
from mgc_hf.data.fingerprint import Match, same_recordings
from mgc_hf.data.given_splits import GivenSplit, read_given_split
from mgc_hf.data.listing import Clip, is_gtzan
from mgc_hf.data.sources import Corpus, read_corpus
from mgc_hf.data.verdict import PartTrack, Verdict, judge
from mgc_hf.errors import RecordError
from mgc_hf.files import write_json
from mgc_hf.predictions import PARTS
from mgc_hf.schema import to_plain

#: Raised whenever a key of the JSON is added, removed or changes meaning.
AUDIT_SCHEMA_VERSION = 1

#: What is looked for, in the order in which it is told, and its heading.
KINDS = {
    "track": "the same track",
    "artist": "the same artist",
    "file": "the same file twice",
    "recording": "the same recording in other clothes",
    "title": "the same artist and title",
}
#: Findings of a kind that the text lists; the JSON has all.
_SHOWN = 20


@dataclass(frozen=True)
class Place:
    """A track where it was found: `part` is `None` where nothing is divided or it is in no part."""

    track_id: str
    part: str | None
    genre: str | None


@dataclass(frozen=True)
class Finding:
    """Tracks that belong together.

    Args:
        kind (`str`): A key of `KINDS`.
        name (`str`): What they share: a track id, an artist, a title; for sound the first of the tracks.
        leak (`bool`): Whether they are in several parts, or, in data that is not divided, sound the same.
        tracks (`tuple[Place, ...]`): Where they are; a track of several parts has several places.
        evidence (`str`): What shows it, in words.
    """

    kind: str
    name: str
    leak: bool
    tracks: tuple[Place, ...]
    evidence: str


@dataclass(frozen=True)
class BadFile:
    """A file that cannot be used (`kind` as in [`AudioError`]), or that can, and is odd (`kind` is `odd`)."""

    file: str
    kind: str
    reason: str


@dataclass(frozen=True)
class AuditResult:
    """What an audit found.

    Args:
        source (`str`): Name of the data.
        split (`str`, *optional*): Name of the split; `source` for the data's own parts; `None`: nothing is divided.
        parts (`dict[str, int]`): Tracks in each part.
        num_tracks (`int`): Tracks of the data, those with unusable audio included.
        num_unknown (`int`): Tracks in the parts whose artist is not known.
        num_absent (`int`): Ids of the split that are not in the data, so that they were not heard.
        num_unassigned (`int`): Tracks of the data that the split does not list.
        findings (`tuple[Finding, ...]`): In the order of `KINDS`, leaks first.
        bad_files (`tuple[BadFile, ...]`): Files that cannot be used, then odd ones.
        limits (`tuple[str, ...]`): What this audit cannot show, and what is odd about the split's file.
        split_hash (`str`, *optional*): Hash of the split, where it is a split file of mgc_hf.
    """

    source: str
    split: str | None
    parts: dict[str, int]
    num_tracks: int
    num_unknown: int
    num_absent: int
    num_unassigned: int
    findings: tuple[Finding, ...]
    bad_files: tuple[BadFile, ...]
    limits: tuple[str, ...] = ()
    split_hash: str | None = None

    @property
    def leaks(self) -> tuple[Finding, ...]:
        """The findings that are leaks."""
        return tuple(finding for finding in self.findings if finding.leak)

    @property
    def unusable(self) -> tuple[BadFile, ...]:
        """The files that cannot be used."""
        return tuple(bad for bad in self.bad_files if bad.kind != "odd")

    @property
    def status(self) -> str:
        """`leaks`; or `not provable`, where none was found in a split but artists are not known; or `clean`."""
        if self.leaks:
            return "leaks"
        return "not provable" if self.split is not None and self.num_unknown else "clean"

    @property
    def exit_status(self) -> int:
        """1 where there is a leak or a file that cannot be used, else 0."""
        return int(bool(self.leaks or self.unusable))

    @property
    def statement(self) -> str:
        """The outcome in a sentence or two; it begins `Audit: ` and the status."""
        counts = Counter(finding.kind for finding in self.leaks)
        found = [f"{counts[kind]} x {heading}" for kind, heading in KINDS.items() if counts[kind]]
        where = "in several parts" if self.split is not None else "in data that is not divided"
        text = f"Audit: {self.status}."
        if found:
            text += f" {where[0].upper()}{where[1:]}: {', '.join(found)}."
        elif self.split is None:
            text += f" No clip repeats another ({self.num_tracks} tracks)."
        else:
            text += f" No track, known artist, file or recording is in two parts ({sum(self.parts.values())} tracks)."
        if self.split is not None and self.num_unknown:
            text += f" {self.num_unknown} tracks have no known artist."
        if self.unusable:
            text += f" {len(self.unusable)} files cannot be used."
        return text

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON types."""
        plain = to_plain(self, "audit")
        return {
            "schema_version": AUDIT_SCHEMA_VERSION,
            "status": self.status,
            "statement": self.statement,
            "exit_status": self.exit_status,
            **plain,
        }

    def save(self, path: str | Path) -> None:
        """Write `to_dict` as JSON, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> "AuditResult":
        """Read what `save` wrote.

        Raises:
            RecordError: It cannot be read, or is no audit of this version; the text names the file.
        """
        try:
            value = json.loads(Path(path).read_text(encoding="utf-8"))
            if value["schema_version"] != AUDIT_SCHEMA_VERSION:
                raise RecordError(
                    f"{path}: schema_version {value['schema_version']}, and this mgc_hf reads {AUDIT_SCHEMA_VERSION}"
                )
            plain = {name: value[name] for name in cls.__dataclass_fields__}
            findings = [
                Finding(**{**one, "tracks": tuple(Place(**place) for place in one["tracks"])})
                for one in plain["findings"]
            ]
            plain |= {
                "findings": tuple(findings),
                "bad_files": tuple(BadFile(**bad) for bad in plain["bad_files"]),
                "limits": tuple(plain["limits"]),
            }
            return cls(**plain)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordError(f"{path}: is no audit of mgc_hf ({error}); make it again by mgc-hf audit") from error

    def summary(self) -> str:
        """Return the audit in lines of text: leaks and repeats by kind, bad files, limits, and the statement."""
        counts = ", ".join(f"{part} {count}" for part, count in self.parts.items())
        divided = f"split {self.split} ({counts})" if self.split is not None else "not divided"
        lines = [f"{self.source}: {self.num_tracks} tracks, {divided}"]
        if self.num_absent or self.num_unassigned:
            lines.append(
                f"{self.num_absent} ids of the split are not in these data, so they were not heard; "
                f"{self.num_unassigned} tracks of the data are in no part"
            )
        for leak in (True, False):
            for kind, heading in KINDS.items():
                lines += self._listed(kind, heading, leak)
        for title, files in (("files that cannot be used", self.unusable), ("odd files", self._odd())):
            if files:
                lines += [f"{title}: {len(files)}", *_cut_off([f"  {bad.file}: {bad.reason}" for bad in files])]
        return "\n".join([*lines, *self.limits, self.statement])

    def _odd(self) -> tuple[BadFile, ...]:
        return tuple(bad for bad in self.bad_files if bad.kind == "odd")

    def _listed(self, kind: str, heading: str, leak: bool) -> list[str]:
        found = [finding for finding in self.findings if finding.kind == kind and finding.leak == leak]
        if not found:
            return []
        where = "" if self.split is None else ", in two parts" if leak else ", within a part"
        return [
            f"{'LEAK' if leak else 'note'}: {heading}{where}: {len(found)}",
            *_cut_off([f"  {_places(finding)}: {finding.evidence}" for finding in found]),
        ]


def _cut_off(lines: list[str]) -> list[str]:
    more = len(lines) - _SHOWN
    return lines if more <= 0 else [*lines[:_SHOWN], f"  ... and {more} more (--json has all)"]


def _places(finding: Finding) -> str:
    if finding.kind == "artist":
        counts = Counter(place.part for place in finding.tracks)
        return f"{finding.name} ({', '.join(f'{part} {counts[part]}' for part in PARTS if counts[part])})"
    if finding.kind == "track":
        return f"{finding.name} ({', '.join(dict.fromkeys(str(place.part) for place in finding.tracks))})"
    return " = ".join(f"{place.track_id}{f' ({place.part})' if place.part else ''}" for place in finding.tracks)


def audit(
    dataset: str | Path,
    split: str | Path | Sequence[str] | None = None,
    *,
    cache_dir: str | None = None,
    min_seconds: float = 0.5,
    **options: Any,
) -> AuditResult:
    """Look for what a split leaks, for clips that repeat each other, and for bad files.

    Args:
        dataset (`str` or `Path`): Any source that `load_gtzan` takes.
        split (`str`, `Path` or `Sequence[str]`, *optional*): Its split, in any form that [`read_given_split`] reads. By
            default the parts that the data itself defines (`train/` and `test/` folders), if any.
        cache_dir (`str`, *optional*): Folder for prepared data.
        min_seconds (`float`, *optional*, defaults to 0.5): Shorter clips cannot be used, in seconds.
        options: Further options of `read_corpus` (`revision`, `columns`, `audio`, ...).

    Returns:
        [`AuditResult`]

    Raises:
        SourceError: The data cannot be found, reached or understood, or holds no usable audio.
        SplitError: The split cannot be read, or is not of these data.
        OptionError: The split is of no known form.
    """
    corpus = read_corpus(str(dataset), cache_dir=cache_dir, min_seconds=min_seconds, **options)
    given = [str(split)] if isinstance(split, str | Path) else [str(one) for one in split or ()]
    return audit_corpus(corpus, given)


def audit_corpus(corpus: Corpus, split: Sequence[str] = ()) -> AuditResult:
    """Audit data that was read; see [`audit`]."""
    clips = _clips(corpus)
    given = _given(corpus, clips, split)
    name, parts, absent = (given.name, given.parts, given.missing) if given else (None, {}, ())
    gtzan = not corpus.is_demo and is_gtzan(clips.values())
    places = _Places({**clips, **(_listed_clips(absent) if gtzan else {})}, parts, name is not None)
    heard = list(hear(corpus.dataset))
    findings, num_unknown = [], 0
    if name is not None:
        rows = [
            PartTrack(part, recording_of(item), places.artist(item)) for item, its in parts.items() for part in its
        ]
        verdict = judge(rows)
        num_unknown = verdict.num_unknown
        findings += _of_verdict(verdict, places)
    ids = list(corpus.dataset["track_id"])
    findings += _same_files(ids, heard, places)
    matches = same_recordings([one.landmarks for one in heard])
    findings += _same_sound(ids, heard, matches, findings, places)
    if gtzan:
        findings += _same_titles({*ids, *parts}, findings, places)
    order = list(KINDS)
    findings.sort(key=lambda finding: (not finding.leak, order.index(finding.kind)))
    counts = Counter(part for its in parts.values() for part in its)
    return AuditResult(
        source=corpus.name,
        split=name,
        parts={part: counts[part] for part in PARTS if counts[part]},
        num_tracks=len(clips),
        num_unknown=num_unknown,
        num_absent=len(absent),
        num_unassigned=0 if name is None else sum(item not in parts for item in clips),
        findings=tuple(findings),
        bad_files=_bad_files(corpus, ids, heard),
        limits=(given.notes if given else ())
        + _limits(gtzan, sum(not len(one.landmarks.frames) or one.seconds < 2 for one in heard)),
        split_hash=given.hash if given else None,
    )


def _clips(corpus: Corpus) -> dict[str, Clip]:
    """Return every clip of the data by its id, those with unusable audio too: they stand in parts all the same."""
    data, names = corpus.dataset, corpus.dataset.features["genre"].names
    parts = data["part"] if corpus.has_parts else [None] * len(data)
    rows = zip(data["track_id"], data["genre"], data["artist"], parts, strict=True)
    found = [Clip(item, names[label], item, artist, part) for item, label, artist, part in rows]
    found += [clip for clip, _ in corpus.unusable]
    return {clip.track_id or clip.name: clip for clip in found}


def _listed_clips(absent: Iterable[str]) -> dict[str, Clip]:
    """Return what is known of tracks of GTZAN that a split names and the data lack: genre and artist, but no sound."""
    artists = gtzan_artists()
    return {
        item: Clip(item, gtzan_genre(item) or "", item, artists.get(recording_of(item)))
        for item in absent
        if gtzan_track_id(item)
    }


def _given(corpus: Corpus, clips: dict[str, Clip], split: Sequence[str]) -> GivenSplit | None:
    """Return the split that was asked for, or the data's own parts; `None` where nothing is divided."""
    if split:
        return read_given_split(split, clips)
    if corpus.has_parts:
        return GivenSplit("source", {item: (clip.part,) for item, clip in clips.items() if clip.part}, ())
    return None


class _Places:
    """Where tracks are, and whether several of them make a leak."""

    def __init__(self, clips: dict[str, Clip], parts: dict[str, tuple[str, ...]], divided: bool):
        self._clips, self.parts, self._divided = clips, parts, divided

    def artist(self, item: str) -> str | None:
        """The artist of a track as written; `None` where it is not known."""
        clip = self._clips.get(item)
        return clip.artist if clip else None

    def of(self, items: Iterable[str]) -> tuple[Place, ...]:
        """Return the places of some tracks, those in no part too."""
        found = []
        for item in items:
            genre = self._clips[item].genre if item in self._clips else None
            found += [Place(item, part, genre) for part in self.parts.get(item) or (None,)]
        return tuple(found)

    def finding(self, kind: str, items: Iterable[str], evidence: str, name: str | None = None) -> Finding:
        """Make a finding of tracks that belong together."""
        places = self.of(items)
        by_sound = kind in ("file", "recording")
        leak = len({place.part for place in places} - {None}) > 1 if self._divided else by_sound
        if by_sound and len(genres := sorted({place.genre or "" for place in places})) > 1:
            evidence += f"; under two genres ({', '.join(genres)})"
        return Finding(kind, name or places[0].track_id, leak, places, evidence)


def _of_verdict(verdict: Verdict, places: _Places) -> list[Finding]:
    by_recording: dict[str, list[str]] = defaultdict(list)
    by_player: dict[str, list[str]] = defaultdict(list)
    who = players(places.artist(item) for item in places.parts)
    for item in places.parts:
        by_recording[recording_of(item)].append(item)
        artist = places.artist(item)
        for player in who.get(artist, ()) if artist and known(artist) else ():
            by_player[player].append(item)
    found = []
    for leak in verdict.leaks:
        items = by_recording[leak.name] if leak.kind == "track" else by_player[normalised(leak.name)]
        if leak.kind == "artist" and len({recording_of(item) for item in items}) == 1:
            continue  # told as the same track
        evidence = "its id stands in these parts" if leak.kind == "track" else "by the names of the artists"
        found.append(places.finding(leak.kind, items, evidence, leak.name))
    return found


def _same_files(ids: list[str], heard: list[HeardClip], places: _Places) -> list[Finding]:
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row, one in enumerate(heard):
        groups[one.samples_digest].append(row)
    found = []
    for rows in groups.values():
        if len(rows) > 1:
            same = len({heard[row].file_digest for row in rows}) == 1
            evidence = "the same bytes" if same else "the same samples in other files"
            found.append(places.finding("file", [ids[row] for row in rows], evidence))
    return found


def _are_pieces(first: str, second: str) -> bool:
    """Whether two ids of one track are of different pieces cut from it (`blues.00000.1`, `blues.00000.2`)."""
    names = {item if gtzan_track_id(item) else Path(item).stem for item in (first, second)}
    return len(names) == 2 and recording_of(first) not in names


def _same_sound(
    ids: list[str], heard: list[HeardClip], matches: Iterable[Match], findings: Sequence[Finding], places: _Places
) -> list[Finding]:
    found, told = [], {finding.name for finding in findings if finding.kind == "track"}
    for match in matches:
        first, second = ids[match.first], ids[match.second]
        if heard[match.first].samples_digest == heard[match.second].samples_digest:
            continue  # told as the same file
        recording = recording_of(first)
        if recording == recording_of(second) and (recording in told or _are_pieces(first, second)):
            continue  # told as the same track, or other pieces of it
        evidence = (
            f"{match.overlap_seconds:.1f} s together, the second from {match.offset_seconds:+.1f} s of the first; "
            f"{100 * match.share:.0f} % of the spectral peaks coincide"
        )
        found.append(places.finding("recording", (first, second), evidence))
    return found


def _same_titles(ids: Iterable[str], told: Sequence[Finding], places: _Places) -> list[Finding]:
    """Return groups of one artist and title, where sound did not tell them already."""
    sounding = {
        frozenset((one.track_id, other.track_id))
        for finding in told
        if finding.kind in ("file", "recording")
        for one in finding.tracks
        for other in finding.tracks
    }
    titles, seen, found = gtzan_same_titles(), set(), []
    held: dict[str, list[str]] = defaultdict(list)
    for item in sorted(ids):
        held[recording_of(item)].append(item)
    for recording in held:
        group = tuple(sorted(one for one in (recording, *titles.get(recording, ())) if one in held))
        if len(group) < 2 or group in seen:
            continue
        seen.add(group)
        pairs = {frozenset((held[one][0], held[other][0])) for one in group for other in group if one < other}
        if not pairs <= sounding:
            items = [item for one in group for item in held[one]]
            found.append(places.finding("title", items, "by GTZAN's title table alone"))
    return found


def _bad_files(corpus: Corpus, ids: list[str], heard: list[HeardClip]) -> tuple[BadFile, ...]:
    bad = [BadFile(fault.file, fault.kind, fault.reason) for fault in corpus.faults if fault.kind != "left_out"]
    odd = [BadFile(item, "odd", note) for item, one in zip(ids, heard, strict=True) for note in one.notes]
    return (*bad, *odd)


def _limits(gtzan: bool, num_short: int) -> tuple[str, ...]:
    table = (
        "here from GTZAN's title table, as far as it names them"
        if gtzan
        else "for these data there is none, so such repeats were not looked for"
    )
    lines = [
        "What sound cannot show: two excerpts of one recording that do not overlap share no sound, and come from a table "
        f"of titles alone ({table}). Other takes, remixes, and copies at another speed or pitch are not found.",
    ]
    if num_short:
        lines.append(f"{num_short} clips are under 2 s or have no peaks: of them only exact copies are found.")
    return tuple(lines)
