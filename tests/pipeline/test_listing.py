"""The verb `index` on a study: written as it is listed, all or nothing; classes and further labels from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import sightline as sl
from sightline import cli
from sightline.errors import DataError
from sightline.formats import class_folders
from sightline.inspection import inspect
from sightline.pipeline import data, verb
from sightline.study import Study
from tests.sources import jpeg, write_files

IMAGE = jpeg()


def tree(folder: Path, **counts: int) -> Path:
    return write_files(folder, {f"{c}/{i}.jpg": IMAGE for c, n in counts.items() for i in range(n)})


def test_what_is_written_in_blocks_is_what_index_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_files(tree(tmp_path / "source", a=7, b=2, c=4), {"a/notes.txt": b"words", "c/bad.jpg": b"none"})
    whole = sl.index(source)
    monkeypatch.setattr(class_folders, "BLOCK", 3)
    outcome = verb("index")(str(source), tmp_path / "study")
    stored = sl.Study.open(tmp_path / "study").read_samples()
    assert outcome.digest == stored.digest == whole.digest
    assert stored.table.equals(whole.table)
    assert outcome.summary == ("14 images · 3 classes · 1 unreadable, listed · 1 files that are no images ignored "
                               "(.txt)")  # fmt: skip
    assert outcome.facts["unreadable"] == 1
    assert sl.index(source).table.equals(whole.table)


def test_a_mistake_found_at_the_end_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_folders, "BLOCK", 2)
    source, study = tree(tmp_path / "source", a=7), tmp_path / "study"
    with pytest.raises(DataError, match="1 class"):
        verb("index")(str(source), study)
    assert not study.exists()
    verb("index")(str(tree(source, b=1)), study)
    before = {p.name: p.read_bytes() for p in study.iterdir()}
    with pytest.raises(DataError, match="1 class"):
        verb("index")(str(tree(tmp_path / "other", a=5)), study)
    assert {p.name: p.read_bytes() for p in study.iterdir()} == before


def test_a_table_that_is_indexed_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two commands at once: the first full read of the former table may take hours."""
    study, other = tmp_path / "study", tree(tmp_path / "other", a=3, b=4)
    verb("index")(str(tree(tmp_path / "source", a=5, b=5)), study)

    def meanwhile(*args: Any, **options: Any) -> Any:
        verb("index")(str(other), study)
        return inspect(*args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(data, "inspect", meanwhile)
        with pytest.raises(DataError, match="made anew while its images were read"):
            verb("audit")(study, checks=["class-counts"])
    assert len(Study.open(study).read_samples()) == 7
    verb("audit")(study, checks=["class-counts"])


def test_a_file_of_classes_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "classes.txt").write_text("b,Bear\na\nz\n")
    source = str(tree(tmp_path / "source", a=1, b=2))
    assert cli.main(["index", source, str(tmp_path / "study"), "--class-file", str(tmp_path / "classes.txt"),
                     "--json"]) == 0  # fmt: skip
    assert json.loads(capsys.readouterr().out)["classes"] == 3
    stored = sl.Study.open(tmp_path / "study").read_samples()
    assert (stored.classes.ids, stored.labels.tolist()) == (("b", "a", "z"), [1, 0, 0])


def test_further_labels_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(tree(tmp_path / "source", a=1, b=2))
    (tmp_path / "first.csv").write_text("key,label\na/0.jpg,b\nb/1.jpg,b\n")
    words = [f"--labels=raters={tmp_path}/first.csv", "--labels", f"model={tmp_path}/first.csv"]
    assert cli.main(["index", source, str(tmp_path / "study"), *words]) == 0, capsys.readouterr().err
    stored = sl.Study.open(tmp_path / "study").read_samples()
    told = [[(e["source"], e["id"]) for e in entries or []] for entries in stored.column("labels")]
    assert told == [[("raters", 1), ("model", 1)], [], [("raters", 1), ("model", 1)]]
    assert stored.labels.tolist() == [0, 1, 1]  # beside the dataset's own, never instead of them
    assert cli.main(["index", source, str(tmp_path / "other"), "--labels", f"{tmp_path}/first.csv"]) == 2
    assert "Wanted WHO=FILE" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_field_of_a_file_and_the_split_of_its_order(tmp_path: Path) -> None:
    import numpy as np

    files = {f"{s}/{c}/{i}.jpg": IMAGE for s in ("train", "test") for c in "ab" for i in range(2)}
    source = str(write_files(tmp_path / "source", files))
    np.savez(tmp_path / "votes#1.npz", one=np.array([1, 1, 0, 0]), two=np.array([0, 1, 1, 0]))
    place = tmp_path / "votes#1.npz"
    verb("index")(source, tmp_path / "study", labels=[f"x={place}#two"], labels_split="test")
    stored = sl.Study.open(tmp_path / "study").read_samples()
    told = {k: e[0]["id"] for k, e in zip(stored.column("key"), stored.column("labels"), strict=True) if e}
    assert told == {"test/a/0.jpg": 0, "test/a/1.jpg": 1, "test/b/0.jpg": 1, "test/b/1.jpg": 0}
