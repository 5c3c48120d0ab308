"""MATLAB files: what SciPy writes comes back, and no bytes lead to anything but values or a message."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DataError
from sightline.formats import matlab
from sightline.formats.matlab import read_matlab

NAMES = st.text("abcxyz_", min_size=1, max_size=9).filter(lambda name: not name.startswith("_"))
NUMBERS = st.one_of(st.floats(allow_nan=False), st.integers(-(2**31), 2**31), st.booleans().map(int))
LETTERS = st.characters(blacklist_categories=("Cs",), blacklist_characters="\0", max_codepoint=0xFFFF)
TEXTS = st.text(LETTERS, max_size=9)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(NUMBERS, TEXTS, st.lists(NUMBERS, min_size=2, max_size=5).map(lambda v: np.array(v, float))),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, min_size=1, max_size=3)),
    max_leaves=8,
)


def stored(value: Any) -> Any:
    """As SciPy wants it: a list is a cell array."""
    if isinstance(value, dict):
        return {name: stored(v) for name, v in value.items()}
    if isinstance(value, list):
        cells = np.empty((1, len(value)), object)
        for i, v in enumerate(value):
            cells[0, i] = stored(v)
        return cells
    return value


def plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return ("array", value.tolist())
    if isinstance(value, list):
        return [plain(v) for v in value]
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def saved(compress: bool = False, **variables: Any) -> bytes:
    sio = pytest.importorskip("scipy.io", reason="SciPy, which writes MATLAB files, is not installed")
    stream = io.BytesIO()
    sio.savemat(stream, variables, do_compression=compress)
    return stream.getvalue()


@given(value=VALUES, compress=st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_is_saved_comes_back(value: Any, compress: bool) -> None:
    found = read_matlab(saved(compress, a=stored({"v": value}), b=5), {"a"}, "x.mat")
    assert plain(found) == plain({"a": {"v": value}})


def test_arrays_are_flat_with_columns_first() -> None:
    data = saved(a=np.array([[1, 2], [3, 4]]), b=np.zeros((0, 3)), c=np.array(["ab", "cd"]))
    found = read_matlab(data, {"a", "b", "c"}, "")
    assert found["a"].tolist() == [1, 3, 2, 4]
    assert found["b"].size == 0
    assert found["c"] == ["ab", "cd"]


def test_structures_in_an_array_are_a_list() -> None:
    rows = np.zeros((1, 2), [("x", object), ("y", object)])
    rows[0, 0]["x"], rows[0, 1]["x"], rows[0, 1]["y"] = 1, "two", np.arange(3)
    first, second = read_matlab(saved(a=rows), {"a"}, "")["a"]
    assert (first["x"], second["x"], second["y"].tolist()) == (1, "two", [0, 1, 2])


def element(kind: int, data: bytes, order: str = "<") -> bytes:
    padding = 0 if kind == 15 else -len(data) % 8  # compressed ones follow one another without a gap
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(padding)


def matrix(kind: int, dims: tuple[int, ...], *parts: bytes, order: str = "<", flags: int = 0) -> bytes:
    head = element(6, struct.pack(f"{order}II", kind | flags, 0), order)
    sizes = element(5, struct.pack(f"{order}{len(dims)}i", *dims), order)
    return element(14, head + sizes + element(1, b"a", order) + b"".join(parts), order)


def file(*elements: bytes, mark: bytes = b"IM") -> bytes:
    return b"MATLAB 5.0".ljust(124) + b"\0\1" + mark + b"".join(elements)


def test_the_other_order_of_bytes() -> None:
    data = file(matrix(6, (1, 2), element(9, struct.pack(">2d", 1.5, -2), ">"), order=">"), mark=b"MI")
    assert read_matlab(data, {"a"}, "")["a"].tolist() == [1.5, -2]
    text = file(matrix(4, (1, 2), element(4, "é¡".encode("utf-16-be"), ">"), order=">"), mark=b"MI")
    assert read_matlab(text, {"a"}, "") == {"a": "é¡"}


def nested(depth: int) -> bytes:
    cell = matrix(9, (1, 1), element(2, b"\5"))
    for _ in range(depth):
        cell = matrix(1, (1, 1), cell)
    return file(cell)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no header"), (b"\x89HDF\r\n\x1a\n" + bytes(200), "HDF5 of version 7.3"),
        (file(matrix(6, (1, 3), element(9, bytes(8)))), "1 numbers where 3"),
        (file(matrix(6, (2**30, 2**30), element(9, bytes(8)))), "values in"),
        (file(matrix(1, (1, 2))), "cut off inside"), (file(matrix(17, (1, 1))), "class 17"),
        (file(matrix(3, (1, 1))), "class 3"),
        (file(matrix(6, (-1, 1))), r"the size \[-1, 1\]"), (file(matrix(6, (1, 1), flags=0x0800)), "complex"),
        (file(matrix(2, (1, 1), element(5, bytes(4)), element(1, b"ab"))), "of no length"),
        (file(element(9, bytes(8))), "kind 9 where a variable"), (file(element(14, bytes(8))[:-6]), "cut off"),
        (file(element(15, zlib.compress(bytes(99))[:-5])), "cut off"), (file(element(15, b"no")), "header"),
        (nested(30), "more than 24 structures"),
        (file(matrix(4, (1, 1), element(9, bytes(8)))), "text of the kind 9"),
        (file(struct.pack("<HHI", 9, 5, 0)), "more than four bytes"),
    ],
)  # fmt: skip
def test_what_is_damaged(data: bytes, why: str) -> None:
    with pytest.raises(DataError, match=f"x.mat is not a readable MATLAB file .*{why}"):
        read_matlab(data, {"a"}, "x.mat")


def test_a_few_bytes_that_claim_to_be_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab, "MAX_BYTES", 1000)
    bomb = zlib.compress(matrix(9, (1, 5000), element(2, bytes(5000))))
    with pytest.raises(DataError, match="more than 1,000 bytes"):
        read_matlab(file(element(15, bomb)), {"a"}, "")
    few = element(15, zlib.compress(matrix(9, (1, 600), element(2, bytes(600)))))
    assert len(read_matlab(file(few), {"a"}, "")["a"]) == 600
    with pytest.raises(DataError, match="more than 1,000"):
        read_matlab(file(few, few), {"a"}, "")  # all variables together


@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_values_or_a_message(changes: list[tuple[int, int]]) -> None:
    inner = matrix(2, (1, 1), element(5, struct.pack("<i", 4)), element(1, b"x\0\0\0y\0\0\0"),
                   matrix(4, (1, 2), element(16, b"ab")), matrix(6, (1, 2), element(9, bytes(16))))  # fmt: skip
    data = bytearray(file(matrix(1, (1, 1), inner)))
    for at, value in changes:
        data[at % len(data)] = value
    try:
        found = read_matlab(bytes(data), {"a"}, "x.mat")
    except DataError:
        return
    assert set(found) <= {"a"}
