"""A table written piece by piece is the table written whole."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline import digests
from sightline.digests import RowsDigest, digest_of_rows
from sightline.errors import DataError
from sightline.samples import SampleTable, writing
from sightline.samples.writing import write_pieces
from tests.tables import sample, samples_of


def rows(n: int) -> SampleTable:
    """Samples with groups, times and splits, one of them dropped."""
    made = samples_of([
        sample(f"{i:03d}.jpg", None if i % 5 == 4 else i % 3, group=i // 3 if i % 2 else None, day=i if i % 4 else None,
               split="train" if i % 7 else None, status="dropped" if i == 5 else "ok")
        for i in range(n)
    ])  # fmt: skip
    entry = [{"space": "", "id": 1, "state": 1, "score": 0.5, "source": "rater"}]
    at = made.table.schema.get_field_index("labels")
    column = pa.array([entry if i == n - 1 else None for i in range(n)], made.table.schema.field("labels").type)
    return replace(made, table=made.table.set_column(at, made.table.schema.field(at), column), notes=("a note",))


def cut(table: SampleTable, places: list[int]) -> list[SampleTable]:
    """The table in pieces that begin at these rows."""
    starts = sorted({0, *(p % len(table) for p in places)})
    return [table.take(list(range(a, b))) for a, b in zip(starts, [*starts[1:], len(table)], strict=True)]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 40), st.lists(st.integers(0, 39), max_size=5), st.integers(1, 9))
def test_pieces_give_the_table_and_its_digest(
    tmp_path_factory: pytest.TempPathFactory, n: int, places: list[int], size: int
) -> None:
    work = tmp_path_factory.mktemp("pieces")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "ROWS", size)
        patch.setattr(digests, "CHUNK", 4)
        whole = rows(n)
        written = write_pieces(iter(cut(whole, places)), work / "s.parquet", work / "c.parquet")
        found = SampleTable.read(work / "s.parquet", work / "c.parquet")
        assert written.digest == whole.digest == found.digest
        assert found.table.equals(whole.table)
        assert (found.notes, found.classes, found.name) == (whole.notes, whole.classes, whole.name)
    whole.write(work / "t.parquet", work / "d.parquet")
    assert (work / "c.parquet").read_bytes() == (work / "d.parquet").read_bytes()
    assert sorted(p.name for p in work.iterdir()) == ["c.parquet", "d.parquet", "s.parquet", "t.parquet"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(st.text(max_size=3), st.none() | st.integers(0, 9)), max_size=6), max_size=5))
def test_the_digest_of_rows_that_come_in_pieces(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[list[tuple[str, int | None]]]
) -> None:
    schema = pa.schema([("name", pa.dictionary(pa.int32(), pa.string())), ("value", pa.int32())])
    tables = [pa.table([[a for a, _ in piece], [b for _, b in piece]], pa.schema([("name", pa.string()),
              ("value", pa.int32())])).cast(schema) for piece in pieces]  # fmt: skip
    whole = pa.concat_tables(tables) if tables else schema.empty_table()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digests, "CHUNK", 3)
        with RowsDigest(schema, tmp_path_factory.getbasetemp()) as digest:
            for table in tables:
                digest.add(table)
            found = digest.hexdigest(["name", "value"])
        assert found == digest_of_rows(whole.unify_dictionaries())


@pytest.mark.parametrize("how", ["whole", "pieces"])
def test_a_full_disk_leaves_both_files_as_they_were(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """New classes beside the former samples would be a study that cannot be read."""
    place = tmp_path / "samples.parquet", tmp_path / "classes.parquet"
    other = samples_of([sample(f"{i}", i) for i in range(9)], 9)
    calls = iter(range(9))

    def full(fd: int) -> None:
        if next(calls) == 1:  # after the classes
            raise OSError(28, "No space left on device")

    def write() -> None:
        if how == "whole":
            other.write(*place)
        else:
            write_pieces([other], *place)

    for is_there in (False, True):
        if is_there:
            rows(12).write(*place)
        before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(DataError, match=r"samples\.parquet: No space left"):
                write()
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
        calls = iter(range(9))
    write()
    assert SampleTable.read(*place).digest == other.digest


def test_keys_between_one_another_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    whole = rows(12)
    odd, even = whole.take(list(range(1, 12, 2))), whole.take(list(range(0, 12, 2)))
    first, second, third = cut(whole, [4, 8])
    for pieces in ([odd, even], [first, first], [second, first, second], [first, third, whole], [third, first, odd]):
        with pytest.raises(DataError, match=r"keys from .* come after those from"):
            write_pieces(iter(pieces), tmp_path / "s.parquet", tmp_path / "c.parquet")
    with pytest.raises(DataError, match="without pieces"):
        write_pieces([], tmp_path / "s.parquet", tmp_path / "c.parquet")
    assert list(tmp_path.iterdir()) == []
    written = write_pieces([third, first, second], tmp_path / "s.parquet", tmp_path / "c.parquet")
    assert written.digest == whole.take([8, 9, 10, 11, *range(8)]).digest
