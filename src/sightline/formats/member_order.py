"""Members of archives in byte order of their names, whatever their number: sorted in parts, merged from disk."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from sightline.formats.members import Members

RUN = 131_072
"""Members that are sorted together in memory."""
BATCH = 2048
"""Members of one run that are in memory while runs are merged."""

_FIELDS = pa.schema([("name", pa.large_binary()), ("archive", pa.int32()), ("container", pa.string()),
                     ("offset", pa.int64()), ("length", pa.int64()), ("reason", pa.string())])  # fmt: skip


class Member(NamedTuple):
    """A file inside an archive."""

    full: bytes
    """Its name behind the archive's prefix, as UTF-8."""
    archive: int
    container: str
    offset: int | None
    length: int | None
    reason: str | None


class MemberOrder:
    """Members of some archives, given in pieces and taken back in order; to be closed, as by `with`."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 — closed with this
        self._writer = pa.ipc.new_file(self._file, _FIELDS)
        self._num_batches = 0
        self._runs: list[tuple[int, range]] = []
        """Of each run its archive, and which batches of the file it is."""
        self._waiting: list[pa.Table] = []
        self._archive = 0

    def __enter__(self) -> MemberOrder:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        self._file.close()

    def add(self, archive: int, members: Members) -> None:
        """Take members of an archive; archives come one after the other."""
        if archive != self._archive:
            self._end_run()
            self._archive = archive
        n = len(members)
        if not n:
            return
        containers: Any = members.containers
        self._waiting.append(pa.table([
            pa.array([name.encode("utf-8", "surrogateescape") for name in members.names], pa.large_binary()),
            pa.repeat(pa.scalar(archive, pa.int32()), n),
            pa.repeat(containers, n) if isinstance(containers, str) else pa.array(containers, pa.string()),
            pa.array(members.offsets, pa.int64()), pa.array(members.lengths, pa.int64()),
            pa.array([members.reasons.get(i) for i in range(n)], pa.string()) if members.reasons
            else pa.nulls(n, pa.string()),
        ], schema=_FIELDS))  # fmt: skip
        if sum(table.num_rows for table in self._waiting) >= RUN:
            self._end_run()

    def _end_run(self) -> None:
        if not self._waiting:
            return
        run = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting = []
        # Arrow's sort is stable: of two members of one name the later stays behind the earlier.
        run = run.take(pc.sort_indices(run["name"])).combine_chunks()
        start = self._num_batches
        for batch in run.to_batches(BATCH):
            self._writer.write_batch(batch)
            self._num_batches += 1
        self._runs.append((self._archive, range(start, self._num_batches)))

    def in_order(self, prefixes: Sequence[str]) -> Iterator[Member]:
        """All members byte-wise by their full names, each archive's behind its prefix; nothing can be added then.

        Of members of one name those of the first archive come first, and inside an archive the first.
        """
        self._end_run()
        self._writer.close()
        reader = pa.ipc.open_file(self._file)
        runs = [_read(reader, batches, prefixes[archive].encode()) for archive, batches in self._runs]
        return runs[0] if len(runs) == 1 else heapq.merge(*runs, key=itemgetter(0))


def _read(reader: pa.ipc.RecordBatchFileReader, batches: range, prefix: bytes) -> Iterator[Member]:
    for number in batches:
        names, *others = (column.to_pylist() for column in reader.get_batch(number).columns)
        for name, *values in zip(names, *others, strict=True):
            yield Member(prefix + name, *values)
