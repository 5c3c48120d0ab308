"""Digests depend on values alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.digests import canonical_json, digest_of, digest_of_rows, plain, sha256_file, short


@dataclass(frozen=True)
class Point:
    x: int
    y: tuple[float, ...]


@dataclass(frozen=True)
class Pixel:
    x: int
    y: tuple[float, ...]


def test_of_values() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": (1, 2), "a": np.int64(1)})
    assert digest_of({"a": 1}) != digest_of({"a": 1.5})
    assert plain(Point(1, (0.5,))) == {"type": "Point", "x": 1, "y": [0.5]}
    # Two kinds of value with equal fields are not equal.
    assert digest_of(Point(1, ())) != digest_of(Pixel(1, ()))
    assert plain({"p": Path("a") / "b", 3: None}) == {"p": "a/b", "3": None}
    assert canonical_json({"b": "ü", "a": True}) == '{"a":true,"b":"ü"}'


def test_not_a_number_has_no_digest() -> None:
    with pytest.raises(ValueError):
        digest_of(float("nan"))


def test_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_file(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
    assert short(sha256_file(tmp_path / "x")) == "ba7816bf8f01"


ROW = st.fixed_dictionaries({
    "name": st.none() | st.text(max_size=3),
    "n": st.none() | st.integers(-5, 5),
    "flag": st.none() | st.booleans(),
    "blob": st.none() | st.binary(min_size=2, max_size=2),
    "list": st.none() | st.lists(st.fixed_dictionaries({"k": st.none() | st.text(max_size=2)}), max_size=3),
})  # fmt: skip
SCHEMA = pa.schema([
    ("name", pa.dictionary(pa.int32(), pa.string())), ("n", pa.int64()), ("flag", pa.bool_()), ("blob", pa.binary(2)),
    ("list", pa.list_(pa.struct([("k", pa.string())]))),
])  # fmt: skip


def _table(rows: list[dict[str, object]]) -> pa.Table:
    return pa.table({f.name: pa.array([r[f.name] for r in rows], f.type) for f in SCHEMA}, schema=SCHEMA)


@given(st.lists(ROW, min_size=1, max_size=6), st.data())
@settings(max_examples=80, deadline=None)
def test_of_rows_is_a_function_of_the_values(rows: list[dict[str, object]], data: st.DataObject) -> None:
    table = _table(rows)
    cut = data.draw(st.integers(0, len(rows)))
    chunked = pa.concat_tables([_table(rows[:cut]), _table(rows[cut:])])
    assert digest_of_rows(chunked) == digest_of_rows(table)
    # A slice of a longer table, and a table whose dictionaries hold words that no row uses, are the same rows.
    longer = _table([rows[-1], *rows, rows[0]])
    assert digest_of_rows(longer.slice(1, len(rows))) == digest_of_rows(table)
    assert digest_of_rows(longer.take(pa.array(range(1, len(rows) + 1)))) == digest_of_rows(table)


@given(st.lists(ROW, min_size=1, max_size=4), st.lists(ROW, min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_of_rows_tells_tables_apart(a: list[dict[str, object]], b: list[dict[str, object]]) -> None:
    assert (digest_of_rows(_table(a)) == digest_of_rows(_table(b))) == (a == b)


def test_of_rows_survives_parquet(tmp_path: Path) -> None:
    table = _table([{"name": "a", "n": 1, "flag": None, "blob": b"xy", "list": [{"k": None}, {"k": "z"}]}] * 3)
    pq.write_table(table, tmp_path / "x.parquet")
    assert digest_of_rows(pq.read_table(tmp_path / "x.parquet")) == digest_of_rows(table)


def test_text_is_not_moved_between_rows() -> None:
    assert digest_of_rows(pa.table({"a": ["x", "yz"]})) != digest_of_rows(pa.table({"a": ["xy", "z"]}))
    assert digest_of_rows(pa.table({"a": ["", None]})) != digest_of_rows(pa.table({"a": [None, ""]}))
