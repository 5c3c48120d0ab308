"""Chunks of litdata that hold their samples as rows of Arrow, behind the offsets: what it writes of plain dicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.errors import DataError
from sightline.formats.columns import LABEL, find
from sightline.formats.hub_features import image_column, is_bytes, is_small
from sightline.formats.offset_shards import Shard
from sightline.formats.records import Records

_MARK = b"LDARW01\0"
_TAIL = 4 + len(_MARK)
"""Length of the rows, and the mark."""


def has_rows(file: Path) -> bool:
    """Whether a chunk ends as one with rows does."""
    with file.open("rb") as f:
        f.seek(max(0, file.stat().st_size - len(_MARK)))
        return f.read() == _MARK


def rows_of(shard: Shard) -> Records:
    """The samples of a chunk with rows; an image is a byte range of it. Raises DataError when it is damaged."""
    try:
        with pa.memory_map(str(shard.file)) as mapped:
            whole = mapped.read_buffer()
        length = int.from_bytes(whole.slice(whole.size - _TAIL, 4).to_pybytes(), "little")
        if length > whole.size - _TAIL:
            raise pa.ArrowInvalid(f"rows of {length:,} bytes in a file of {whole.size:,}")
        reader = pa.ipc.open_file(pa.BufferReader(whole.slice(whole.size - _TAIL - length, length)))
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        for batch in batches:
            batch.validate(full=True)  # offsets of binary and text, which nobody looks at later
    except (pa.ArrowInvalid, OSError) as e:
        raise DataError(f"{shard.file} is damaged: its rows cannot be read ({e}). Fetch it again.") from None
    schema = reader.schema
    image = image_column(schema)
    if image is None or not is_bytes(schema.field(image).type):
        raise DataError(f"{shard.file} has no column of images; its columns: {', '.join(schema.names)}.")
    if sum(b.num_rows for b in batches) != shard.num_samples:
        raise DataError(f"{shard.file} is damaged: {sum(b.num_rows for b in batches)} samples, its index says "
                        f"{shard.num_samples}. Fetch both again.")  # fmt: skip
    places = [place for b in batches for place in _ranges(b.column(image), whole, shard.file)]
    small = [f.name for f in schema if is_small(f.type)]
    images: dict[str, Any] = {
        "path": shard.path, "container": "litdata", "member": image, "row": list(range(len(places))),
        "offset": [start for start, _ in places], "length": [stop - start for start, stop in places],
    }  # fmt: skip
    return Records(source=str(shard.file), split=shard.split, images=images, label=find(small, LABEL),
                   columns={n: [v for b in batches for v in b.column(n).to_pylist()] for n in small},
                   reasons=[None if start < stop else "no bytes in this row" for start, stop in places])  # fmt: skip


def _ranges(values: pa.Array, whole: pa.Buffer, file: Path) -> list[tuple[int, int]]:
    """First byte in the file, and the one behind the last, of each value."""
    _, offsets, data = values.buffers()
    if data is None:
        return [(0, 0)] * len(values)
    start = data.address - whole.address
    if not 0 <= start <= start + data.size <= whole.size:
        raise DataError(f"{file} holds compressed rows: no image in them can be addressed. Optimize the dataset again "
                        "without compression.")  # fmt: skip
    kind = np.dtype(np.int64 if pa.types.is_large_binary(values.type) else np.int32)
    ends = np.frombuffer(offsets, kind, len(values) + 1, values.offset * kind.itemsize).astype(np.int64) + start
    return list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))
