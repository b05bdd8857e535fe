"""Parquet files of audio as `datasets` writes them, without `datasets`."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def parquet(
    sounds: Sequence[bytes | None],
    labels: Sequence[Any],
    *,
    paths: Sequence[str | None] | None = None,
    names: Sequence[str] | None = None,
    audio: str = "audio",
    label: str = "genre",
    marked: bool = True,
    **more: Sequence[Any],
) -> bytes:
    """Return a file's content: `names` make the labels a ClassLabel, `marked` writes the features into the schema."""
    paths = paths if paths is not None else [f"{number}.wav" for number in range(len(sounds))]
    table = pa.table(
        {
            audio: pa.array(
                [{"bytes": sound, "path": path} for sound, path in zip(sounds, paths, strict=True)],
                pa.struct({"bytes": pa.binary(), "path": pa.string()}),
            ),
            label: pa.array(labels),
            **{name: pa.array(values) for name, values in more.items()},
        }
    )
    if marked:
        features: dict[str, Any] = {audio: {"_type": "Audio"}, label: {"_type": "Value", "dtype": "string"}}
        if names:
            features[label] = {"_type": "ClassLabel", "names": list(names)}
        features |= {name: {"_type": "Value", "dtype": "string"} for name in more}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=3)
    return sink.getvalue().to_pybytes()
