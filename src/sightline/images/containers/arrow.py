"""Encoded images in a column of Arrow IPC files, as `datasets` keeps what it has loaded."""

from __future__ import annotations

import threading

import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import DecodeError
from sightline.images.containers import Reference


class Arrow:
    """Bytes of a row, by `member` (the column, `image.bytes`), `row_group` (record batch), and `row` inside it.

    Files are mapped into memory, so that a row costs its own bytes alone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batches: dict[str, list[pa.RecordBatch]] = {}
        self._columns: dict[tuple[str, str, int], pa.Array] = {}

    def payload(self, reference: Reference) -> bytes:
        """The bytes of one row. Raises DecodeError for a damaged file, another table, and an empty row."""
        assert reference.member is not None
        assert reference.row_group is not None
        key = (reference.path, reference.member, reference.row_group)
        values = self._columns.get(key)
        if values is None:
            values = self._columns[key] = self._column(*key)
        if not 0 <= (reference.row or 0) < len(values):
            raise DecodeError(f"batch {reference.row_group} has {len(values)} rows, wanted number {reference.row}")
        data = values[reference.row].as_py()
        if data is None:
            raise DecodeError("no bytes in this row")
        return bytes(data)

    def _column(self, path: str, member: str, batch: int) -> pa.Array:
        with self._lock:
            if path not in self._batches:
                self._batches[path] = batches_of(path)
            batches = self._batches[path]
        column, *fields = member.split(".")
        try:
            values = batches[batch].column(column)
            for name in fields:
                values = pc.struct_field(values, name)
            values.validate(full=True)  # offsets beyond the file would be read unseen
        except pa.ArrowInvalid as e:
            raise DecodeError(f"damaged Arrow file: {e}") from None
        except (IndexError, KeyError) as e:
            raise DecodeError(f"no batch {batch} with the column {member}: {e}") from None
        return values


def batches_of(path: str) -> list[pa.RecordBatch]:
    """Record batches of an IPC file or stream, mapped into memory. Raises DecodeError for a damaged one, OSError."""
    try:
        mapped = pa.memory_map(path)
        if mapped.read(6) == b"ARROW1":
            file = pa.ipc.open_file(mapped)
            batches = [file.get_batch(i) for i in range(file.num_record_batches)]
        else:
            mapped.seek(0)
            batches = list(pa.ipc.open_stream(mapped))
    except pa.ArrowInvalid as e:
        raise DecodeError(f"damaged Arrow file: {e}") from None
    return batches
