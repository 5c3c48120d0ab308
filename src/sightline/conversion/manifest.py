"""A CSV table of image files: what people read with pandas, and hubs' image folders as `metadata.csv`."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from sightline.conversion.class_folders import write_file
from sightline.conversion.file_names import FileNames
from sightline.conversion.target import Item, Place, Put
from sightline.samples import SampleTable

TABLE = "metadata.csv"
FOLDER = "images"
COLUMNS = ("file_name", "label", "name", "split", "key", "sample_id", "group_id", "time", "about")


class Manifest:
    """`metadata.csv` with a row for each image in `images/`, named as the source names it."""

    media_type: ClassVar[str] = "image/*"

    def __init__(self, folder: Path, samples: SampleTable, put: Put) -> None:
        table, n = samples.table, len(samples)
        absent = {name for name in ("split", "time") if table[name].null_count == n}
        absent |= {"group_id"} if table["groups"].null_count == n else set()
        absent |= {"name"} if samples.classes.names == samples.classes.ids else set()
        self._columns = [name for name in COLUMNS if name not in absent]
        self._folder, self._put, self._names, self._classes = folder, put, FileNames(), samples.classes
        self._file = (folder / TABLE).open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(self._columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what could not be flushed is the error that is under way
            self._file.close()

    num_shards = 0

    def add(self, item: Item) -> None:
        """Write an image and its row."""
        path = self._names.of(f"{FOLDER}/", item)
        write_file(self._folder / path, item.payload)
        self._put(item.ordinal, Place(path=path, container="file"))
        row = {
            **item.about, "file_name": path, "label": item.class_id,
            "name": None if item.label is None else self._classes.names[item.label],
            "group_id": item.row["group_id"], "about": json.dumps(item.about, ensure_ascii=False),
        }  # fmt: skip
        self._rows.writerow([row.get(name) for name in self._columns])

    def finish(self) -> Mapping[str, str]:
        """Complete the table, and see that it and the images are on disk."""
        self._file.flush()
        os.sync()
        return {}
