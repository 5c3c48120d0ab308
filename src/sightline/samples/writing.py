"""A sample table written as its pieces come: memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from sightline.artifacts import ROWS, as_metadata, table_written, write_table, written_whole
from sightline.digests import RowsDigest
from sightline.errors import DataError
from sightline.samples.classes import spaces_to_arrow
from sightline.samples.schema import SCHEMA
from sightline.samples.table import FURTHER, IDENTITY, SampleTable


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written."""

    last: SampleTable
    """The last piece, which knows the classes, the name and all notes."""
    digest: str
    """`SampleTable.digest` of the whole."""


def write_pieces(pieces: Iterable[SampleTable], samples: Path, classes: Path) -> Written:
    """Write samples.parquet and classes.parquet of a table in pieces, both or none; what `SampleTable.write` writes.

    The keys of no two pieces may lie between one another, so that all are known to be unique without keeping them:
    DataError.
    """
    samples.parent.mkdir(parents=True, exist_ok=True)
    last: SampleTable | None = None
    further: set[str] = set()
    dropped: list[bytes] = []
    spans: list[tuple[str, str]] = []

    def tables() -> Iterator[pa.Table]:
        nonlocal last
        for piece in pieces:
            last = piece
            _extend(spans, piece)
            further.update(name for name in FURTHER if piece.table[name].null_count < len(piece))
            dropped.extend(piece.ids[piece.is_dropped])
            yield piece.table

    wanted = pa.schema([SCHEMA.field(name) for name in (*IDENTITY, *FURTHER)])
    with (RowsDigest(wanted, samples.parent) as rows, written_whole(classes) as beside,
          table_written(samples, SCHEMA) as writer):  # fmt: skip
        for group in _regrouped(tables()):
            rows.add(group)
            writer.write_table(group)
            del group
        if last is None:
            raise DataError("A table without pieces cannot be written.")
        identity = rows.hexdigest([*IDENTITY, *(name for name in FURTHER if name in further)])
        digest = last.digest_of_identity(identity, dropped)
        write_table(beside, spaces_to_arrow(last.classes, last.spaces))
        writer.add_key_value_metadata(as_metadata(last.about_in(samples, digest)))
    return Written(last=last, digest=digest)


def _extend(spans: list[tuple[str, str]], piece: SampleTable) -> None:
    """Add the keys of a piece to the spans of keys so far: few, as keys mostly rise. Raises DataError."""
    low, high = (limit.as_py() for limit in pc.min_max(piece.table["key"]).values())
    if spans and spans[-1][1] < low:
        low = spans.pop()[0]
    meets = next((span for span in spans if span[0] <= high and low <= span[1]), None)
    if meets is not None:
        raise DataError(f"{piece.name}: keys from {low!r} to {high!r} come after those from {meets[0]!r} to "
                        f"{meets[1]!r}. Sample keys must be unique, and those of a piece lie together.")  # fmt: skip
    spans.append((low, high))


def _regrouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of `ROWS`, without a copy of them; the last one has what is left."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += table.num_rows
        while count >= ROWS:
            whole = pa.concat_tables(waiting).unify_dictionaries()
            ready = [whole.slice(0, ROWS)]
            waiting, count = [whole.slice(ROWS)] if count > ROWS else [], count - ROWS
            del whole
            yield ready.pop()  # whoever takes it has it alone: 50 MB that go before the next come
    if count:
        yield pa.concat_tables(waiting).unify_dictionaries()
