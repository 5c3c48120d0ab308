"""TFRecord files of tf.train.Example messages, as TensorFlow's image classification scripts name their features."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import google_crc32c

from sightline.conversion.split_shards import Sharded, SplitShards, StreamShard
from sightline.conversion.target import Item, Place, Put, write_class_ids
from sightline.conversion.wire import content, head, varint
from sightline.samples import SampleTable

SHARD_BYTES = 200_000_000
NAMES = "image-class-label.labels.txt"
IMAGE = "image/encoded"


class TFRecord(Sharded[StreamShard]):
    """`train-00000-of-00003.tfrecord`; labels count from 0, and an unlabelled sample has no `image/class/label`.

    Beside the files lies `image-class-label.labels.txt` with the id of a class in each line.
    """

    media_type: ClassVar[str] = "application/x-tfrecord"

    def __init__(self, folder: Path, samples: SampleTable, put: Put) -> None:
        self._put = put
        write_class_ids(folder / NAMES, samples)
        self._shards = SplitShards(folder, StreamShard, lambda split, number: f"{split}-{number:05d}.tfrecord",
                                   SHARD_BYTES)  # fmt: skip

    def add(self, item: Item) -> None:
        """Write a record."""
        message, at = _example(item)
        shard = self._shards.of(item.split, len(message) + 16)
        length = struct.pack("<Q", len(message))
        start = shard.append(length + _masked_crc(length) + message + _masked_crc(message))
        self._put(item.ordinal, Place(path=shard.name, container="tfrecord", offset=start + 12 + at,
                                      length=len(item.payload)))  # fmt: skip

    def finish(self) -> Mapping[str, str]:
        """Complete the files, and name them with their number."""
        self._shards.close()
        return self._shards.counted()


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _example(item: Item) -> tuple[bytes, int]:
    """A sample as a message, and the position of the payload in it."""
    values: dict[str, bytes | str | int] = {
        "about": json.dumps(item.about, ensure_ascii=False), IMAGE: item.payload, "image/filename": item.own_name,
        "image/format": item.codec, "key": item.key,
    }  # fmt: skip
    if item.label is not None:
        values |= {"image/class/label": item.label, "image/class/text": item.class_id or ""}
    entries = {name: _entry(name, values[name]) for name in sorted(values)}
    all_of_them = b"".join(entries.values())
    before = 0
    for name, entry in entries.items():
        before += len(entry)
        if name == IMAGE:
            break
    # The payload is the last thing of its entry.
    position = len(head(1, len(all_of_them))) + before - len(item.payload)
    return content(1, all_of_them), position


def _entry(name: str, value: bytes | str | int) -> bytes:
    """A feature with its name, as an entry of the map that an Example is."""
    if isinstance(value, int):
        feature = content(3, content(1, varint(value)))
    else:
        feature = content(1, content(1, value.encode() if isinstance(value, str) else value))
    return content(1, content(1, name.encode()) + content(2, feature))
