"""Known faults of GTZAN, left out of a listing before anything is decoded or divided."""

from dataclasses import replace

from mgc_hf.data.facts import gtzan_faults, recording_of
from mgc_hf.data.listing import Fault, Listing, is_gtzan
from mgc_hf.errors import SourceError

#: Kinds that are left out: one of each pair of repeats, what is distorted and what is broken. What the fault-filtered
#: split leaves out without saying why has a protocol of its own.
LEFT_OUT = ("exact repeat", "distorted", "broken")


def leave_out_faults(listing: Listing) -> tuple[Listing, int | None]:
    """Leave the known faults of GTZAN out of a listing.

    Args:
        listing ([`Listing`]): Finished.

    Returns:
        `tuple[Listing, int | None]`: Without them, each named among its faults with kind and source; and their number,
        `None` where the clips are not GTZAN's, of which no faults are known.

    Raises:
        SourceError: Nothing is left of a genre.
    """
    if listing.is_demo or not is_gtzan(listing.clips):
        return listing, None
    known = gtzan_faults()
    clips, faults = [], []
    for clip in listing.clips:
        reasons = [fault for fault in known.get(recording_of(clip.track_id or ""), ()) if fault.kind in LEFT_OUT]
        if reasons:
            faults.append(Fault(clip.name, f"known fault of GTZAN: {'; '.join(map(str, reasons))}", "left_out"))
        else:
            clips.append(clip)
    left = replace(listing, clips=clips, faults=[*listing.faults, *faults])
    emptied = sorted(set(listing.genres) - set(left.genres))
    if emptied:
        raise SourceError(
            f"{listing.name}: all clips of {', '.join(emptied)} are known faults of GTZAN; leave leave_out_faults "
            "(--leave_out_faults) out, or give more of GTZAN"
        )
    return left, len(faults)
