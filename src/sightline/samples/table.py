"""A sample table with the classes its labels mean: checked when it is born, and by nobody again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.artifacts import as_metadata, read_table, write_table, written_whole
from sightline.digests import digest_of, digest_of_rows, short
from sightline.errors import DataError
from sightline.images import PACKAGE, ImageReader
from sightline.images.containers.live import LIVE
from sightline.images.remote import is_address
from sightline.samples.classes import Classes, metadata_of, spaces_from_arrow, spaces_to_arrow
from sightline.samples.reading import full_read
from sightline.samples.schema import SCHEMA, VERSION, upgraded

if TYPE_CHECKING:
    import pandas as pd

    class Split(Protocol):
        """What `sightline.splits` calls a split; it lies above this module."""

        digest: str
        ids: tuple[bytes, ...]


IDENTITY = ("sample_id", "key", "split", "group_id", "groups", "time", "label")
"""Columns that make a table what it is."""
FURTHER = ("labels", "crop")
"""What only some datasets have counts where it is there, so that the others keep their digests."""


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
    spaces: Mapping[str, Classes] = field(default_factory=dict)
    """Further label spaces, by the name that entries of the column `labels` give them (`coarse`, `real`, …)."""

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
        self._check_spaces()

    def _check_spaces(self) -> None:
        entries = self.table["labels"].combine_chunks().flatten()
        if not len(entries):
            return
        names = entries.field("space").cast(pa.string())
        spaces = {"": self.classes, **self.spaces}
        for name in pc.unique(names).to_pylist():
            if name not in spaces:
                raise DataError(f"{self.name}: labels speak of the space {name!r}; the table has {list(spaces)}.")
            ids = entries.field("id").filter(pc.equal(names, name))
            if not 0 <= pc.min(ids).as_py() <= pc.max(ids).as_py() < len(spaces[name]):
                raise DataError(
                    f"{self.name}: ids of the space {name!r} must lie in 0 … {len(spaces[name]) - 1}, got "
                    f"{pc.min(ids).as_py()} … {pc.max(ids).as_py()}."
                )

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        unreadable = int((~self.is_ok & ~self.is_dropped).sum())
        listed = f" · {unreadable} unreadable, listed" if unreadable else ""
        cut = f" · subset {dict(self.subset)}" if self.subset else ""
        groups = pc.count_distinct(self.table["group_id"]).as_py()
        tied = f" · {groups:,} groups" if groups < len(self) else ""
        notes = "".join(f" · {note}" for note in self.notes)
        head = f"{self.name}: {len(self):,} samples · {len(self.classes)} classes"
        return f"{head}{tied}{listed}{cut}{notes} · {short(self.digest)}"

    @cached_property
    def digest(self) -> str:
        """sha256 over identity, order, labels, groups, classes and what is dropped, hex; the full read keeps it."""
        further = [name for name in FURTHER if self.table[name].null_count < len(self)]
        identity = digest_of_rows(self.table.select([*IDENTITY, *further]))
        return self.digest_of_identity(identity, self.ids[self.is_dropped])

    def digest_of_identity(self, identity: str, dropped: Iterable[bytes]) -> str:
        """`digest` of a table with these classes, from the digest of its identity's columns and the dropped ids."""
        spaces = [[name, self.spaces[name].digest] for name in sorted(self.spaces)]
        left = [bytes(i).hex() for i in dropped]
        return digest_of([identity, self.classes.digest, *([spaces] if spaces else []),
                          *([["dropped", *left]] if left else [])])  # fmt: skip

    @cached_property
    def ids(self) -> np.ndarray[Any, Any]:
        """Sample ids, as an array of 16-byte `V16` values in table order; compare and look up with `positions`."""
        column = self.table["sample_id"]
        chunk = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        return np.frombuffer(chunk.buffers()[1], "V16", len(chunk), 16 * chunk.offset)

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
        """Boolean per row: the image could be read, and no review dropped it."""
        return self._has_status("ok")

    @cached_property
    def is_dropped(self) -> np.ndarray[Any, Any]:
        """Boolean per row: a review dropped the sample; its row stays, with the reason, and is in no split."""
        return self._has_status("dropped")

    def _has_status(self, status: str) -> np.ndarray[Any, Any]:
        column = self.table["status"].cast(pa.string())
        return np.asarray(pc.equal(column, status).to_numpy(zero_copy_only=False), bool)

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
        return ImageReader(self.table["image"], self.roots, self.table["crop"])

    def hashed(self) -> SampleTable:
        """This table after the first full read: content and pixel hashes, pixel sums, and a status for every image.

        Reads and decodes each image once, on all cores; images that cannot be decoded become `unreadable` with a
        reason. The result is remembered, and a table that has been read before is returned as it is.
        """
        return self._hashed

    @cached_property
    def is_hashed(self) -> bool:
        """Whether the first full read has been: no readable image lacks its hashes."""
        is_missing = pc.and_(self.table["content_sha256"].is_null(), pa.array(self.is_ok))
        return not np.asarray(is_missing.to_numpy(), bool).any()

    @cached_property
    def _hashed(self) -> SampleTable:
        return self if self.is_hashed else replace(self, table=full_read(self.table, self.reader()))

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
        """Write samples.parquet and classes.parquet, both or none; roots beside them as relative paths, to move along.

        Raises DataError for images that only this process has.
        """
        about = self.about_in(samples, self.digest)
        with written_whole(classes) as beside:
            write_table(beside, spaces_to_arrow(self.classes, self.spaces))
            write_table(samples, self.table.replace_schema_metadata(as_metadata(about)))

    def about_in(self, samples: Path, digest: str) -> dict[str, Any]:
        """What the file of a table of this digest says beside its rows. Raises DataError as `write`."""
        if any(address.startswith(LIVE) for address in self.roots.values()):
            raise DataError(f"{self.name} refers to a dataset object of this process, which a file cannot. Write the "
                            "images down with it: sl.convert(samples, DIRECTORY, to='parquet')")  # fmt: skip
        roots = {alias: _beside(samples, address) for alias, address in self.roots.items()}
        return {
            "version": VERSION, "name": self.name, "roots": roots, "subset": dict(self.subset),
            "notes": list(self.notes), "classes": self.classes.digest, "digest": digest,
        }  # fmt: skip

    @classmethod
    def read(cls, samples: Path, classes: Path) -> SampleTable:
        """What `write` wrote. Raises VersionError for a newer format, DataError for other files or of two tables."""
        table = read_table(samples)
        about = metadata_of(table, str(samples))
        if "classes" not in about:
            raise DataError(f"{samples} is no table that Sightline wrote. Restore it, or make it again with its verb.")
        space, spaces = spaces_from_arrow(read_table(classes))
        if about["classes"] != space.digest:
            raise DataError(
                f"{classes} does not belong to {samples}: classes {short(space.digest)}, wanted "
                f"{short(about['classes'])}. Run `sightline index` again."
            )
        folder = samples.absolute().parent
        roots = {alias: address if address.startswith(PACKAGE) or is_address(address) else str(folder / address)
                 for alias, address in about["roots"].items()}  # fmt: skip
        return cls(upgraded(table), space, about["name"], roots, about["subset"], tuple(about["notes"]), spaces)


def _beside(samples: Path, address: str) -> str:
    """A root inside the folder of samples.parquet as a path relative to it; another, also an address, as it is."""
    folder, root = samples.absolute().parent, Path(address)
    return root.relative_to(folder).as_posix() if root.is_relative_to(folder) else address
