"""Pickles of arrays are read; what else a pickle can say is refused, and nothing of it happens."""

from __future__ import annotations

import collections
import contextlib
import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DataError
from sightline.formats.restricted_pickle import load, text
from tests.formats.pickles import python2

ARRAYS = {
    "data": np.arange(24, dtype=np.uint8).reshape(4, 6), "labels": [3, 1, 2, 0], "name": "training batch 1 of 5",
    "wide": np.arange(5, dtype=">i4"), "turned": np.asfortranarray(np.arange(6, dtype="<f8").reshape(2, 3)),
    "one": np.int64(7), "nested": {"deep": [np.zeros(2, np.int16), None, True, -(2**40)]},
}  # fmt: skip


@pytest.mark.parametrize("protocol", range(5))  # arrays of protocol 5 go through another function; no dataset has them
def test_arrays_numbers_and_text_come_back(protocol: int) -> None:
    found = load(pickle.dumps(ARRAYS, protocol), "file")
    assert list(found) == list(ARRAYS)
    for name in ("data", "wide", "turned"):
        np.testing.assert_array_equal(found[name], ARRAYS[name])
    assert (found["labels"], text(found["name"]), found["one"]) == ([3, 1, 2, 0], "training batch 1 of 5", 7)
    np.testing.assert_array_equal(found["nested"]["deep"][0], [0, 0])
    assert found["nested"]["deep"][1:] == [None, True, -(2**40)]


def test_what_python_2_wrote() -> None:
    data = python2({"data": ARRAYS["data"], "labels": [6, 9], "batch_label": "one", "filenames": ["a.png", "b.png"]})
    found = load(data, "data_batch_1")
    np.testing.assert_array_equal(found[b"data"], ARRAYS["data"])
    assert found[b"labels"] == [6, 9]
    assert [text(f) for f in found[b"filenames"]] == ["a.png", "b.png"]
    # The real reader of pickles agrees that this is one.
    np.testing.assert_array_equal(pickle.loads(data, encoding="bytes")[b"data"], ARRAYS["data"])


class Does:
    """A pickle that calls `what` with `arguments` when it is read."""

    def __init__(self, what: Any, *arguments: Any) -> None:
        self.call = (what, arguments)

    def __reduce__(self) -> Any:
        return self.call


def test_nothing_in_a_pickle_is_called(tmp_path: Path) -> None:
    victim = tmp_path / "made"
    for attack in (
        Does(os.system, f"touch {victim}"), Does(subprocess.call, ["touch", str(victim)]), Does(open, str(victim), "w"),
        Does(eval, f"open({str(victim)!r}, 'w')"), Does(getattr, "x", "format"), collections.OrderedDict(a=1),
        Path("x"),
    ):  # fmt: skip
        for protocol in range(6):
            with pytest.raises(DataError, match=r"names .*only numbers"):
                load(pickle.dumps({"data": attack}, protocol), "data_batch_1")
    assert not victim.exists()


@pytest.mark.parametrize("attack", [
    b"cnumpy\nload\n(S'x'\ntR.",
    b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
    b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93.",
    b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x3f.",  # a bytearray of 4 EB
    b"\x80\x02]r\xff\xff\xff\xff.",  # a memo of 4 billion places: harmless, but no array either
    b"\x80\x02\x82\x01.",  # an extension
    b"\x80\x02U\x01xQ.",  # a persistent id
    b"(S'x'\niposix\nsystem\n.",
    b"",
])  # fmt: skip
def test_odd_opcodes_are_refused_or_harmless(attack: bytes) -> None:
    if attack.startswith(b"\x80\x02]r"):
        assert load(attack, "file") == []
        return
    with pytest.raises(DataError, match="file is"):
        load(attack, "file")


def test_arrays_of_objects_are_lists_of_what_is_allowed() -> None:
    wrapped = np.array({"clean": np.arange(3)}, dtype=object)  # as np.save writes a dict
    (found,) = load(pickle.dumps(wrapped, 4), "labels.npy")
    np.testing.assert_array_equal(found["clean"], [0, 1, 2])
    with pytest.raises(DataError, match=r"names pathlib"):
        load(pickle.dumps(np.array([Path("x")], dtype=object), 4), "labels.npy")
    with pytest.raises(DataError, match="an array of '<M8"):
        load(pickle.dumps(np.array(["2026-01-01"], dtype="M8[D]"), 4), "labels.npy")


def test_what_is_mentioned_often_is_made_once() -> None:
    laughs: list[Any] = [1]
    for _ in range(60):
        laughs = [laughs] * 10
    found = load(pickle.dumps(laughs, 4), "file")
    for _ in range(60):
        assert len(found) == 10
        found = found[9]
    assert found == [1]


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.integers(0, 10_000))
def test_damage_is_never_another_error(at: int, value: int, cut: int) -> None:
    data = bytearray(pickle.dumps(ARRAYS, 2) if at % 2 else python2({"data": ARRAYS["data"], "labels": [1, 2]}))
    data[at % len(data)] = value
    with contextlib.suppress(DataError):
        load(bytes(data[: max(1, len(data) - cut % 40)]), "file")
