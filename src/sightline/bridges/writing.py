"""Sample tables as `datasets.Dataset`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import numpy as np

from sightline.conversion.png import png_of
from sightline.errors import DecodeError, MissingExtraError
from sightline.images import Pixels
from sightline.images.codecs import PILLOW_FORMATS
from sightline.samples import SampleTable


def to_huggingface(samples: SampleTable) -> Any:
    """The samples as a `datasets.Dataset`, or as a `DatasetDict` where they have official splits.

    Columns: `image` (the bytes as they are stored; arrays, frames and crops as PNG of the same pixels), `label` (a
    `ClassLabel` whose names are the native ids; null = unlabelled) and `key`. An image that cannot be read is null,
    a sample that a review dropped is left out. Written one by one into the library's cache on disk, never all in
    memory. Raises MissingExtraError.
    """
    try:
        import datasets
    except ModuleNotFoundError as e:
        raise MissingExtraError("datasets", "hub", "Making a Hugging Face dataset") from e
    if samples.is_dropped.any():
        samples = samples.take(~samples.is_dropped)
    features = datasets.Features({
        "image": datasets.Image(), "label": datasets.ClassLabel(names=list(samples.classes.ids)),
        "key": datasets.Value("string"),
    })  # fmt: skip

    def of(rows: np.ndarray[Any, Any], split: Any) -> Any:
        # The library would name its cache by the generator's pickled content; a reader of files has none.
        return datasets.Dataset.from_generator(lambda: _rows(samples, rows), features=features, split=split,
                                               fingerprint=secrets.token_hex(8))  # fmt: skip

    splits = np.array([s or "" for s in samples.column("split")])
    named = [(split, np.flatnonzero(splits == split)) for split in ("train", "val", "test") if (splits == split).any()]
    if not named:
        made = of(np.arange(len(samples)), datasets.Split.TRAIN)
        return datasets.Dataset(made.data, info=made.info, split=None)  # nobody has said that all of it is train
    words = {"train": datasets.Split.TRAIN, "val": datasets.Split.VALIDATION, "test": datasets.Split.TEST}
    return datasets.DatasetDict({str(words[split]): of(rows, words[split]) for split, rows in named})


def _rows(samples: SampleTable, rows: np.ndarray[Any, Any]) -> Iterator[dict[str, Any]]:
    reader, part = samples.reader(), samples.take(rows)
    codecs, crops = part.table["image"].combine_chunks().field("codec").to_pylist(), part.column("crop")
    containers = part.table["image"].combine_chunks().field("container").to_pylist()
    keys, labels = part.column("key"), part.column("label")
    for i, row in enumerate(rows.tolist()):
        is_encoded = codecs[i] in PILLOW_FORMATS and crops[i] is None and containers[i] != "tiff"
        try:
            found = reader.payload(row) if is_encoded else reader.pixels(row)
        except DecodeError:
            found = None
        data = png_of(found) if isinstance(found, Pixels) else found
        name = keys[i].removeprefix(f"{part.table['split'][i].as_py()}/")
        yield {"image": None if data is None else {"bytes": data, "path": name}, "label": labels[i], "key": keys[i]}
