"""The sample table: one row per classification sample, and the classes its labels mean.

A `SampleTable` is checked when it is born; nobody checks it again. Identity, groups, image reference, labels and
fingerprints are columns; what differs between datasets lies in values, never in other columns.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.artifacts import read_table, write_table
from sightline.digests import digest_of, digest_of_rows, short
from sightline.errors import DataError, DecodeError, VersionError
from sightline.images import PACKAGE, ImageReader, Pixels
from sightline.progress import progress

if TYPE_CHECKING:
    import pandas as pd

    class Split(Protocol):
        """What `sightline.splits` calls a split; it lies above this module."""

        digest: str
        ids: tuple[bytes, ...]

VERSION = 1
"""Version of the table's schema; a reader refuses a newer one."""


def _names() -> pa.DataType:
    return pa.dictionary(pa.int32(), pa.string())


IMAGE = pa.struct(
    [
        ("root", _names()),  # alias of a directory, so that the table can move with its images
        ("path", pa.string()),  # POSIX, relative to root
        ("container", _names()),  # file | parquet | idx | csv | packed
        ("member", pa.string()),  # parquet: column
        ("offset", pa.int64()),  # byte range of the payload inside the (uncompressed) container
        ("length", pa.int64()),
        ("row_group", pa.int32()),
        ("row", pa.int64()),  # parquet: row inside its row group; packed: number of the image in its shard
        ("codec", _names()),  # sniffed from magic bytes; raw: see layout
        ("layout", pa.string()),  # raw: u1:H,W[,C]
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("mode", _names()),
        ("bits", pa.int8()),
        ("exif_orientation", pa.int8()),
    ]
)
PIXEL_SUMS = pa.struct(
    [
        ("num_pixels", pa.int64()),
        ("sums", pa.list_(pa.int64())),  # Σ x, one for each colour channel (1 or 3)
        ("squares", pa.list_(pa.int64())),  # Σ x²
    ]
)
SCHEMA = pa.schema(
    [
        pa.field("sample_id", pa.binary(16), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("ordinal", pa.int64(), nullable=False),
        pa.field("dataset", _names(), nullable=False),
        pa.field("split", _names()),  # the official split, or null; assigned splits live in splits.parquet
        pa.field("group_id", pa.string(), nullable=False),  # the unit that must not be split
        pa.field("groups", pa.list_(pa.struct([("kind", pa.string()), ("id", pa.string())]))),
        pa.field("time", pa.timestamp("us")),
        pa.field("image", IMAGE, nullable=False),
        pa.field("label", pa.int32()),  # class id; null = unlabelled, never -1
        pa.field("labels", pa.list_(pa.struct([("space", pa.string()), ("id", pa.int32()), ("source", pa.string())]))),
        pa.field("status", _names(), nullable=False),  # ok | unreadable
        pa.field("reason", pa.string()),  # why a sample is not ok
        # Payload bytes as the source stores them; null until the first full read. `convert` keeps it, whatever it makes
        # of the bytes: a test split is known by it, and looks at a converted one are looks at the same.
        pa.field("content_sha256", pa.binary(32)),
        pa.field("pixel_sha256", pa.binary(32)),  # native decoded pixels with their shape and depth
        pa.field("pixel_sums", PIXEL_SUMS),  # exact integers: the statistics of any subset follow without reading
    ]
)


def sample_id_of(dataset: str, key: str) -> bytes:
    """16-byte id of a sample: a hash of the dataset's name ("" for one's own folder) and the source's own key."""
    return hashlib.sha256(f"sightline sample\0{dataset}\0{key}".encode()).digest()[:16]


@dataclass(frozen=True)
class Classes:
    """The label space: class id i has native id `ids[i]` (folder name, wnid, digit) and display name `names[i]`."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    policy: str = "lexicographic"
    """How ids were ordered: lexicographic | numeric | file | official."""

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.names):
            raise DataError(f"{len(self.ids)} class ids but {len(self.names)} names; give one name per class.")
        if len(set(self.ids)) != len(self.ids):
            twice = sorted({i for i in self.ids if self.ids.count(i) > 1})
            raise DataError(f"Class ids must be unique, got {twice[:3]} more than once. Names may repeat; ids may not.")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def digest(self) -> str:
        """sha256 of ids in order, hex: two spaces with equal digests give labels the same meaning."""
        return digest_of(list(self.ids))

    @cached_property
    def index(self) -> dict[str, int]:
        """Native id → class id."""
        return {native: i for i, native in enumerate(self.ids)}

    def title(self, i: int) -> str:
        """Name for people: the name, with the native id behind it where they differ."""
        return self.names[i] if self.names[i] == self.ids[i] else f"{self.names[i]} ({self.ids[i]})"

    def to_arrow(self) -> pa.Table:
        """Columns id, native_id, name; the order policy in the metadata."""
        table = pa.table(
            {
                "id": pa.array(range(len(self)), pa.int32()),
                "native_id": pa.array(self.ids, pa.string()),
                "name": pa.array(self.names, pa.string()),
            }
        )
        return table.replace_schema_metadata({"sightline": json.dumps({"version": VERSION, "policy": self.policy})})

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Classes:
        """Classes of a table with columns id (0 … n-1 in order), native_id, name."""
        if table["id"].to_pylist() != list(range(table.num_rows)):
            raise DataError("classes.parquet: ids must be 0 … n-1 in order. Run `sightline index` again.")
        policy = _metadata(table, "classes.parquet").get("policy", "file")
        return cls(tuple(table["native_id"].to_pylist()), tuple(table["name"].to_pylist()), policy)

    def to_pandas(self) -> pd.DataFrame:
        """The classes as a DataFrame."""
        return self.to_arrow().to_pandas()


def _metadata(table: pa.Table, what: str) -> dict[str, Any]:
    stored = json.loads((table.schema.metadata or {}).get(b"sightline", b"{}"))
    if stored.get("version", VERSION) > VERSION:
        raise VersionError(
            f"{what} was written by a newer version of Sightline (format {stored['version']}, this one reads "
            f"{VERSION}). Upgrade: pip install -U sightline"
        )
    return dict(stored)


@dataclass(frozen=True, eq=False)
class SampleTable:
    """Samples in their dataset's order, with the classes their labels refer to."""

    table: pa.Table
    """Arrow table of `samples.SCHEMA`."""
    classes: Classes
    name: str
    """Name of the dataset, for people."""
    roots: Mapping[str, str] = field(default_factory=dict)
    """Root alias → directory (or `package:NAME`)."""
    subset: Mapping[str, Any] = field(default_factory=dict)
    """How the table was cut from the whole source (`limit`, `classes`), or empty."""
    notes: tuple[str, ...] = ()
    """What `index` took or left without being told, for people."""

    def __post_init__(self) -> None:
        t = self.table
        if t.schema.names != SCHEMA.names:
            raise DataError(f"A sample table has the columns {SCHEMA.names}, got {t.schema.names}.")
        if t.num_rows == 0:
            raise DataError(f"{self.name}: no samples. Check the path, and --classes or --limit if they were given.")
        if pc.count_distinct(t["sample_id"]).as_py() != t.num_rows:
            keys = pc.value_counts(t["key"]).to_pylist()
            twice = [k["values"] for k in keys if k["counts"] > 1]
            raise DataError(f"{self.name}: sample keys must be unique, got {twice[:3]} more than once.")
        highest = pc.max(t["label"]).as_py()
        if highest is not None and not (0 <= highest < len(self.classes) and pc.min(t["label"]).as_py() >= 0):
            raise DataError(f"{self.name}: labels must lie in 0 … {len(self.classes) - 1}, got {highest}.")

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        unreadable = len(self) - int(self.is_ok.sum())
        listed = f" · {unreadable} unreadable, listed" if unreadable else ""
        cut = f" · subset {dict(self.subset)}" if self.subset else ""
        groups = pc.count_distinct(self.table["group_id"]).as_py()
        tied = f" · {groups:,} groups" if groups < len(self) else ""
        notes = "".join(f" · {note}" for note in self.notes)
        head = f"{self.name}: {len(self):,} samples · {len(self.classes)} classes"
        return f"{head}{tied}{listed}{cut}{notes} · {short(self.digest)}"

    @cached_property
    def digest(self) -> str:
        """sha256 over identity, order, labels, groups and classes, hex. The first full read does not change it."""
        identity = self.table.select(["sample_id", "key", "split", "group_id", "groups", "time", "label"])
        return digest_of([digest_of_rows(identity), self.classes.digest])

    @cached_property
    def ids(self) -> np.ndarray[Any, Any]:
        """Sample ids, as an array of 16-byte `V16` values in table order; compare and look up with `positions`."""
        chunk = self.table["sample_id"].combine_chunks()
        return np.frombuffer(b"".join(chunk.to_pylist()), "V16")

    @cached_property
    def _position(self) -> dict[bytes, int]:
        return {b: i for i, b in enumerate(self.table["sample_id"].to_pylist())}

    def positions(self, ids: Iterable[bytes]) -> np.ndarray[Any, Any]:
        """Row numbers (int64) of sample ids, in the order given. Raises DataError for an unknown id."""
        try:
            return np.fromiter((self._position[bytes(i)] for i in ids), np.int64)
        except KeyError as e:
            raise DataError(
                f"{self.name} has no sample {e.args[0].hex()}. The split or the predictions belong to another table; "
                "run `sightline split` again after `sightline index`."
            ) from None

    @cached_property
    def is_ok(self) -> np.ndarray[Any, Any]:
        """Boolean per row: the image could be read."""
        return np.asarray(pc.equal(self.table["status"].cast(pa.string()), "ok").to_numpy(zero_copy_only=False), bool)

    @cached_property
    def is_labelled(self) -> np.ndarray[Any, Any]:
        """Boolean per row: the sample has a label."""
        return np.asarray(self.table["label"].is_valid().to_numpy(zero_copy_only=False), bool)

    @cached_property
    def labels(self) -> np.ndarray[Any, Any]:
        """Class ids (int64). Raises DataError when any sample is unlabelled: choose the labelled ones first."""
        missing = len(self) - int(self.is_labelled.sum())
        if missing:
            raise DataError(f"{self.name}: {missing} of {len(self)} samples have no label; take the labelled first.")
        return np.asarray(self.table["label"].to_numpy(), np.int64)

    def column(self, name: str) -> list[Any]:
        """A column's values as Python objects."""
        return list(self.table[name].to_pylist())

    def take(self, which: Sequence[int] | np.ndarray[Any, Any] | Split) -> SampleTable:
        """A table of the given rows: positions, a boolean mask, or a split. Classes stay whole; labels mean the same.

        Raises DataError for a sealed split, whose ids only the ledger gives out.
        """
        if not isinstance(which, Sequence | np.ndarray):
            if not hasattr(which, "ids"):
                raise DataError("The test split is sealed: score it with `sightline evaluate`, which records the look.")
            which = self.positions(which.ids)
        mask = np.asarray(which)
        positions = np.flatnonzero(mask) if mask.dtype == bool else mask.astype(np.int64)
        return replace(self, table=self.table.take(pa.array(positions)))

    def reader(self) -> ImageReader:
        """Reader of this table's images, by row number."""
        return ImageReader(self.table["image"], self.roots)

    def hashed(self) -> SampleTable:
        """This table after the first full read: content and pixel hashes, pixel sums, and a status for every image.

        Reads and decodes each image once, on all cores; images that cannot be decoded become `unreadable` with a
        reason. The result is remembered, and a table that has been read before is returned as it is.
        """
        return self._hashed

    @cached_property
    def _hashed(self) -> SampleTable:
        pending = np.asarray(pc.and_(self.table["content_sha256"].is_null(), pa.array(self.is_ok)).to_numpy(), bool)
        return _full_read(self) if pending.any() else self

    def to_pandas(self) -> pd.DataFrame:
        """The table as a DataFrame, ids in hex."""
        ids = [i.hex() for i in self.column("sample_id")]
        return self.table.set_column(0, "sample_id", pa.array(ids)).to_pandas()

    def _repr_html_(self) -> str:
        from html import escape

        head = self.table.slice(0, 5).select(["key", "split", "label", "status"]).to_pylist()
        rows = "".join("<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in r.values()) + "</tr>" for r in head)
        return f"<p>{escape(repr(self))}</p><table><tr><th>key<th>split<th>label<th>status</tr>{rows}</table>"

    def write(self, samples: Path, classes: Path) -> None:
        """Write samples.parquet and classes.parquet, each whole; roots beside them as relative paths, to move along."""
        roots = {alias: _beside(samples, address) for alias, address in self.roots.items()}
        about = {
            "version": VERSION, "name": self.name, "roots": roots, "subset": dict(self.subset),
            "notes": list(self.notes), "classes": self.classes.digest, "digest": self.digest,
        }  # fmt: skip
        write_table(classes, self.classes.to_arrow())
        write_table(samples, self.table.replace_schema_metadata({"sightline": json.dumps(about)}))

    @classmethod
    def read(cls, samples: Path, classes: Path) -> SampleTable:
        """What `write` wrote. Raises VersionError for a newer format, DataError when the two do not belong together."""
        table = read_table(samples)
        about = _metadata(table, str(samples))
        space = Classes.from_arrow(read_table(classes))
        if about["classes"] != space.digest:
            raise DataError(
                f"{classes} does not belong to {samples}: classes {short(space.digest)}, wanted "
                f"{short(about['classes'])}. Run `sightline index` again."
            )
        folder = samples.absolute().parent
        roots = {alias: address if address.startswith(PACKAGE) else str(folder / address)
                 for alias, address in about["roots"].items()}  # fmt: skip
        return cls(table.cast(SCHEMA), space, about["name"], roots, about["subset"], tuple(about["notes"]))


def _beside(samples: Path, address: str) -> str:
    """A root inside the folder of samples.parquet as a path relative to it; another as it is."""
    folder, root = samples.absolute().parent, Path(address)
    return root.relative_to(folder).as_posix() if root.is_relative_to(folder) else address


def table_from_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Arrow table of `SCHEMA` from rows that leave out what they do not know; `ordinal` is filled by position."""
    columns = {
        f.name: pa.array(range(len(rows)) if f.name == "ordinal" else [r.get(f.name) for r in rows], f.type)
        for f in SCHEMA
    }
    return pa.table(columns, schema=SCHEMA)


def _full_read(samples: SampleTable) -> SampleTable:
    reader, is_ok = samples.reader(), samples.is_ok
    n = len(samples)
    content: list[bytes | None] = [None] * n
    pixel: list[bytes | None] = [None] * n
    sums: list[dict[str, Any] | None] = [None] * n
    status, reason = samples.column("status"), samples.column("reason")

    def read_one(i: int) -> None:
        if not is_ok[i]:
            return
        try:
            payload = reader.payload(i)
            content[i] = hashlib.sha256(payload).digest()
            pixels = reader.pixels(i, payload)
        except DecodeError as e:
            status[i], reason[i] = "unreadable", str(e)
            return
        pixel[i], sums[i] = pixel_sha256_of(pixels), pixel_sums_of(pixels)

    # Threads: decoding and hashing release the GIL; slices keep 1.28 M futures from being made at once.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool, progress("read", n) as advance:
        for start in range(0, n, 1024):
            block = range(start, min(start + 1024, n))
            for _ in pool.map(read_one, block):
                pass
            advance(len(block))
    table = samples.table
    read = {"status": status, "reason": reason, "content_sha256": content, "pixel_sha256": pixel, "pixel_sums": sums}
    for name, values in read.items():
        i = SCHEMA.get_field_index(name)
        table = table.set_column(i, SCHEMA.field(i), pa.array(values, SCHEMA.field(i).type))
    return replace(samples, table=table)


def pixel_sha256_of(pixels: Pixels) -> bytes:
    """The column `pixel_sha256`: hash of native pixels with their shape, depth and orientation."""
    values = np.ascontiguousarray(pixels.values)
    h = hashlib.sha256(f"{pixels.bits} {values.shape} {pixels.orientation}".encode())
    h.update(values.data)
    return h.digest()


def pixel_sums_of(pixels: Pixels) -> dict[str, Any]:
    """The column `pixel_sums`: exact Σx and Σx² of the colour channels; alpha is no colour."""
    values = pixels.values  # int64 holds the sums of 2³¹ pixels of 16 bits
    colours = values[..., : 3 if values.shape[2] >= 3 else 1].reshape(values.shape[0] * values.shape[1], -1)
    if values.dtype == np.uint8:
        levels = np.arange(256, dtype=np.int64)
        histograms = [np.bincount(colours[:, c], minlength=256) for c in range(colours.shape[1])]
        totals = [(int(h @ levels), int(h @ (levels * levels))) for h in histograms]
    else:
        wide = colours.astype(np.int64)
        totals = [(int(wide[:, c].sum()), int((wide[:, c] ** 2).sum())) for c in range(wide.shape[1])]
    return {"num_pixels": colours.shape[0], "sums": [a for a, _ in totals], "squares": [b for _, b in totals]}
