"""Predictions: one row of logits per sample, with what the classes are called.

The table is the evidence behind every metric: nothing is averaged before it is stored, so a number can be computed
again, for any part of the samples, without the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.artifacts import about_of, as_metadata, read_table, require_known, write_table
from sightline.digests import digest_of, digest_of_rows, short
from sightline.errors import DataError
from sightline.samples import Classes, SampleTable

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
"""Version of the table's schema; a reader refuses a newer one."""

OK, UNREADABLE, INVALID = "ok", "unreadable", "invalid"

Array = np.ndarray[Any, Any]


class Guess(NamedTuple):
    """One class that the model holds possible for a sample."""

    label: int
    name: str
    probability: float


def schema(num_classes: int) -> pa.Schema:
    """Arrow schema of predictions over `num_classes` classes."""
    return pa.schema(
        [
            pa.field("sample_id", pa.binary(16), nullable=False),
            pa.field("key", pa.string(), nullable=False),  # the source's own name of the sample, to list it by
            pa.field("label", pa.int32()),  # true class id; null = unlabelled
            pa.field("logits", pa.list_(pa.float32(), num_classes)),  # null where the image could not be read
            pa.field("status", pa.string(), nullable=False),  # ok | unreadable | invalid (a logit is not finite)
            pa.field("reason", pa.string()),  # why a sample is not ok
        ]
    )


@dataclass(frozen=True, eq=False)
class Predictions:
    """Logits of samples in the order they were asked for."""

    table: pa.Table
    """Arrow table of `predictions.schema(len(classes))`."""
    classes: Classes
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What made them: `digests` of weights, preprocessing and samples, and the `environment`."""

    def __post_init__(self) -> None:
        wanted = schema(len(self.classes))
        if self.table.schema.names != wanted.names:
            raise DataError(f"A table of predictions has the columns {wanted.names}, got {self.table.schema.names}.")
        width = self.table.schema.field("logits").type.list_size
        if width != len(self.classes):
            raise DataError(f"The predictions hold {width} logits a sample but there are {len(self.classes)} classes; "
                            "give the classes of the model that made them.")
        if pc.count_distinct(self.table["sample_id"]).as_py() != len(self):
            raise DataError("Predictions name a sample twice; every sample is predicted exactly once.")
        labels = self.labels
        if labels.size and labels.max() >= len(self.classes):
            raise DataError(f"Labels must lie in 0 … {len(self.classes) - 1}, got {labels.max()}.")
        if not np.isfinite(self.logits[self.is_valid]).all():
            raise DataError("A row of predictions is marked ok but has a logit that is not finite; mark it invalid.")

    @classmethod
    def from_logits(
        cls,
        samples: SampleTable,
        logits: Array,
        *,
        unreadable: Mapping[int, str] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Predictions:
        """Predictions for every row of `samples` from logits of shape (len(samples), num_classes).

        `unreadable` maps row numbers to the reason; their logits are dropped. A row with a NaN or infinite logit
        becomes `invalid`. Raises DataError when the shape does not fit.
        """
        n, k = len(samples), len(samples.classes)
        if logits.shape != (n, k):
            raise DataError(f"{samples.name}: {n} samples and {k} classes need logits of shape ({n}, {k}), "
                            f"got {logits.shape}.")
        reasons: list[str | None] = [None] * n
        status = np.full(n, OK, object)
        for i in np.flatnonzero(~np.isfinite(logits).all(1)).tolist():
            status[i], reasons[i] = INVALID, "the model gave a logit that is not finite"
        for i, reason in (unreadable or {}).items():
            status[i], reasons[i] = UNREADABLE, reason
        values = pa.FixedSizeListArray.from_arrays(
            pa.array(np.ascontiguousarray(logits, np.float32).ravel()), k, mask=pa.array(status == UNREADABLE)
        )
        columns = [samples.table["sample_id"], samples.table["key"], samples.table["label"], values, status, reasons]
        return cls(_table(columns, schema(k)), samples.classes, dict(meta or {}))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        bad = {s: int((self.status == s).sum()) for s in (UNREADABLE, INVALID)}
        listed = "".join(f" · {n} {s}" for s, n in bad.items() if n)
        return f"{len(self):,} predictions · {len(self.classes)} classes{listed} · {short(self.digest)}"

    @cached_property
    def digest(self) -> str:
        """sha256 over rows and classes, hex."""
        return digest_of([digest_of_rows(self.table), self.classes.digest])

    @cached_property
    def logits(self) -> Array:
        """Logits (n, num_classes), float32; NaN rows where the image could not be read."""
        column = self.table["logits"].combine_chunks()
        out = np.full((len(self), len(self.classes)), np.nan, np.float32)
        is_there = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), bool)
        out[is_there] = column.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(-1, len(self.classes))
        return out

    @cached_property
    def log_probabilities(self) -> Array:
        """Log-softmax of the logits (n, num_classes), float64; NaN rows where the sample is not ok."""
        out = np.full(self.logits.shape, np.nan)
        wide = self.logits[self.is_valid].astype(np.float64)
        if wide.size:
            wide -= wide.max(1, keepdims=True)
            out[self.is_valid] = wide - np.log(np.exp(wide).sum(1, keepdims=True))
        return out

    @cached_property
    def probabilities(self) -> Array:
        """Softmax of the logits (n, num_classes), float64; NaN rows where the sample is not ok."""
        return np.asarray(np.exp(self.log_probabilities))

    @cached_property
    def status(self) -> Array:
        """Status per row: "ok", "unreadable" or "invalid"."""
        return np.array(self.table["status"].to_pylist(), object)

    @cached_property
    def is_valid(self) -> Array:
        """Boolean per row: the image was read and all logits are finite."""
        return np.asarray(self.status == OK, bool)

    @cached_property
    def is_labelled(self) -> Array:
        """Boolean per row: the true class is known."""
        return np.asarray(self.table["label"].is_valid().to_numpy(zero_copy_only=False), bool)

    @cached_property
    def labels(self) -> Array:
        """True class ids (int64); -1 where unlabelled."""
        return np.asarray(pc.fill_null(self.table["label"], -1).to_numpy(), np.int64)

    @cached_property
    def predicted(self) -> Array:
        """Class id of the highest logit (int64), the lowest id of a tie; -1 where the sample is not ok."""
        out = np.full(len(self), -1, np.int64)
        out[self.is_valid] = self.logits[self.is_valid].argmax(1)
        return out

    @property
    def ids(self) -> list[bytes]:
        """Sample ids in row order."""
        return list(self.table["sample_id"].to_pylist())

    @property
    def keys(self) -> list[str]:
        """The source's own name of each sample, in row order."""
        return list(self.table["key"].to_pylist())

    def top(self, k: int = 5) -> list[list[Guess]]:
        """The `k` most probable classes of each sample, best first; empty where the sample is not ok."""
        best = np.argsort(-self.logits, axis=1, kind="stable")[:, :k]
        return [
            [Guess(c, self.classes.title(c), float(self.probabilities[i, c])) for c in best[i].tolist()] if ok else []
            for i, ok in enumerate(self.is_valid.tolist())
        ]

    def take(self, which: Sequence[int] | Array) -> Predictions:
        """Predictions of the given rows: positions, or a boolean mask."""
        mask = np.asarray(which)
        positions = np.flatnonzero(mask) if mask.dtype == bool else mask.astype(np.int64)
        return Predictions(self.table.take(pa.array(positions)), self.classes, self.meta)

    def without(self, ids: Iterable[bytes]) -> Predictions:
        """Predictions of all samples but these."""
        left_out = {bytes(i) for i in ids}
        return self.take(np.array([i not in left_out for i in self.ids], bool))

    def to_pandas(self) -> pd.DataFrame:
        """One row a sample: id in hex, key, true and predicted class by name, its probability, status, and a column
        `p(<class>)` for each class, named by native id."""
        title = [*(self.classes.title(i) for i in range(len(self.classes))), None]
        best = np.array([p[c] if c >= 0 else np.nan for p, c in zip(self.probabilities, self.predicted, strict=True)])
        columns: dict[str, Any] = {
            "sample_id": [i.hex() for i in self.ids],
            "key": self.keys,
            "label": [title[i] for i in self.labels],
            "predicted": [title[i] for i in self.predicted],
            "probability": np.asarray(best, np.float64),
            "status": self.status.tolist(),
            "reason": self.table["reason"].to_pylist(),
        }
        columns |= {f"p({native})": self.probabilities[:, i].copy() for i, native in enumerate(self.classes.ids)}
        return pa.table(columns).to_pandas()

    def _repr_html_(self) -> str:
        rows, head = [], self.take(range(min(8, len(self))))
        for key, guesses, status in zip(head.keys, head.top(3), head.status, strict=True):
            said = " · ".join(f"{g.name} {100 * g.probability:.1f} %" for g in guesses) or status
            rows.append(f"<tr><td>{escape(key)}<td>{escape(said)}</tr>")
        return f"<p>{escape(repr(self))}</p><table><tr><th>key<th>most probable</tr>{''.join(rows)}</table>"

    def write(self, path: Path) -> None:
        """Write the predictions as Parquet, whole; classes and `meta` travel in the schema's metadata."""
        about = {
            "version": VERSION, "meta": dict(self.meta), "digest": self.digest,
            "classes": {"ids": self.classes.ids, "names": self.classes.names, "policy": self.classes.policy},
        }  # fmt: skip
        write_table(path, self.table.replace_schema_metadata(as_metadata(about)))

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Read what `write` wrote. Raises DataError for another kind of file, VersionError for a newer format."""
        table = read_table(path)
        about = about_of(table)
        require_known(about.get("version", 0), VERSION, path)
        if "logits" not in table.schema.names or "classes" not in about:
            raise DataError(f"{path} holds no predictions of Sightline. Make them: sightline predict MODEL ...")
        try:
            c = about["classes"]
            classes = Classes(tuple(c["ids"]), tuple(c["names"]), c["policy"])
            rows = _table(list(table.columns), schema(len(classes)))
            return cls(rows, classes, dict(about["meta"]))
        except (KeyError, TypeError, ValueError) as e:  # of Arrow too: its errors are both
            raise DataError(f"{path} holds predictions that were changed ({type(e).__name__}: {e}). Make them again: "
                            "sightline predict MODEL ...") from None  # fmt: skip


def _table(columns: Sequence[Any], wanted: pa.Schema) -> pa.Table:
    arrays = [c.cast(f.type) if isinstance(c, pa.ChunkedArray | pa.Array) else pa.array(c, f.type)
              for c, f in zip(columns, wanted, strict=True)]
    return pa.table(arrays, schema=wanted)
