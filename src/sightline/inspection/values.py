"""An inspection: a row of facts and a small picture for each sample of a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.artifacts import require_known
from sightline.digests import digest_of_rows
from sightline.errors import DataError
from sightline.inspection.schema import SCHEMA, VERSION
from sightline.inspection.thumbnails import Thumbnails
from sightline.samples import SampleTable

Array = np.ndarray[Any, Any]

ABOUT = "sightline.inspection"
"""Name of the file's metadata in which an inspection says what it is of."""


class OtherSamplesError(DataError):
    """A stored inspection is of other samples, of other files than they had, or of an earlier version's columns."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Inspection:
    """What one look at every image of a table found, in table order."""

    samples: SampleTable
    """The inspected samples, after their first full read."""
    table: pa.Table
    """Arrow table of `inspection.SCHEMA`."""
    pictures: Thumbnails

    def __post_init__(self) -> None:
        if self.table.schema.names != SCHEMA.names:
            raise DataError(f"An inspection has the columns {SCHEMA.names}, got {self.table.schema.names}.")
        if not self.table["sample_id"].equals(self.samples.table["sample_id"]):
            raise DataError("The inspection is of other samples than the table holds now. Inspect them again: "
                            "sightline audit STUDY")  # fmt: skip

    @property
    def side(self) -> int:
        """Rows and columns of a thumbnail; one number for the table."""
        return self.pictures.side

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> Array:
        """A column's values, one for each sample: float32 with NaN for null, or an object array with None for null.

        `corners` and `border` are float32 [n, 12] and [n, 3]; `taken` is datetime64[us] with NaT. Raises DataError for
        an unknown name.
        """
        if name not in SCHEMA.names:
            raise DataError(f"An inspection has no column {name!r}. Known: {', '.join(SCHEMA.names)}.")
        values, kind = self.table[name].combine_chunks(), SCHEMA.field(name).type
        if pa.types.is_list(kind):
            width = {"corners": 12, "border": 3}[name]
            filled = np.full((len(values), width), np.nan, np.float32)
            filled[values.is_valid().to_numpy(zero_copy_only=False)] = values.flatten().to_numpy().reshape(-1, width)
            return filled
        if pa.types.is_timestamp(kind):
            return np.asarray(values.to_numpy(zero_copy_only=False), "datetime64[us]")
        if pa.types.is_floating(kind) or pa.types.is_integer(kind):
            return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False),
                              np.float64 if pa.types.is_integer(kind) else np.float32)  # fmt: skip
        return np.array(values.to_pylist(), object)

    @cached_property
    def is_seen(self) -> Array:
        """Boolean per row: there is a picture."""
        return np.asarray(self.table["unread"].is_null().to_numpy(), bool)

    def thumbnails(self, start: int = 0, stop: int | None = None) -> Array:
        """Upright RGB pictures of rows `start` to `stop`, uint8 [n, side, side, 3]; black where there is none.

        Each is the whole image, area-averaged to a square, alpha laid on white, 16-bit levels stretched to the range
        they use. A stored inspection reads those rows alone: ask for a few thousand at a time.
        """
        return self.pictures.between(start, len(self) if stop is None else min(stop, len(self)))

    def thumbnails_of(self, rows: Sequence[int] | Array) -> Array:
        """Thumbnails of the given rows, in their order, uint8 [n, side, side, 3]."""
        return self.pictures.of(np.asarray(rows, np.int64))

    def take(self, which: Sequence[int] | Array) -> Inspection:
        """The inspection of `samples.take(which)`: positions, or a boolean mask. Thumbnails stay where they are."""
        mask = np.asarray(which)
        rows = np.flatnonzero(mask) if mask.dtype == bool else mask.astype(np.int64)
        return replace(self, samples=self.samples.take(rows), table=self.table.take(pa.array(rows)),
                       pictures=self.pictures.take(rows))  # fmt: skip

    def __repr__(self) -> str:
        unseen = len(self) - int(self.is_seen.sum())
        return f"{len(self):,} images inspected · thumbnails of {self.side} × {self.side}" + (
            f" · {unseen:,} without a picture" if unseen else "")  # fmt: skip

    @classmethod
    def read(cls, path: Path, samples: SampleTable) -> Inspection:
        """What `inspect` stored of these samples.

        Raises DataError for another file, OtherSamplesError for other samples or the columns of an earlier version.
        """
        try:
            with pq.ParquetFile(path) as file:
                about = _about(file, path)
                if about["version"] < VERSION:
                    raise OtherSamplesError(f"{path} holds what an earlier version of Sightline measured. Remove it; "
                                            "`sightline audit` makes it again.")  # fmt: skip
                table = file.read(columns=SCHEMA.names)
        except FileNotFoundError:
            raise DataError(f"{path} does not exist. Make it: sightline audit STUDY") from None
        except (pa.ArrowInvalid, OSError) as e:
            raise DataError(f"{path} is not a readable Parquet file ({e}). Remove it; `sightline audit` makes it "
                            "again.") from None  # fmt: skip
        if about["samples"] != identity_of(samples):
            raise OtherSamplesError(f"{path} is of other samples or of other files than the table holds now. Remove "
                                    "it; `sightline audit` makes it again.")  # fmt: skip
        return cls(samples=samples, table=table.cast(SCHEMA), pictures=Thumbnails(side=about["side"], kept=Path(path)))


def _about(file: pq.ParquetFile, path: Path) -> Mapping[str, Any]:
    stored = (file.metadata.metadata or {}).get(ABOUT.encode())
    if stored is None:
        raise DataError(f"{path} holds no inspection of Sightline. Remove it; `sightline audit` makes it.")
    about: dict[str, Any] = json.loads(stored)
    require_known(about["version"], VERSION, path)
    return about


def identity_of(samples: SampleTable) -> str:
    """What ties an inspection to samples: which they are, in order, and the bytes that were read; not their labels."""
    return digest_of_rows(samples.table.select(["sample_id", "crop", "content_sha256"]))
