"""WebDataset shards: tar files in which the files of a sample lie together, named alike up to the first dot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from sightline.conversion.split_shards import Sharded, SplitShards, StreamShard
from sightline.conversion.tar_shards import BLOCK, entry
from sightline.conversion.target import Item, Place, Put, write_class_ids
from sightline.samples import SampleTable

SHARD_BYTES = 1_000_000_000
NAMES = "classnames.txt"


class WebDataset(Sharded[StreamShard]):
    """`train-00000.tar` with `00000042.jpg`, `00000042.cls` and `00000042.json` for each sample.

    `classnames.txt` holds the id of a class in each line. Members are named by number: keys may hold dots and
    folders, which would tear a sample apart.
    """

    media_type: ClassVar[str] = "application/x-tar"

    def __init__(self, folder: Path, samples: SampleTable, put: Put) -> None:
        self._put = put
        write_class_ids(folder / NAMES, samples)
        self._shards = SplitShards(folder, lambda path, name: StreamShard(path, name, bytes(2 * BLOCK)),
                                   lambda split, number: f"{split}-{number:05d}.tar", SHARD_BYTES)  # fmt: skip

    def add(self, item: Item) -> None:
        """Write the files of a sample: the image first, its class as a number, and what else is known."""
        name = f"{item.ordinal:08d}"
        files = [(item.suffix, item.payload)]
        if item.label is not None:
            files.append(("cls", str(item.label).encode()))
        files.append(("json", json.dumps(item.about, ensure_ascii=False).encode()))
        blocks = b"".join(entry(f"{name}.{suffix}", data) for suffix, data in files)
        shard = self._shards.of(item.split, len(blocks) + 2 * BLOCK)
        start = shard.append(blocks)
        self._put(item.ordinal, Place(path=shard.name, container="tar", offset=start + BLOCK, length=len(item.payload)))
