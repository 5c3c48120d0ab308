"""decisions.csv: a line is whole and on disk, or it was never there."""

from __future__ import annotations

import csv
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DataError
from sightline.reviewing.decisions import (
    ACTIONS,
    COLUMNS,
    UNDO,
    Decision,
    Journal,
    live,
    read_decisions,
    shown,
    standing,
)

A, B, C = (bytes([i]) * 16 for i in range(3))


def decision(action: str = "keep", sample: bytes | None = A, related: bytes | None = None, **known: Any) -> Decision:
    told = {"time": "2026-11-21T12:00:00+00:00", "table": "3f9c1a", "check": "exact-duplicates", "key": "cat/1.jpg"}
    return Decision(**{**told, "action": action, "sample_id": sample, "related_id": related, **known})


def test_a_decision_is_a_line_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    said = [decision("drop", A, B, why='a copy, "worse"'), decision("relabel", C, value="dog"),
            decision(sample=None, key="a class")]  # fmt: skip
    with Journal(path) as journal:
        for n, d in enumerate(said, 1):
            journal.append(d)
            assert len(path.read_text().splitlines()) == n + 1, "on disk as soon as it is made"
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert read_decisions(path) == tuple(said)
    with path.open(newline="") as f:
        assert [row["action"] for row in csv.DictReader(f)] == ["drop", "relabel", "keep"]
    with Journal(path) as journal:
        assert list(journal.decisions) == said
        journal.append(decision("keep", B))
    assert len(read_decisions(path)) == 4


def test_a_line_that_a_kill_cut_short_was_never_confirmed(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    with Journal(path) as journal:
        journal.append(decision("drop", A))
        whole = path.read_bytes()
        journal.append(decision("drop", B, why="umläut"))
    last = path.read_bytes()[len(whole):]
    is_there = []
    for cut in range(len(last) + 1):
        path.write_bytes(whole + last[:cut])
        kept = read_decisions(path)
        assert kept[0] == decision("drop", A)
        is_there.append(len(kept) == 2)
        with Journal(path) as journal:
            journal.append(decision("keep", C))
        assert read_decisions(path) == (*kept, decision("keep", C))
    assert is_there[0] is False
    assert is_there[-1] is True
    assert sorted(is_there) == is_there, "once all its cells are there it stays"


def test_a_header_cut_short_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    for header in (b"", b"time,ta"):
        path.write_bytes(header)
        with Journal(path) as journal:
            journal.append(decision())
        assert read_decisions(path) == (decision(),)
        path.unlink()


def test_a_file_that_an_editor_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    with Journal(path) as journal:
        journal.append(decision("drop", A))
    text = path.read_text()
    path.write_bytes(("\ufeff" + text.replace("\n", "\r\n").rstrip()).encode())
    assert read_decisions(path) == (decision("drop", A),)
    with Journal(path) as journal:
        journal.append(decision("keep", B))
    assert [d.action for d in read_decisions(path)] == ["drop", "keep"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "has the columns"),
        (",".join(COLUMNS) + "\nt,tab,check,zz,,k,drop,,,\n", "line 2 is no decision"),
        (",".join(COLUMNS) + "\nt,tab,check,1E+31,,k,drop,,,\n", "Did a spreadsheet change it"),
        (",".join(COLUMNS) + f"\nt,tab,check,{A.hex()},,k,burn,,,\n", "an action is one of keep, drop"),
        (",".join(COLUMNS) + "\nt,tab\n", "line 2"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "decisions.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said.replace("+", r"\+")):
        read_decisions(path)
    with pytest.raises(DataError):
        Journal(path)
    assert path.read_text() == text


def test_one_review_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    with Journal(path), pytest.raises(DataError, match="Another review"):
        Journal(path)
    Journal(path).close()


def test_a_review_without_a_decision_leaves_no_file(tmp_path: Path) -> None:
    with Journal(tmp_path / "decisions.csv"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_lines_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "decisions.csv"
    with Journal(path) as journal:
        journal.append(decision("drop", A))
        before = path.read_bytes()

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as m:
            m.setattr(os, "fsync", full)
            with pytest.raises(DataError, match="no decision would last"):
                journal.append(decision("drop", B))
        assert path.read_bytes() == before
        assert list(journal.decisions) == [decision("drop", A)]
        journal.append(decision("keep", C))
    assert read_decisions(path) == (decision("drop", A), decision("keep", C))


def test_the_last_word_holds_and_undo_takes_it_back() -> None:
    first, second = decision("keep", A, B), decision("drop", B, A)
    undo = decision(UNDO, A, B)
    assert standing([first, second]) == {first.about: second}, "a pair is one thing, whichever way round"
    assert standing([first, second, undo]) == {first.about: first}
    assert standing([first, second, undo, undo]) == {}
    assert standing([undo, first]) == {first.about: first}, "there was nothing to take back"
    other = decision("keep", A, B, check="near-duplicates")
    assert live([first, other, second, undo]) == [first, other]


@given(st.text(max_size=30))
def test_a_cell_is_one_line_and_no_formula(text: str) -> None:
    cell = shown(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t"))
    assert cell.splitlines() in ([], [cell])
    assert shown(cell) == cell, "so that a finding is known again by it"


@settings(max_examples=30)
@given(st.lists(st.builds(decision, st.sampled_from([*ACTIONS, UNDO]), st.sampled_from([A, B, None]),
                          st.sampled_from([B, C, None]), key=st.text(max_size=9).map(shown),
                          why=st.text(max_size=9).map(shown), value=st.text("ab,\"'", max_size=3))))  # fmt: skip
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, said: list[Decision]) -> None:
    path = tmp_path_factory.mktemp("j") / "decisions.csv"
    with Journal(path) as journal:
        for d in said:
            journal.append(d)
    assert read_decisions(path) == tuple(said)
