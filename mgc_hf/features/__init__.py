"""Decoded tracks and segment rows to model inputs, cached by `datasets` and served to PyTorch in whole batches.

`decode_tracks` decodes every clip once, `extract_features` computes every segment's features once, and `prepare` gives
the `SegmentDataset` that training and evaluation read. Both caches are memory-mapped Arrow files.
"""

from mgc_hf.features.dataset import SegmentDataset, collate, prepare
from mgc_hf.features.extraction import BatchExtractor, extract_features, segment_samples, shortest_input
from mgc_hf.features.tracks import TrackReader, decode_tracks

__all__ = [
    "BatchExtractor",
    "SegmentDataset",
    "TrackReader",
    "collate",
    "decode_tracks",
    "extract_features",
    "prepare",
    "segment_samples",
    "shortest_input",
]
