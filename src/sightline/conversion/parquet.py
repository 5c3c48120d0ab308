"""Parquet as dataset hubs publish it: images as struct<bytes, path>, labels with their names, and bytes in place."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.conversion.split_shards import Sharded, SplitShards
from sightline.conversion.target import Item, Place, Put
from sightline.samples import SampleTable

SHARD_BYTES = 500_000_000
GROUP_BYTES = 100_000_000
"""Of payloads in a row group: what hubs' own writer aims at."""
PAGE_HEADER_BYTES = 1 << 16
"""Between two payloads of a column chunk lies at most the header of a page, which is a few dozen bytes."""
RANGE = "parquet range"
"""Container of a byte range in a Parquet file; `parquet` is read by row group."""

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_BYTES = "image.bytes"


class Parquet(Sharded["_ParquetShard"]):
    """`data/train-00000-of-00003.parquet` with the columns image, label, key and sample_id, and what else there is.

    Payloads are neither compressed nor in a dictionary, so that each is a byte range of its file.
    """

    media_type: ClassVar[str] = "application/x-parquet"

    def __init__(self, folder: Path, samples: SampleTable, put: Put) -> None:
        schema = _schema(samples)
        self._shards = SplitShards(folder, lambda path, name: _ParquetShard(path, name, schema, put),
                                   lambda split, number: f"data/{split}-{number:05d}.parquet", SHARD_BYTES)  # fmt: skip

    def add(self, item: Item) -> None:
        """Write a row."""
        self._shards.of(item.split, len(item.payload)).add(item)

    def finish(self) -> Mapping[str, str]:
        """Complete the files, and name them with their number."""
        self._shards.close()
        return self._shards.counted()


class _ParquetShard:
    """One file, written by row group."""

    def __init__(self, path: Path, name: str, schema: pa.Schema, put: Put) -> None:
        self.num_bytes = 0
        self._path, self._name, self._schema, self._put = path, name, schema, put
        leaves = [f.name for f in schema if f.name != "image"]
        self._file = path.open("wb")
        self._writer = pq.ParquetWriter(
            self._file, schema, compression={_BYTES: "none", "image.path": "zstd", **dict.fromkeys(leaves, "zstd")},
            use_dictionary=["label"], write_statistics=["label", "key"], write_page_index=True,
        )  # fmt: skip
        self._waiting: list[Item] = []
        self._group_bytes = 0

    def add(self, item: Item) -> None:
        """Take a row, and write the group it completes."""
        self._waiting.append(item)
        self.num_bytes += len(item.payload)
        self._group_bytes += len(item.payload)
        if self._group_bytes >= GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        """Write what waits and the file's end."""
        if self._waiting:
            self._write_group()
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Let go of the file as it is; its writer would else complete it when it is forgotten."""
        self._writer.is_open = False
        with suppress(OSError):  # what could not be flushed is the error that is under way
            self._file.close()

    def _write_group(self) -> None:
        start = self._file.tell()
        rows = [_row(item, self._schema) for item in self._waiting]
        self._writer.write_table(pa.Table.from_pylist(rows, self._schema), row_group_size=len(rows))
        self._file.flush()
        with self._path.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as written:
            for item in self._waiting:
                offset = _found(written, item.payload, start)
                start = offset + len(item.payload)
                self._put(item.ordinal, Place(path=self._name, container=RANGE, offset=offset,
                                              length=len(item.payload)))  # fmt: skip
        self._waiting, self._group_bytes = [], 0


def _found(written: mmap.mmap, payload: bytes, start: int) -> int:
    """Where a payload begins: behind its length, and behind the one before it or a page's header."""
    beginning = len(payload).to_bytes(4, "little") + payload[:64]  # all of it: 0.6 ms more for 110 kB
    at = written.find(beginning, start, start + PAGE_HEADER_BYTES + len(beginning)) + 4
    assert at >= 4, "Parquet holds values of this encoding as they are"
    assert written[at : at + len(payload)] == payload
    return at


def _schema(samples: SampleTable) -> pa.Schema:
    table, n = samples.table, len(samples)
    fields = [("image", _IMAGE), ("label", pa.int64()), ("key", pa.string()), ("sample_id", pa.string())]
    fields += [("group_id", pa.string())] if table["groups"].null_count < n else []
    fields += [("time", pa.timestamp("us"))] if table["time"].null_count < n else []
    fields += [("about", pa.string())]
    about = {"info": {"features": {name: _feature(name, kind, samples) for name, kind in fields}}}
    return pa.schema(fields, metadata={"huggingface": json.dumps(about, ensure_ascii=False)})


def _feature(name: str, kind: pa.DataType, samples: SampleTable) -> dict[str, Any]:
    """What the hub's own library is told of a column."""
    if name == "image":
        return {"_type": "Image"}
    if name == "label":
        return {"names": list(samples.classes.ids), "_type": "ClassLabel"}
    return {"dtype": "timestamp[us]" if pa.types.is_timestamp(kind) else "string", "_type": "Value"}


def _row(item: Item, schema: pa.Schema) -> dict[str, Any]:
    row = {
        "image": {"bytes": item.payload, "path": item.own_name}, "label": item.label, "key": item.key,
        "sample_id": item.about["sample_id"], "group_id": item.row["group_id"], "time": item.row["time"],
        "about": json.dumps(item.about, ensure_ascii=False),
    }  # fmt: skip
    return {name: row[name] for name in schema.names}
