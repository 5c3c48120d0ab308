"""MDS shards, which MosaicML's streaming reads: records of sized columns, and an index for each split."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar

from sightline.artifacts import write_bytes
from sightline.conversion.split_shards import Sharded, SplitShards
from sightline.conversion.target import NO_SPLIT, UNLABELLED, Item, Place, Put, write_class_ids
from sightline.samples import SampleTable

SHARD_BYTES = 1 << 26
"""What streaming's own writer takes; a shard is in memory until it is full, and must stay below 4 GiB."""
COLUMNS = {"about": "json", "class": "str", "image": "bytes", "key": "str", "label": "int"}
"""Name → encoding, in the order that they have in a record; `int` takes 8 bytes, the others say their size."""
NAMES = "labels.txt"


class MDS(Sharded["_MDSShard"]):
    """`train/index.json` with `train/shard.00000.mds`; without splits they lie at the top.

    The payload is a column of encoding `bytes`, which is not encoded again. An unlabelled sample has the label -1.
    """

    media_type: ClassVar[str] = "application/x-mds"

    def __init__(self, folder: Path, samples: SampleTable, put: Put) -> None:
        self._folder = folder
        self._top = samples.table["split"].null_count == len(samples)
        self._described: dict[str, list[dict[str, Any]]] = {}
        write_class_ids(folder / NAMES, samples)
        self._shards = SplitShards(folder, lambda path, name: _MDSShard(path, name, put, self._describe), self._name,
                                   SHARD_BYTES)  # fmt: skip

    def add(self, item: Item) -> None:
        """Write a record."""
        record, at = _record(item)
        self._shards.of(item.split, len(record) + 4).add(item, record, at)

    def finish(self) -> Mapping[str, str]:
        """Complete the shards and write the indexes."""
        self._shards.close()
        for folder, shards in self._described.items():
            index = {"version": 2, "shards": shards}
            write_bytes(self._folder / folder / "index.json", json.dumps(index, sort_keys=True).encode())
        return {}

    def _name(self, split: str, number: int) -> str:
        below = "" if self._top and split == NO_SPLIT else f"{split}/"
        return f"{below}shard.{number:05d}.mds"

    def _describe(self, name: str, num_samples: int, num_bytes: int) -> None:
        folder, _, basename = name.rpartition("/")
        raw = {"basename": basename, "bytes": num_bytes, "hashes": {}}
        said = {**_configuration(), "samples": num_samples, "raw_data": raw, "zip_data": None}
        self._described.setdefault(folder, []).append(said)


class _MDSShard:
    """One shard, in memory until it is complete: how many records there are stands before the first."""

    def __init__(self, path: Path, name: str, put: Put, describe: Any) -> None:
        self._path, self._name, self._put, self._describe = path, name, put, describe
        self._head = json.dumps(_configuration(), sort_keys=True).encode()
        self._records: list[bytes] = []
        self._images: list[tuple[int, int, int]] = []
        self.num_bytes = 0

    def add(self, item: Item, record: bytes, at: int) -> None:
        """Take a record, whose payload begins at a byte of it."""
        if not self._records:
            self.num_bytes = 8 + len(self._head)
        self._records.append(record)
        self._images.append((item.ordinal, at, len(item.payload)))
        self.num_bytes += len(record) + 4

    def close(self) -> None:
        """Write the shard."""
        count = len(self._records)
        first = 4 + 4 * (count + 1) + len(self._head)
        starts = list(accumulate(map(len, self._records), initial=first))
        with self._path.open("wb") as f:
            f.write(struct.pack(f"<{count + 2}I", count, *starts) + self._head)
            f.writelines(self._records)
            f.flush()
            os.fsync(f.fileno())
        for start, (ordinal, at, length) in zip(starts, self._images, strict=False):
            self._put(ordinal, Place(path=self._name, container="mds", offset=start + at, length=length))
        self._describe(self._name, count, starts[-1])

    def abandon(self) -> None:
        """Nothing is open."""


def _configuration() -> dict[str, Any]:
    """What every shard says about itself."""
    return {
        "version": 2, "format": "mds", "compression": None, "hashes": [], "size_limit": SHARD_BYTES,
        "column_names": list(COLUMNS), "column_encodings": list(COLUMNS.values()),
        "column_sizes": [8 if encoding == "int" else None for encoding in COLUMNS.values()],
    }  # fmt: skip


def _record(item: Item) -> tuple[bytes, int]:
    """A sample as a record, and the position of the payload in it."""
    label = struct.pack("<q", UNLABELLED if item.label is None else item.label)
    values = {
        "about": json.dumps(item.about, ensure_ascii=False).encode(), "class": (item.class_id or "").encode(),
        "image": item.payload, "key": item.key.encode(), "label": label,
    }  # fmt: skip
    sizes = [len(values[name]) for name, encoding in COLUMNS.items() if encoding != "int"]
    position = 4 * len(sizes) + sum(len(values[name]) for name in COLUMNS if name < "image")
    return struct.pack(f"<{len(sizes)}I", *sizes) + b"".join(values[name] for name in COLUMNS), position
