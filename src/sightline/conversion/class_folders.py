"""Class folders: each image a file of its own, in a folder for its class, below a folder for its split."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from sightline.conversion.file_names import FileNames, folder_name
from sightline.conversion.target import NO_SPLIT, Item, Place, Put
from sightline.errors import DataError
from sightline.samples import SampleTable

UNLABELLED_FOLDER = "unlabelled"


class ClassFolders:
    """`train/cat/0042.jpg`; without splits `cat/0042.jpg`, as long as nothing else has to lie beside the classes."""

    media_type: ClassVar[str] = "image/*"

    def __init__(self, folder: Path, samples: SampleTable, put: Put) -> None:
        if not samples.is_labelled.any():
            raise DataError(f"No sample of {samples.name} has one class, so none has a class folder to lie in. Choose "
                            "webdataset, parquet or manifest: they keep other labels too.")  # fmt: skip
        self._folder, self._put, self._names = folder, put, FileNames()
        has_splits = samples.table["split"].null_count < len(samples)
        is_alone = not has_splits and bool(np.all(samples.is_labelled & samples.is_ok))
        self._top = "" if is_alone else f"{NO_SPLIT}/"
        used = samples.table.select(["split", "label"]).group_by(["split"]).aggregate([])["split"].to_pylist()
        self._folders = {id_: folder_name(id_) for id_ in samples.classes.ids}
        for split in used:
            for name in self._folders.values():  # also of a class without images, so that class numbers stay
                (folder / (f"{split}/" if split else self._top) / name).mkdir(parents=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    num_shards = 0

    def add(self, item: Item) -> None:
        """Write an image as a file."""
        if item.class_id is None:
            below = f"{UNLABELLED_FOLDER}/"
        else:
            below = (f"{item.split}/" if item.row["split"] else self._top) + f"{self._folders[item.class_id]}/"
        path = self._names.of(below, item)
        write_file(self._folder / path, item.payload)
        self._put(item.ordinal, Place(path=path, container="file"))

    def finish(self) -> Mapping[str, str]:
        """See that the files are on disk: all at once, because a million syncs would take hours."""
        os.sync()
        return {}


def write_file(path: Path, data: bytes) -> None:
    """Write a new file, with the folders it lies in; whoever writes many sees to it that they are on disk."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(file, "wb") as f:
        f.write(data)
