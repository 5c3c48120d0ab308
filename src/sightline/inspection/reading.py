"""The pass over the images: each is decoded once, for its fingerprints, its facts, its measures and its thumbnail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import extra_needed
from sightline.images import ImageReader
from sightline.images.scaled import scaled_pixels
from sightline.inspection.files import file_facts
from sightline.inspection.measures import WORKING_SIDE
from sightline.inspection.names import Told, told_of
from sightline.inspection.pictures import Picture, columns_of, picture_of, pixel_sums, single_threaded
from sightline.inspection.schema import BARS, FACTS, MEASURES, SCHEMA
from sightline.inspection.storing import storing
from sightline.inspection.thumbnails import Thumbnails
from sightline.inspection.values import Inspection
from sightline.samples import SampleTable
from sightline.samples.reading import (
    Fingerprint,
    fingerprint_of,
    fingerprints_to_arrow,
    read_image,
    with_fingerprints,
    work_through,
)

SMALL_SIDE, LARGE_SIDE = 32, 64
"""Sides of a thumbnail."""

SMALL = 48
"""Tables whose images have a longer side of at most this, in the median, get small thumbnails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What looking at one image gave."""

    fingerprint: Fingerprint | None = None
    unread: str | None
    facts: dict[str, Any]
    picture: Picture | None = None


def inspect(samples: SampleTable, *, to: Path | None = None, verify: bool = True) -> Inspection:
    """An inspection of all samples; its `samples` are the table after the first full read.

    Decodes each image once, on all cores. The thumbnails stay in memory, or, with `to`, in that Parquet file, which is
    written whole while the pass runs. With `verify=False` large JPEGs are decoded at a fraction of their size and
    nothing but the bytes is hashed: faster, but damage may go unseen, and the samples stay as they were. Raises
    MissingExtraError without OpenCV.
    """
    _require_opencv()
    side = side_of(samples)
    is_pending = verify and not samples.is_hashed
    look, told = _looker(samples, side, is_pending, verify), told_of(samples)
    prints: list[pa.Table] = []
    tables: list[pa.Table] = []
    with single_threaded(), storing(to, side) as store:
        start = 0
        for looks in work_through(len(samples), look, "inspect"):
            rows = slice(start, start + len(looks))
            start = rows.stop
            tables.append(_table_of(looks, samples.table["sample_id"][rows], told, rows))
            store.add(tables[-1], [w.picture.thumbnail if w.picture is not None else None for w in looks])
            if is_pending:
                prints.append(fingerprints_to_arrow([w.fingerprint for w in looks]))
        read = replace(samples, table=with_fingerprints(samples.table, prints)) if is_pending else samples
        kept = store.finish(read)
    return Inspection(samples=read, table=pa.concat_tables(tables), pictures=Thumbnails(side=side, kept=kept))


def side_of(samples: SampleTable) -> int:
    """Side of the table's thumbnails: small for images like CIFAR's, large for photographs and where nobody knows."""
    image = samples.table["image"].combine_chunks()
    longer = pc.max_element_wise(image.field("width"), image.field("height"), skip_nulls=False).drop_null()
    return SMALL_SIDE if len(longer) and np.median(np.asarray(longer)) <= SMALL else LARGE_SIDE


def _require_opencv() -> None:
    try:
        import cv2  # noqa: F401
    except ModuleNotFoundError as e:
        raise extra_needed(e, "Looking at every image") or e from None


def _looker(samples: SampleTable, side: int, is_pending: bool, verify: bool) -> Callable[[int], Look]:
    """What looks at the image of a row."""
    reader: ImageReader = samples.reader()
    status, reasons = samples.column("status"), samples.column("reason")
    decode = None if verify else scaled_pixels(reader, WORKING_SIDE)
    is_named = samples.table["image"].combine_chunks().field("container").is_valid().to_pylist()

    def look(i: int) -> Look:
        if status[i] == "dropped" or not is_named[i]:
            return Look(unread=reasons[i] or "there is no image", facts={})
        image = read_image(reader, i, decode)
        facts = {} if image.payload is None else file_facts(image.payload)
        if status[i] != "ok" or image.pixels is None:
            unread = (reasons[i] if status[i] != "ok" else None) or image.reason or "cannot be read"
            fingerprint = fingerprint_of(image, pixel_sums) if is_pending and status[i] == "ok" else None
            return Look(fingerprint=fingerprint, unread=unread, facts=facts)
        if image.pixels.complaint:
            facts["complaint"] = image.pixels.complaint
        fingerprint = fingerprint_of(image, pixel_sums) if is_pending else None
        return Look(fingerprint=fingerprint, unread=None, facts=facts, picture=picture_of(image.pixels, side))

    return look


def _table_of(looks: Sequence[Look], ids: pa.ChunkedArray, told: Told, rows: slice) -> pa.Table:
    """The rows of some looks."""
    unseen = np.array([w.picture is None for w in looks])
    measured = columns_of([w.picture for w in looks])
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "sample_id": ids, "unread": pa.array([w.unread for w in looks], pa.string())
    }  # fmt: skip
    for field in FACTS:
        columns[field.name] = pa.array([w.facts.get(field.name) for w in looks], field.type)
    columns["suffix"] = pa.array(told.suffixes[rows], pa.string())
    if told.frames is not None:
        own = told.frames[rows]
        columns["num_frames"] = pc.if_else(pa.array(own > 1), pa.array(own, pa.int32()), columns["num_frames"])
    for name in (*MEASURES, *BARS):
        values = measured[name]
        is_null = unseen | np.isnan(values) if values.dtype == np.float32 else unseen
        columns[name] = pa.array(values, SCHEMA.field(name).type, mask=is_null)
    for name in ("corners", "border"):
        lists = [None if missing else list(row) for missing, row in zip(unseen, measured[name], strict=True)]
        columns[name] = pa.array(lists, SCHEMA.field(name).type)
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)
