"""Genres for a catalogue: from ten files to ten million, to one row a file, by any number of processes.

`items` says which files, `rows` what is said of each, `writing` keeps it so that a kill at any moment loses no row,
`label` is the loop. Each is usable alone; `mgc-hf predict` joins them.
"""

from mgc_hf.labelling.items import Item, Share, items_of, rows_of_dataset
from mgc_hf.labelling.label import Counts, label
from mgc_hf.labelling.writing import open_output

__all__ = ["Counts", "Item", "Share", "items_of", "label", "open_output", "rows_of_dataset"]
