"""Packed studies: images in a few tar files, JPEGs coded again so that any band of their rows can be decoded alone."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sightline.artifacts import written_whole
from sightline.conversion.encoding import Encoding, NotEncodable, encoded
from sightline.conversion.reading import gone, has_pixels, in_order
from sightline.conversion.tally import Tally
from sightline.conversion.tar_shards import SUFFIXES, Place, TarShards, name_of
from sightline.errors import DataError, DecodeError
from sightline.images import Header, decode, sniff
from sightline.images.jpeg_recoding import recoded
from sightline.images.jpeg_segments import NotRecodable
from sightline.images.shards import BANDS, companion_of
from sightline.progress import progress
from sightline.samples import IMAGE, SCHEMA, SampleTable, pixel_sha256_of, pixel_sums_of

Offsets = npt.NDArray[np.uint32]

FOLDER = "shards"
"""Folder of the shards inside the study, and the alias of their root."""
HEADER = ("codec", "width", "height", "mode", "bits", "exif_orientation")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored:
    """An image as it goes into a shard."""

    payload: bytes
    codec: str
    bytes_before: int
    offsets: Offsets | None = None
    """Where its MCU rows begin; None: it is decoded whole."""
    reason: str | None = None
    """Why its bytes are the source's."""
    psnr_db: float | None = None
    """Where it was encoded again with loss; its header and pixels are others then."""
    changed: dict[str, Any] | None = None
    """Columns of the table that are others now, and fields of its image."""


def write(samples: SampleTable, folder: Path, encoding: Encoding | None) -> tuple[SampleTable, Tally]:
    """The table of `samples`, which have been read in full, as packed into `folder`/shards; and what was done.

    Each image is decoded from what is stored before it counts as done: its pixels must have the hash that the table
    holds. Raises DataError for arrays, and for images that are gone or changed since they were indexed.
    """
    _refuse_arrays(samples)
    reader, keys = samples.reader(), samples.table["key"]
    wanted = samples.table["pixel_sha256"].combine_chunks()
    rows = np.flatnonzero(samples.is_ok).tolist()
    tally = Tally(num_unreadable=int((~samples.is_ok & ~samples.is_dropped).sum()))
    columns = _Columns(samples)

    def store(i: int) -> _Stored:
        try:
            return _stored(reader.payload(i), wanted[i].as_py(), encoding)
        except DecodeError as e:
            raise gone(keys[i].as_py(), e) from None

    bands: list[Offsets | None] = []

    def close(shard: Path) -> None:
        with written_whole(companion_of(shard)) as temporary, pa.OSFile(str(temporary), "wb") as f:
            table = pa.table([pa.array(bands, BANDS.field("bands").type)], schema=BANDS)
            with pa.ipc.new_file(f, BANDS) as writer:
                writer.write_table(table)
        bands.clear()

    with (
        progress("convert", len(rows)) as advance,
        TarShards(folder / FOLDER, close) as shards,
        closing(in_order(store, rows)) as results,
    ):
        for i, stored in results:
            name = f"{i:08d}"
            place = shards.add([(f"{name}.{SUFFIXES[stored.codec]}", stored.payload), *_labels(samples, i, name)])
            bands.append(stored.offsets)
            columns.put(i, place, stored)
            _count(tally, stored)
            advance()
        tally.num_shards = shards.num_shards
    table = columns.table()
    notes = samples.notes if encoding is None else (*samples.notes, str(encoding))
    return replace(samples, table=table, roots={FOLDER: str(folder.absolute() / FOLDER)}, notes=notes), tally


def _count(tally: Tally, stored: _Stored) -> None:
    tally.bytes_before += stored.bytes_before
    tally.bytes_after += len(stored.payload)
    if stored.reason is not None:
        tally.as_they_are[stored.reason] += 1
    elif stored.psnr_db is None:
        tally.num_recoded += 1
    else:
        tally.psnr_db.append(stored.psnr_db)


def _refuse_arrays(samples: SampleTable) -> None:
    codecs = set(samples.table["image"].combine_chunks().field("codec").to_pylist())
    if "raw" in codecs:
        raise DataError(
            f"{samples.name} holds arrays of pixels, not encoded images. There is nothing to pack: a batch of them is "
            "one gather already. Use the study as it is."
        )


def _stored(payload: bytes, wanted: bytes, encoding: Encoding | None) -> _Stored:
    """What to store of a payload whose pixels have the hash `wanted`. Raises DecodeError when they have another."""
    header = sniff(payload)
    if encoding is not None and encoding.applies_to(header.height, header.width):
        return _encoded(payload, wanted, encoding, header)
    reason = header.codec
    if header.codec == "jpeg":
        try:
            made = recoded(payload)
        except NotRecodable as e:
            reason = str(e)
        else:
            if has_pixels(made.payload, wanted):
                return _Stored(payload=made.payload, codec="jpeg", bytes_before=len(payload), offsets=made.offsets)
            reason = "pixels would change"
    if not has_pixels(payload, wanted):
        raise DecodeError("its pixels are others than when it was indexed")
    return _Stored(payload=payload, codec=header.codec, bytes_before=len(payload), reason=reason)


def _encoded(payload: bytes, wanted: bytes, encoding: Encoding, header: Header) -> _Stored:
    pixels = decode(payload)
    if pixel_sha256_of(pixels) != wanted:
        raise DecodeError("its pixels are others than when it was indexed")
    try:
        made = encoded(payload, pixels, encoding)
    except NotEncodable as e:
        return _Stored(payload=payload, codec=header.codec, bytes_before=len(payload), reason=str(e))
    again = recoded(made.payload)
    now = sniff(again.payload)
    changed = {name: getattr(now, name) for name in HEADER}
    changed |= {"pixel_sha256": pixel_sha256_of(made.pixels), "pixel_sums": pixel_sums_of(made.pixels)}
    return _Stored(payload=again.payload, codec="jpeg", bytes_before=len(payload), offsets=again.offsets,
                   psnr_db=made.psnr_db, changed=changed)  # fmt: skip


def _labels(samples: SampleTable, i: int, name: str) -> list[tuple[str, bytes]]:
    """Files beside an image: its class id, and what else other readers may want to know."""
    row = {n: samples.table[n][i].as_py() for n in ("key", "sample_id", "split", "label")}
    label = row["label"]
    about = {**row, "sample_id": row["sample_id"].hex(), "class": None if label is None else samples.classes.ids[label]}
    files = [(f"{name}.json", json.dumps(about, ensure_ascii=False).encode())]
    return files if label is None else [(f"{name}.cls", str(label).encode()), *files]


class _Columns:
    """The columns of a sample table that packing changes, filled row by row."""

    def __init__(self, samples: SampleTable) -> None:
        self._table = samples.table
        self._places = np.zeros((4, len(samples)), np.int64)  # shard, and the image's row, offset and length there
        self._is_placed = np.zeros(len(samples), bool)
        self._changed: dict[str, dict[int, Any]] = {}

    def put(self, i: int, place: Place, stored: _Stored) -> None:
        """Note where image `i` lies and what is different in it."""
        self._places[:, i] = place.shard, place.row, place.offset, len(stored.payload)
        self._is_placed[i] = True
        for name, value in (stored.changed or {}).items():
            self._changed.setdefault(name, {})[i] = value

    def table(self) -> pa.Table:
        """The table with all that was put into it."""
        n = self._table.num_rows
        shard, row, offset, length = (pa.array(values, mask=~self._is_placed) for values in self._places)
        names = pa.array([name_of(k) for k in range(int(self._places[0].max()) + 1)], pa.string())
        old = self._table["image"].combine_chunks()
        fields = {name: self._with_changes(name, old.field(name)) for name in HEADER}
        fields |= {"path": names.take(shard), "row": row, "offset": offset, "length": length}
        fields |= {name: pa.array([value]).take(pa.array(np.zeros(n, np.int64)))
                   for name, value in (("root", FOLDER), ("container", "packed"))}  # fmt: skip
        arrays = [fields[f.name].cast(f.type) if f.name in fields else pa.nulls(n, f.type) for f in IMAGE]
        columns = {"image": pa.StructArray.from_arrays(arrays, fields=list(IMAGE))}
        for name in ("pixel_sha256", "pixel_sums"):
            columns[name] = self._with_changes(name, self._table[name])
        table = self._table
        for name, values in columns.items():
            place = SCHEMA.get_field_index(name)
            table = table.set_column(place, SCHEMA.field(place), values)
        return table

    def _with_changes(self, name: str, values: Any) -> Any:
        """A column with the values that are others now."""
        changed = self._changed.get(name)
        if not changed:
            return values
        listed = values.to_pylist()
        for i, value in changed.items():
            listed[i] = value
        return pa.array(listed, values.type)
