"""LMDB databases of Caffe's Datum messages: an encoded image and its label under each key."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import lmdb

from sightline.conversion.target import UNLABELLED, Item, Place, Put
from sightline.conversion.wire import content, number
from sightline.errors import DataError
from sightline.samples import SampleTable

MAP_BYTES = 1 << 40
"""What a database may grow to; it takes no more of the disk than it holds."""
COMMIT_BYTES = 256 << 20
"""Payloads of one transaction: they are kept in memory until it ends."""
NAMES = "labels.txt"
DATA = "data.mdb"


class LMDB:
    """`train.lmdb/data.mdb`: keys `00000042` in the table's order, values are Datums with data, label and encoded.

    An unlabelled sample has the label -1, because a missing one is read as 0. `train.jsonl` says in a line for each
    sample what a Datum has no field for; `labels.txt` holds the id of a class in each line.
    """

    media_type: ClassVar[str] = "application/x-lmdb"

    def __init__(self, folder: Path, samples: SampleTable, put: Put) -> None:
        self._folder, self._put = folder, put
        (folder / NAMES).write_text("".join(f"{id_}\n" for id_ in samples.classes.ids), "utf-8")
        self._databases: dict[str, _Database] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for database in self._databases.values():
            database.close()

    @property
    def num_shards(self) -> int:
        """Databases."""
        return len(self._databases)

    def add(self, item: Item) -> None:
        """Write a Datum under its key."""
        if item.split not in self._databases:
            self._databases[item.split] = _Database(self._folder, f"{item.split}.lmdb")
        key = f"{item.ordinal:08d}"
        label = UNLABELLED if item.label is None else item.label
        datum = content(4, item.payload) + number(5, label) + number(7, 1)
        self._databases[item.split].put(key, datum, item.about)
        self._put(item.ordinal, Place(path=f"{item.split}.lmdb/{DATA}", container="lmdb", member=key))

    def finish(self) -> Mapping[str, str]:
        """Complete the databases."""
        for database in self._databases.values():
            database.finish()
        return {}


class _Database:
    """One database being filled in the order of its keys."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / name
        self._path.mkdir()
        self._environment = lmdb.open(str(self._path), map_size=MAP_BYTES, max_dbs=0, lock=False)
        self._transaction = self._environment.begin(write=True)
        self._waiting_bytes = 0
        self._lines = self._path.with_suffix(".jsonl").open("w", encoding="utf-8")

    def put(self, key: str, value: bytes, about: Mapping[str, Any]) -> None:
        """Append a value; keys come in byte order."""
        try:
            self._transaction.put(key.encode(), value, append=True)
            self._waiting_bytes += len(value)
            if self._waiting_bytes >= COMMIT_BYTES:
                self._transaction.commit()
                self._transaction, self._waiting_bytes = self._environment.begin(write=True), 0
        except lmdb.Error as e:
            raise _not_written(self._path, e) from e
        self._lines.write(json.dumps({"lmdb_key": key, **about}, ensure_ascii=False) + "\n")

    def finish(self) -> None:
        """Commit what waits, and see that it is on disk."""
        try:
            self._transaction.commit()
            self._environment.sync(True)
        except lmdb.Error as e:
            raise _not_written(self._path, e) from e
        self._lines.flush()
        os.fsync(self._lines.fileno())

    def close(self) -> None:
        """Let go of the files; what was not committed is gone."""
        self._environment.close()
        self._lines.close()


def _not_written(path: Path, why: lmdb.Error) -> DataError:
    return DataError(f"Could not write {path}: {why}. Nothing is left of it; free space or fix permissions, then run "
                     "the command again.")  # fmt: skip
