"""Members of archives come back in byte order, whatever their number and however they were given."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.formats import member_order
from sightline.formats.member_order import MemberOrder
from sightline.formats.members import Members, together

NAME = st.text(alphabet="ab/é\udc80", min_size=1, max_size=4)
ARCHIVES = st.lists(st.lists(st.lists(NAME, max_size=4), max_size=4), min_size=1, max_size=3)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_order, "RUN", 3)
    monkeypatch.setattr(member_order, "BATCH", 2)


def piece(names: list[str], first: int = 0) -> Members:
    """Members whose offsets tell them apart."""
    return Members(names=names, offsets=[first + i for i in range(len(names))], lengths=[1] * len(names),
                   containers="tar")  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(ARCHIVES, st.permutations(["", "x/", "a/"]))
def test_order_is_that_of_the_bytes_and_equal_names_keep_theirs(
    archives: list[list[list[str]]], prefixes: list[str]
) -> None:
    expected = []
    with MemberOrder() as order:
        for a, pieces in enumerate(archives):
            number = 0
            for names in pieces:
                order.add(a, piece(names, number))
                expected += [((prefixes[a] + name).encode("utf-8", "surrogateescape"), a, number + i)
                             for i, name in enumerate(names)]  # fmt: skip
                number += len(names)
        found = [(m.full, m.archive, m.offset) for m in order.in_order(prefixes)]
    assert found == sorted(expected)


def test_what_is_known_of_a_member_stays_with_it() -> None:
    odd = Members(names=["b", "a"], offsets=[None, 5], lengths=[None, 6], containers=["tar", "tar.tar"],
                  reasons={0: "a link"})  # fmt: skip
    with MemberOrder() as order:
        order.add(0, odd)
        found = list(order.in_order([""]))
    assert found == [(b"a", 0, "tar.tar", 5, 6, None), (b"b", 0, "tar", None, None, "a link")]


def test_nothing_is_nothing() -> None:
    with MemberOrder() as order:
        order.add(0, Members())
        assert list(order.in_order([""])) == []


def test_pieces_put_together() -> None:
    odd = Members(names=["c"], offsets=[None], lengths=[None], containers=["zip"], reasons={0: "why"}, folders=["f"],
                  notes=("note",))  # fmt: skip
    whole = together([piece(["a", "b"]), odd])
    assert (whole.names, whole.offsets, whole.reasons) == (["a", "b", "c"], [0, 1, None], {2: "why"})
    assert [whole.container(i) for i in range(3)] == ["tar", "tar", "zip"]
    assert (whole.folders, whole.notes) == (["f"], ("note",))
    assert together([piece(["a"]), piece(["b"])]).containers == "tar"
