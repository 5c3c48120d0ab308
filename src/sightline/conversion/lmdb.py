"""LMDB databases of Caffe's Datum messages: an encoded image and its label under each key."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Self

import lmdb

from sightline.conversion.target import UNLABELLED, Item, Place, Put, write_class_ids
from sightline.conversion.wire import content, number
from sightline.errors import DataError
from sightline.formats.caffe_datum import datum_of
from sightline.formats.lmdb_pages import opened
from sightline.samples import SampleTable

MAP_BYTES = 1 << 40
"""What a database may grow to; it takes no more of the disk than it holds."""
COMMIT_BYTES = 256 << 20
"""Payloads of one transaction: they are kept in memory until it ends."""
NAMES = "labels.txt"
DATA = "data.mdb"


class LMDB:
    """`train.lmdb/data.mdb`: keys `00000042` in the table's order, values are Datums with data, label and encoded.

    Without splits `data.mdb` lies at the top. An unlabelled sample has the label -1, because a missing one is read as
    0. `train.jsonl` says in a line for each sample what a Datum has no field for; `labels.txt` holds the id of a class
    in each line.
    """

    media_type: ClassVar[str] = "application/x-lmdb"

    def __init__(self, folder: Path, samples: SampleTable, put: Put) -> None:
        self._folder, self._put = folder, put
        self._is_alone = samples.table["split"].null_count == len(samples)
        write_class_ids(folder / NAMES, samples)
        self._databases: dict[str, _Database] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for database in self._databases.values():
            database.close()

    @property
    def num_shards(self) -> int:
        """Databases."""
        return len(self._databases)

    def add(self, item: Item) -> None:
        """Write a Datum under its key."""
        key = f"{item.ordinal:08d}"
        label = UNLABELLED if item.label is None else item.label
        datum = content(4, item.payload) + number(5, label) + number(7, 1)
        with _named(self._folder):
            path = DATA if self._is_alone else f"{item.split}.lmdb/{DATA}"
            if path not in self._databases:
                self._databases[path] = _Database(self._folder / path, self._folder / f"{item.split}.jsonl")
            self._databases[path].put(key, datum, item.about)

    def finish(self) -> Mapping[str, str]:
        """Complete the databases, and find out where in their files the images lie."""
        with _named(self._folder):
            for database in self._databases.values():
                database.finish()
        for path in self._databases:
            for key, start, length in _images(self._folder / path):
                self._put(int(key), Place(path=path, container="lmdb", member=key, offset=start, length=length))
        return {}


class _Database:
    """One database being filled in the order of its keys."""

    def __init__(self, data: Path, lines: Path) -> None:
        data.parent.mkdir(exist_ok=True)
        self._environment = lmdb.open(str(data.parent), map_size=MAP_BYTES, max_dbs=0, lock=False)
        self._transaction = self._environment.begin(write=True)
        self._waiting_bytes = 0
        self._lines = lines.open("w", encoding="utf-8")

    def put(self, key: str, value: bytes, about: Mapping[str, Any]) -> None:
        """Append a value; keys come in byte order."""
        self._transaction.put(key.encode(), value, append=True)
        self._waiting_bytes += len(value)
        if self._waiting_bytes >= COMMIT_BYTES:
            self._transaction.commit()
            self._transaction, self._waiting_bytes = self._environment.begin(write=True), 0
        self._lines.write(json.dumps({"lmdb_key": key, **about}, ensure_ascii=False) + "\n")

    def finish(self) -> None:
        """Commit what waits, and see that it is on disk."""
        self._transaction.commit()
        self._environment.sync(True)
        self._lines.flush()
        os.fsync(self._lines.fileno())

    def close(self) -> None:
        """Let go of the files; what was not committed is gone."""
        self._environment.close()
        with suppress(OSError):  # what could not be flushed is the error that is under way
            self._lines.close()


def _images(data: Path) -> Iterator[tuple[str, int, int]]:
    """Key, and offset and length of the image, of each Datum in a data file."""
    with opened(data) as database:
        for entry in database.entries():
            datum = datum_of(database.data[entry.offset : entry.offset + entry.length])
            yield entry.key.decode(), entry.offset + datum.start, datum.stop - datum.start


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """A block in which what LMDB cannot do is told as what a person can act on."""
    try:
        yield
    except lmdb.Error as e:
        raise DataError(f"Could not write {folder}: {e}. Nothing is left of it; free space or fix permissions, then "
                        "run the command again.") from e  # fmt: skip
