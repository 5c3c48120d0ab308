"""The synthetic trees, the times, and the parts of the indexing benchmark at small sizes."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from benchmarks.timing import Cost, costs, in_turns
from benchmarks.trees import imagenet_table, name_of, write_files, write_tar

import sightline as sl
from benchmarks import indexing

SMALL = indexing.Sizes(files=1000, members=2000, rows=3000, rounds=1)


def test_the_same_samples_as_files_and_as_an_archive(tmp_path: Path) -> None:
    tree = sl.index(write_files(tmp_path / "files", 1000))
    archive = sl.index(write_tar(tmp_path / "a.tar", 1000, tarfile.USTAR_FORMAT))
    assert tree.digest == archive.digest
    assert tree.is_ok.all()
    assert len(tree.classes) == 1000
    assert len({name_of(i, 5000) for i in range(5000)}) == 5000


def test_the_table_has_the_columns_that_a_full_read_fills() -> None:
    assert imagenet_table(2000, is_read=False).table["content_sha256"].null_count == 2000
    assert imagenet_table(2000, is_read=True).table["pixel_sums"].null_count == 0


def test_rounds_take_turns_and_the_first_does_not_count() -> None:
    calls: list[str] = []
    found = in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert calls == ["a", "b"] * 3
    assert {name: len(all_) for name, all_ in found.items()} == {"a": 2, "b": 2}
    halves = costs({"a": [Cost(wall=1, cpu=3), Cost(wall=2, cpu=2), Cost(wall=9, cpu=1)]})
    assert halves == {"a": Cost(wall=2, cpu=2)}


@pytest.mark.parametrize("part", ["tar", "table"])
def test_each_part_gives_figures(tmp_path: Path, part: str) -> None:
    figures = indexing.PARTS[part](tmp_path, SMALL)
    assert all(f.got for f in figures)
    text = indexing.written(figures, SMALL)
    assert all(f.what in text for f in figures)
