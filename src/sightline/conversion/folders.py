"""Folders for other tools: their layout, and beside it a table that brings every sample back as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.artifacts import write_json
from sightline.conversion import croissant
from sightline.conversion.encoding import Encoding, NotEncodable
from sightline.conversion.png import png_of
from sightline.conversion.reading import gone, has_pixels, in_order
from sightline.conversion.tally import Tally
from sightline.conversion.tar_shards import SUFFIXES
from sightline.conversion.target import Item, Place, Target
from sightline.errors import DataError, DecodeError
from sightline.formats.converted import CLASSES, DESCRIPTION, ROOT, SAMPLES, VERSION
from sightline.formats.headers import FIELDS
from sightline.images import Header, ImageReader, decode, sniff
from sightline.images.containers import opened
from sightline.progress import progress
from sightline.samples import IMAGE, SCHEMA, SampleTable

UNREADABLE = "unreadable"
"""Folder of payloads that are no readable image: kept, and not among the images."""
CHANGED = "its pixels are others than when it was indexed"
ROWS = 1024
"""Rows that are Python objects at a time."""
_ROW = [name for name in SCHEMA.names if name not in {"image", "content_sha256", "pixel_sha256", "pixel_sums"}]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored:
    """An image as it goes into a target."""

    payload: bytes | None
    """None: there is none."""
    sha256: bytes | None = None
    """Of the payload."""
    codec: str | None = None
    """None: it cannot be read."""
    bytes_before: int = 0
    made_of: str | None = None
    """What the source has in place of an encoded image; the payload is a PNG then."""
    header: Header | None = None
    """Of the PNG; None: the table's."""


def write(
    samples: SampleTable, folder: Path, encoding: Encoding | None, *, to: str, target: type[Target]
) -> tuple[SampleTable, Tally]:
    """The table of `samples`, which have been read in full, as written into a folder for other tools; what was done.

    Payloads are copied where they are encoded images. Arrays, crops and frames become PNGs of the same pixels. What
    cannot be read is listed; its bytes, if there are any, go to a folder of their own. Raises DataError for images
    that are gone or changed since they were indexed.
    """
    if encoding is not None:
        raise DataError(f"Images are copied as they are to {to}; --quality and --max-side go with packed. Do both: "
                        f"sightline convert STUDY --to packed SMALLER, then sightline convert SMALLER --to {to} OUT")
    if len(datasets := set(samples.column("dataset"))) > 1:
        raise DataError(f"{samples.name} holds samples of {len(datasets)} datasets; convert them one by one.")
    places, tally = _Places(samples), Tally()
    try:
        with (
            progress("convert", len(samples)) as advance,
            target(folder, samples, places.put) as writer,
            closing(in_order(_Storing(samples), range(len(samples)))) as results,
        ):
            for row, (i, stored) in zip(_rows(samples), results, strict=True):
                _count(tally, stored)
                places.note(i, stored)
                if stored.codec is None:
                    _keep_unreadable(folder, i, stored, places)
                else:
                    writer.add(_item(samples, i, row, stored))
                advance()
            places.rename(writer.finish())
            tally.num_shards = writer.num_shards
        written = replace(samples, table=places.table(), roots={ROOT: str(folder.absolute())})
        _describe(written, folder, to, target.media_type)
    except OSError as e:
        raise DataError(f"Could not write {folder}: {e.strerror or e}. Nothing is left of it; free space or fix "
                        "permissions, then run the command again.") from e
    return written, tally


def _describe(samples: SampleTable, folder: Path, to: str, media_type: str) -> None:
    """Write the table, and what people and other programs may want to know of the folder."""
    samples.write(folder / SAMPLES, folder / CLASSES)
    images = samples.table["image"].combine_chunks()
    places = zip(*(images.field(name).to_pylist() for name in ("path", "container")), strict=True)
    shards = sorted({path for path, container in places if path is not None and container != "file"})
    files = {name: (folder / name).stat().st_size for name in shards}
    write_json(folder / DESCRIPTION, {"version": VERSION, "to": to, "samples": samples.digest, "files": files})
    write_json(folder / croissant.NAME, croissant.described(samples, folder, shards, media_type))


def _rows(samples: SampleTable) -> Iterator[dict[str, Any]]:
    table = samples.table.select(_ROW)
    for start in range(0, len(table), ROWS):
        yield from table.slice(start, ROWS).to_pylist(maps_as_pydicts="strict")


def _item(samples: SampleTable, i: int, row: dict[str, Any], stored: _Stored) -> Item:
    assert stored.payload is not None
    assert stored.codec is not None
    class_id = None if row["label"] is None else samples.classes.ids[row["label"]]
    return Item(ordinal=i, payload=stored.payload, codec=stored.codec, is_made=stored.made_of is not None,
                row={**row, "boxes": _moved(row)}, class_id=class_id)  # fmt: skip


def _moved(row: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Boxes of a sample in the pixels of its own image: where the sample was a crop, the crop is the image now."""
    if row["crop"] is None or row["boxes"] is None:
        return row["boxes"]  # type: ignore[no-any-return]
    left, top = (max(int(np.floor(v)), 0) for v in row["crop"][:2])
    shift = {"x0": left, "x1": left, "y0": top, "y1": top}
    return [{name: v - shift[name] if name in shift else v for name, v in box.items()} for box in row["boxes"]]


def _keep_unreadable(folder: Path, i: int, stored: _Stored, places: _Places) -> None:
    if stored.payload is not None:
        path = f"{UNREADABLE}/{i:08d}"
        (folder / UNREADABLE).mkdir(exist_ok=True)
        (folder / path).write_bytes(stored.payload)
        places.put(i, Place(path=path, container="file"))


def _count(tally: Tally, stored: _Stored) -> None:
    if stored.codec is None:
        tally.num_unreadable += 1
        return
    tally.bytes_before += stored.bytes_before
    tally.bytes_after += len(stored.payload or b"")
    if stored.made_of is None:
        tally.num_copied += 1
    else:
        tally.as_png[stored.made_of] += 1


class _Storing:
    """What to store of a sample, by its row; shared between threads."""

    def __init__(self, samples: SampleTable) -> None:
        self._reader: ImageReader = samples.reader()
        table = samples.table
        images = table["image"].combine_chunks()
        names = ("path", "codec", "container", "frame")
        self._paths, self._codecs, containers, frames = (images.field(name).to_pylist() for name in names)
        has_pixels = {name: hasattr(opened(name), "pixels") for name in set(containers) if name is not None}
        self._is_frame = [f is not None or has_pixels.get(c, False) for c, f in zip(containers, frames, strict=True)]
        self._is_crop = table["crop"].is_valid().to_pylist()
        self._is_ok, self._keys = samples.is_ok, table["key"]
        self._content = table["content_sha256"].combine_chunks()
        self._pixels = table["pixel_sha256"].combine_chunks()

    def __call__(self, i: int) -> _Stored:
        try:
            return self._readable(i) if self._is_ok[i] else self._unreadable(i)
        except DecodeError as e:
            raise gone(self._keys[i].as_py(), e) from None
        except NotEncodable as e:
            raise DataError(f"{self._keys[i].as_py()}: {e} cannot be written as PNG, and no target takes it as it is. "
                            "Leave it out: samples.take(…)") from None  # fmt: skip

    def _readable(self, i: int) -> _Stored:
        payload, made_of = self._reader.payload(i), self._made_of(i)
        wanted = self._pixels[i].as_py()
        if made_of is not None:
            png = png_of(self._reader.pixels(i, payload))
            if not has_pixels(png, wanted):
                raise DecodeError(CHANGED)
            return _Stored(payload=png, sha256=_sha256(png), codec="png", bytes_before=len(payload), made_of=made_of,
                           header=sniff(png))  # fmt: skip
        sha256 = _sha256(payload)
        # A packed study's table goes on naming the bytes of its source: there the pixels decide.
        if sha256 != self._content[i].as_py() and not has_pixels(payload, wanted):
            raise DecodeError(CHANGED)
        return _Stored(payload=payload, sha256=sha256, codec=self._codecs[i], bytes_before=len(payload))

    def _unreadable(self, i: int) -> _Stored:
        """The bytes where they alone tell that there is no image: `index` will find out again, with the same words."""
        if self._paths[i] is None or self._made_of(i) is not None:
            return _Stored(payload=None)
        try:
            payload = self._reader.payload(i)
        except DecodeError:
            return _Stored(payload=None)
        try:
            decode(payload)
        except DecodeError:
            return _Stored(payload=payload, sha256=_sha256(payload))
        return _Stored(payload=None)

    def _made_of(self, i: int) -> str | None:
        """What a sample is, where it is no encoded image by itself."""
        codec = self._codecs[i]
        if self._is_crop[i]:
            return "crops"
        if self._is_frame[i]:
            return "frames"
        return "arrays" if codec is not None and codec not in SUFFIXES else None


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class _Places:
    """The columns of a sample table that are others in a target, filled row by row."""

    def __init__(self, samples: SampleTable) -> None:
        self._samples, n = samples, len(samples)
        self._text: dict[str, list[str | None]] = {"path": [None] * n, "container": ["file"] * n, "member": [None] * n}
        self._ranges = np.full((2, n), -1, np.int64)
        self._headers: dict[int, Header] = {}
        self._content: list[bytes | None] = samples.column("content_sha256")

    def put(self, i: int, place: Place) -> None:
        """Note where an image lies."""
        self._text["path"][i], self._text["container"][i] = place.path, place.container
        self._text["member"][i] = place.member
        if place.offset is not None and place.length is not None:
            self._ranges[:, i] = place.offset, place.length

    def note(self, i: int, stored: _Stored) -> None:
        """Note what is stored of a sample."""
        self._content[i] = stored.sha256
        if stored.header is not None:
            self._headers[i] = stored.header

    def rename(self, moved: Mapping[str, str]) -> None:
        """Replace the names of files that were moved."""
        self._text["path"] = [None if p is None else moved.get(p, p) for p in self._text["path"]]

    def table(self) -> pa.Table:
        """The table with all that was put into it."""
        table, n = self._samples.table, len(self._samples)
        old = table["image"].combine_chunks()
        fields: dict[str, list[Any]] = {**self._text, "root": [ROOT] * n}
        for name, values in zip(("offset", "length"), self._ranges.tolist(), strict=True):
            fields[name] = [None if v < 0 else v for v in values]
        kept = {name: old.field(name).to_pylist() for name in FIELDS}
        for i, header in self._headers.items():
            for name in FIELDS:
                kept[name][i] = getattr(header, name)
        fields |= kept
        arrays = [pa.array(fields[f.name], f.type) if f.name in fields else pa.nulls(n, f.type) for f in IMAGE]
        columns: dict[str, Any] = {
            "image": pa.StructArray.from_arrays(arrays, fields=list(IMAGE)), "ordinal": pa.array(range(n), pa.int64()),
            "content_sha256": pa.array(self._content, pa.binary(32)),
        }  # fmt: skip
        if table["crop"].null_count < n:
            rows = table.select(["crop", "boxes"]).to_pylist()
            columns["boxes"] = pa.array([_moved(row) for row in rows], SCHEMA.field("boxes").type)
            columns["crop"] = pa.nulls(n, SCHEMA.field("crop").type)
        for name, values in columns.items():
            place = SCHEMA.get_field_index(name)
            table = table.set_column(place, SCHEMA.field(place), values)
        return table
