"""A study is a directory that knows its own version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightline.errors import DataError, VersionError
from sightline.indexing import index
from sightline.study import VERSION, Study


def test_made_once_and_opened_again(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "s")
    study.record(source="x")
    assert Study.create(tmp_path / "s").about == Study.open(tmp_path / "s").about
    assert study.about == {"version": VERSION, "artifacts": {}, "source": "x"}


def test_samples_go_in_and_come_out(tmp_path: Path, photo_folder: Path) -> None:
    study, samples = Study.create(tmp_path / "s"), index(photo_folder)
    study.write_samples(samples)
    back = study.read_samples()
    assert back.table.equals(samples.table)
    assert (back.classes, back.name, back.roots) == (samples.classes, samples.name, samples.roots)
    assert study.about["artifacts"] == {"samples": samples.digest}


def test_a_newer_study_is_refused_not_guessed_at(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "s")
    study.record(version=VERSION + 1)
    for use in (Study.open, Study.create):
        with pytest.raises(VersionError, match=r"newer version .*pip install -U sightline"):
            use(tmp_path / "s")


def test_newer_samples_are_refused(tmp_path: Path, photo_folder: Path) -> None:
    import pyarrow.parquet as pq

    study = Study.create(tmp_path / "s")
    study.write_samples(index(photo_folder))
    table = pq.read_table(study.samples_path)
    about = json.loads(table.schema.metadata[b"sightline"]) | {"version": 99}
    pq.write_table(table.replace_schema_metadata({"sightline": json.dumps(about)}), study.samples_path)
    with pytest.raises(VersionError, match="format 99"):
        study.read_samples()


def test_what_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.tex").write_text("")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="other files and no study"):
        Study.create(tmp_path / "full")
    with pytest.raises(DataError, match="is a file"):
        Study.create(tmp_path / "file")
    with pytest.raises(DataError, match=r"not a study .*sightline index SOURCE"):
        Study.open(tmp_path / "full")


@pytest.mark.parametrize("text", ["[]", "{}", '{"artifacts": 3}', "5"])
def test_a_description_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    study = Study.create(tmp_path / "s")
    study.json.write_text(text)
    with pytest.raises(DataError, match="does not describe a study"):
        Study.open(tmp_path / "s")


def test_what_is_not_there_yet_names_its_verb(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "s")
    with pytest.raises(DataError, match="sightline index SOURCE"):
        study.read_samples()
    with pytest.raises(DataError, match=f"Make it: sightline split {tmp_path / 's'}"):
        study.need(study.splits_path, "split")
    assert study.need(study.json, "index") == study.json
