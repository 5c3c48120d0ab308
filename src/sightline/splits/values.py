"""Splits as values: who is in train and val, and a handle on the sealed test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sightline.artifacts import about_of, as_metadata, read_table, require_known, write_table
from sightline.digests import digest_of, digest_of_rows, short
from sightline.errors import DataError, SplitError
from sightline.samples import SampleTable
from sightline.splits.parts import TEST, TRAIN, VAL

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]

VERSION = 3
"""Version of the file; a reader refuses a newer one. 3 seals the rule and the seed as well as the rows."""

SCHEMA = pa.schema(
    [
        pa.field("sample_id", pa.binary(16), nullable=False),
        pa.field("split", pa.string()),  # train | val | test; null = left out
        pa.field("reason", pa.string()),  # why it is there; files of version 1 tell it of samples left out alone
    ]
)


@dataclass(frozen=True)
class Split:
    """A named set of samples, in the order of their table."""

    name: str
    ids: tuple[bytes, ...] = field(repr=False)
    splits: str = field(default="", repr=False, compare=False)
    """Digest of the splits that it is of; empty for other sets of samples."""

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def digest(self) -> str:
        """sha256 of the ids in order, hex."""
        return digest_of([i.hex() for i in self.ids])


@dataclass(frozen=True)
class Fold:
    """The place of a test split in a cross-validation."""

    number: int
    """0 … of - 1."""
    of: int
    plan: str
    """Digest of how all the folds were made: the folds of one plan are one pre-registered look."""


@dataclass(frozen=True)
class SealedSplit:
    """The test split: its size and its digests, not its ids. The ledger opens it, after writing a line."""

    name: str
    n: int
    digest: str
    """sha256 of the ids in order, hex."""
    fingerprint: str
    """sha256 of the images' content in no order, hex: what looks are counted by. Of a fold, that of all folds."""
    fold: Fold | None
    _ids: tuple[bytes, ...] = field(repr=False, compare=False)
    samples: str = ""
    """Digest of the table that was divided."""

    def __len__(self) -> int:
        return self.n


@dataclass(frozen=True, eq=False)
class Splits:
    """Assignment of every sample of a table to train, val, the sealed test, or to none with a reason."""

    table: pa.Table
    """Arrow table of `splits.SCHEMA`: a row for each sample, in the samples' order."""
    how: Mapping[str, Any]
    """The rule, its numbers and the seed."""
    samples_digest: str
    """Digest of the sample table that was divided."""
    fingerprint: str | None = None
    """sha256 of the test's content (of all folds' content), hex; None when there is no test."""

    def __post_init__(self) -> None:
        if self.table.schema.names != SCHEMA.names:
            raise DataError(f"Splits have the columns {SCHEMA.names}, got {self.table.schema.names}.")
        if len(set(self._all_ids)) != self.table.num_rows:
            raise SplitError("A sample has two rows, and so perhaps two splits. Run `sightline split` again.")
        unknown = {n for n in self._names if n is not None} - {TRAIN, VAL, TEST}
        if unknown:
            raise SplitError(f"Splits are train, val and test, got {sorted(unknown)}. Run `sightline split` again.")
        if any(n is None and not r for n, r in zip(self._names, self.table["reason"].to_pylist(), strict=True)):
            raise SplitError("A sample is left out without a reason. Run `sightline split` again.")
        if (TEST in self._names) != (self.fingerprint is not None):
            raise SplitError("Splits carry the fingerprint of their test, and only then. Run `sightline split` again.")

    @cached_property
    def _all_ids(self) -> list[bytes]:
        return list(self.table["sample_id"].to_pylist())

    @cached_property
    def _names(self) -> list[str | None]:
        return list(self.table["split"].to_pylist())

    def _ids_of(self, name: str) -> tuple[bytes, ...]:
        return tuple(i for i, n in zip(self._all_ids, self._names, strict=True) if n == name)

    @cached_property
    def digest(self) -> str:
        """sha256 of the assignment and of the samples' digest, hex."""
        return digest_of([digest_of_rows(self.table), self.samples_digest])

    @cached_property
    def train(self) -> Split:
        """The samples to fit on; empty only where a set made for testing is sealed whole."""
        return Split(TRAIN, self._ids_of(TRAIN), self.digest)

    @cached_property
    def val(self) -> Split | None:
        """The samples to choose by, or None."""
        ids = self._ids_of(VAL)
        return Split(VAL, ids, self.digest) if ids else None

    @cached_property
    def test(self) -> SealedSplit | None:
        """The sealed test, or None: then every result is one selected on val."""
        ids = self._ids_of(TEST)
        if not ids or self.fingerprint is None:
            return None
        fold = Fold(self.how["fold"], self.folds, self.how["plan"]) if self.folds else None
        return SealedSplit(TEST, len(ids), Split(TEST, ids).digest, self.fingerprint, fold, ids, self.samples_digest)

    @property
    def folds(self) -> int:
        """Number of cross-validation folds, repeats counted, of which the test is one; 0 for a single division."""
        return int(self.how.get("folds", 0)) * int(self.how.get("repeats", 1))

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Samples in train, val and test, and how many are left out."""
        counts = {name: self._names.count(name) for name in (TRAIN, VAL, TEST)}
        return {**counts, "left_out": self._names.count(None)}

    @cached_property
    def left_out(self) -> dict[str, int]:
        """Samples in no split by the kind of reason, the most frequent first."""
        rows = zip(self._names, self.table["reason"].to_pylist(), strict=True)
        return dict(Counter(str(why).partition(": ")[0] for name, why in rows if name is None).most_common())

    def without(self, ids: Iterable[bytes] | Mapping[bytes, str], *, reason: str = "left out on request") -> Splits:
        """These splits with some samples of train and val left out, for one reason or each for its own.

        Raises SplitError for samples of test: a test that could be thinned out would escape its count of looks.
        """
        each = ids if isinstance(ids, Mapping) else dict.fromkeys(ids, reason)
        unwanted = {bytes(i): why for i, why in each.items()}
        position = {i: row for row, i in enumerate(self._all_ids)}
        unknown = unwanted.keys() - position.keys()
        if unknown:
            raise DataError(f"{len(unknown)} of the ids to leave out are of no sample here, e.g. {min(unknown).hex()}. "
                            "The findings belong to another table; run `sightline audit` again.")  # fmt: skip
        sealed = sum(self._names[position[i]] == TEST for i in unwanted)
        if sealed:
            raise SplitError(f"{sealed} of the samples to leave out are in test, which is sealed and stays whole. "
                             "Leave out their copies in train; the score is given with and without leaks.")  # fmt: skip
        names, reasons = list(self._names), self.table["reason"].to_pylist()
        for i, why in unwanted.items():
            if names[position[i]] is not None:
                names[position[i]], reasons[position[i]] = None, why
        return Splits(assignment(self._all_ids, names, reasons), self.how, self.samples_digest, self.fingerprint)

    def __repr__(self) -> str:
        how = self.how
        parts = [f"by {how.get('by', '?')}"]
        parts += [f"fold {how['fold']} of {self.folds}, counted from 0"] if self.folds else []
        parts += [f"inner fold {how['inner_fold']} of {how['inner']}"] if how.get("inner") else []
        sizes = dict(self.sizes)
        left_out = sizes.pop("left_out")
        parts += [f"{name} {n:,}{', sealed' if name == TEST else ''}" for name, n in sizes.items() if n]
        parts += [f"{left_out:,} left out, listed"] if left_out else []
        parts += [] if sizes[TEST] else ["no test: results are selected on val"]
        return " · ".join([*parts, short(self.digest)])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{name.replace('_', ' ')}<td>{n:,}</tr>" for name, n in self.sizes.items() if n)
        return f"<p>{escape(repr(self))}</p><table><tr><th>split<th>samples</tr>{rows}</table>"

    def to_pandas(self) -> pd.DataFrame:
        """The assignment as a DataFrame, ids in hex."""
        ids = pa.array([i.hex() for i in self._all_ids], pa.string())
        return self.table.set_column(0, "sample_id", ids).to_pandas()

    @property
    def _seal(self) -> str:
        """sha256 of all that is written: the rows, and how and why they came to be."""
        return digest_of([self.digest, dict(self.how), self.fingerprint])

    def write(self, path: Path) -> None:
        """Write splits.parquet, whole; how and why travel in the schema's metadata."""
        about = {"version": VERSION, "how": dict(self.how), "samples": self.samples_digest,
                 "fingerprint": self.fingerprint, "digest": self.digest, "seal": self._seal}  # fmt: skip
        write_table(Path(path), self.table.replace_schema_metadata(as_metadata(about)))

    @classmethod
    def read(cls, path: Path) -> Splits:
        """Read what `write` wrote. Raises VersionError for a newer format, DataError when rows were changed since."""
        table = read_table(Path(path))
        try:
            about = about_of(table)
            version = int(about["version"])
            require_known(version, VERSION, path)
            splits = cls(table.cast(SCHEMA), dict(about["how"]), about["samples"], about["fingerprint"])
            wanted = [about["digest"], about["seal"] if version >= 3 else splits._seal]
        except (KeyError, TypeError, ValueError) as e:  # of Arrow too: its errors are ValueErrors
            raise DataError(f"{path} holds no splits of Sightline, or was changed ({type(e).__name__}: {e}). Make them "
                            "again: sightline split STUDY") from None  # fmt: skip
        if [splits.digest, splits._seal] != wanted:
            what, is_, was = ("rows", splits.digest, wanted[0]) if splits.digest != wanted[0] else (
                "rule or seed", splits._seal, wanted[1])  # fmt: skip
            raise DataError(f"{path} was changed after it was written ({what}: digest {short(is_)}, wanted "
                            f"{short(str(was))}). Make it again: sightline split STUDY")  # fmt: skip
        return splits


def assignment(ids: Iterable[bytes], names: Iterable[str | None], reasons: Iterable[str | None]) -> pa.Table:
    """Arrow table of `splits.SCHEMA`."""
    columns = (ids, names, reasons)
    return pa.table([pa.array(list(c), f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def fingerprint_of(samples: SampleTable, chosen: Array) -> str:
    """sha256 over the content hashes of the images that a boolean mask chooses, in no order, hex.

    A sample without content, because its file cannot be read, counts by its id.
    """
    rows = samples.table.select(["content_sha256", "sample_id"]).filter(pa.array(chosen))
    content, ids = (column.to_pylist() for column in rows.columns)
    hashes = sorted(c if c is not None else b"no content" + i for c, i in zip(content, ids, strict=True))
    return digest_of([len(hashes), digest_of([h.hex() for h in hashes])])
