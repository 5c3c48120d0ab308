"""Tables of `datasets.Dataset` and `DatasetDict`: the files that back them are referred to, nothing is copied."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import DataError, DecodeError, MissingExtraError
from sightline.formats import Attributes
from sightline.formats.columns import LABEL, find
from sightline.formats.hub_features import is_small
from sightline.formats.listing import split_of_file
from sightline.formats.records import Records, listing_of
from sightline.images.containers import Reference
from sightline.images.containers.arrow import Arrow, batches_of
from sightline.images.containers.live import published
from sightline.indexing import samples_of
from sightline.samples import SampleTable

_CHECKED = 8
"""Rows whose images are compared with what the dataset itself gives, before its files are referred to."""


def from_huggingface(
    dataset: Any, *, name: str | None = None, group: Sequence[str] = (), time: str | None = None
) -> SampleTable:
    """The samples of a `datasets.Dataset` or `DatasetDict`, whose splits are the official ones.

    The column with the feature `Image` is the image; the label is a column `label` (or class, target, …), with the
    names of its `ClassLabel` as native ids; other columns only serve as `group` and `time`. Keys of whole splits are
    those that the same data has as Parquet. Images that lie in Arrow files or image files are read from there, so that
    the table can be stored; a dataset in memory is read through the object, by this process alone. Transforms and
    formats set on the dataset do not apply. Raises DataError, MissingExtraError.
    """
    try:
        import datasets
    except ModuleNotFoundError as e:
        raise MissingExtraError("datasets", "hub", "Reading a Hugging Face dataset") from e
    if not isinstance(dataset, datasets.Dataset | datasets.DatasetDict):
        raise DataError(f"Wanted a datasets.Dataset or DatasetDict, got {type(dataset).__name__}. A stream has no "
                        "length and no order of its own: load it without streaming=True.")  # fmt: skip
    parts = dict(dataset) if isinstance(dataset, datasets.DatasetDict) else {str(dataset.split or ""): dataset}
    if not any(len(part) for part in parts.values()):
        raise DataError("The dataset has no rows.")
    first = next(iter(parts.values()))
    image, label = _image_of(first, datasets.Image), find(first.column_names, LABEL)
    made = [_part(part, word, image, label) for word, part in parts.items()]
    attributes = Attributes(groups=(group,) if isinstance(group, str) else tuple(group), time=time)
    feature = first.features.get(label) if label else None
    names = tuple(feature.names) if isinstance(feature, datasets.ClassLabel) else ()
    title = str(first.info.dataset_name or "dataset")
    listing = listing_of("Hugging Face dataset", Path(title), [p.records for p in made], attributes, names)
    roots = {alias: address for p in made for alias, address in p.roots.items()}
    return samples_of(replace(listing, roots=roots, name=title), name)


@dataclass(frozen=True)
class _Part:
    records: Records
    roots: Mapping[str, str]


def _image_of(dataset: Any, kind: type) -> str:
    found = [name for name, feature in dataset.features.items() if isinstance(feature, kind)]
    if not found:
        raise DataError(f"The dataset has no column of images; it has: {', '.join(dataset.column_names)}. Cast one: "
                        "dataset.cast_column('image', datasets.Image())")  # fmt: skip
    return str(min(found, key=lambda n: n not in {"image", "img"}))


def _part(dataset: Any, word: str, image: str, label: str | None) -> _Part:
    """One split: its rows, and where their images lie."""
    column = dataset.data.table.column(image)
    rows = _rows(dataset)
    names = _field(column, "path").take(pa.array(rows)).to_pylist()
    has_bytes = np.asarray(_field(column, "bytes").is_valid())
    places, roots = _places(dataset, word, image, rows)
    images: dict[str, list[Any]] = {field: [] for field in ("root", "path", "container", "member", "row_group", "row")}
    for i, row in enumerate(rows.tolist()):
        path = names[i]
        is_file = not has_bytes[row] and path is not None
        place = ("absolute", os.path.abspath(path).lstrip("/"), "file", None, None, None) if is_file else places[i]
        for field, value in zip(images, place, strict=True):
            images[field].append(value)
    roots |= {"absolute": "/"} if "absolute" in images["root"] else {}
    small = [f.name for f in dataset.data.schema if f.name not in {image, "key"} and is_small(f.type)]
    told = dataset.select_columns(small).with_format("arrow")[:] if small else pa.table({})
    own = [None if n is None else Path(n).name if os.path.isabs(n) else n for n in names]
    reasons = [None if has_bytes[row] or names[i] is not None else "no image in this row"
               for i, row in enumerate(rows.tolist())]  # fmt: skip
    split = split_of_file(word) if word else None
    columns = {**{n: told[n].to_pylist() for n in small}, "key": own}
    return _Part(Records(source=f"the dataset's part {word or 'without a name'}", split=split, images=images,
                         columns=columns, label=label, reasons=reasons), roots)  # fmt: skip


def _field(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """A field of structs, null where a struct is; chunk by chunk, because putting them together would copy images."""
    return pc.struct_field(column, name)


def _rows(dataset: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Rows of the stored table in the dataset's order: what select, filter and shuffle leave of it."""
    indices = getattr(dataset, "_indices", None)
    if indices is None:
        return np.arange(len(dataset), dtype=np.int64)
    return np.asarray(indices.column(0).to_numpy(), np.int64)


Place = tuple[str, str, str, str | None, int | None, int | None]
"""root, path, container, member, row_group and row."""


def _places(
    dataset: Any, word: str, image: str, rows: np.ndarray[Any, np.dtype[np.int64]]
) -> tuple[list[Place], dict[str, str]]:
    """Where the bytes of each row lie: in the dataset's Arrow files, or in the object."""
    from datasets.table import list_table_cache_files

    member = f"{image}.bytes"
    files = [str(f) for f in list_table_cache_files(dataset.data)]
    stored: list[tuple[str, int, int]] = []
    for file in files:
        for number, batch in enumerate(batches_of(file)):
            stored += [(file, number, row) for row in range(batch.num_rows)]
    if len(stored) == len(dataset.data.table) and _are_there(dataset, image, [stored[r] for r in rows.tolist()]):
        folder = os.path.commonpath([os.path.dirname(os.path.abspath(f)) for f in files])
        alias = f"arrow-{word}" if word else "arrow"
        places: list[Place] = [
            (alias, os.path.relpath(file, folder), "arrow", member, batch, row)
            for file, batch, row in (stored[r] for r in rows.tolist())
        ]
        return places, {alias: folder}
    column = _field(dataset.data.table.column(image), "bytes")

    def payload(row: int) -> bytes:
        data = column[row].as_py()
        if data is None:
            raise DecodeError("no bytes in this row")
        return bytes(data)

    alias = f"live-{word}" if word else "live"
    return [(alias, "rows", "live", None, None, row) for row in rows.tolist()], {alias: published(payload)}


def _are_there(dataset: Any, image: str, places: Sequence[tuple[str, int, int]]) -> bool:
    """Whether files and dataset agree on some images: how a dataset is stored is its library's own business."""
    plain, arrow = dataset.with_format("arrow"), Arrow()
    for i in np.linspace(0, len(places) - 1, min(_CHECKED, len(places))).astype(int).tolist():
        want = plain[i][image].combine_chunks().field("bytes")[0].as_py()
        file, batch, row = places[i]
        reference = Reference(file, f"{image}.bytes", None, None, batch, row, None, None)
        try:
            if arrow.payload(reference) != want:
                return False
        except DecodeError:
            if want is not None:
                return False
    return True
