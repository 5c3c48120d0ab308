"""The verb `split` on a study: options, repair, files; and splits that somebody touched."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from sightline import cli
from sightline.errors import DataError, SplitError
from sightline.pipeline import verb
from sightline.splits import Splits
from sightline.study import Study
from tests.conftest import save_photo

VERBS = ("audit", "check", "train", "evaluate", "report", "profile")
"""All that read the splits."""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Twelve patients of two sites with four images each; one image of train lies in test too."""
    rows = []
    for p in range(12):
        for i in range(4):
            save_photo(tmp_path / "photos" / f"{p}-{i}.jpg", 10 * p + i, level=130 * (p % 2))
            name = ("bright", "dark")[p % 2]
            rows.append((f"{p}-{i}.jpg", name, f"P{p}", ("Bern", "Genf")[p // 6], f"2026-01-{p + 1:02d}",
                         "test" if p > 8 else "train"))  # fmt: skip
    shutil.copy(tmp_path / "photos" / "1-0.jpg", tmp_path / "photos" / "10-0.jpg")
    rows = [(*r[:1], "dark" if r[0] == "10-0.jpg" else r[1], *r[2:]) for r in rows]
    source = tmp_path / "photos" / "list.csv"
    with source.open("w", newline="") as f:
        csv.writer(f).writerows([("path", "label", "patient", "site", "day", "split"), *rows])
    verb("index")(source, tmp_path / "study", group=("patient", "site"), time="day")
    return tmp_path / "study"


def run(*arguments: str | Path) -> int:
    return cli.main([str(a) for a in arguments])


def sizes(study: Path) -> Sequence[int]:
    return tuple(Splits.read(study / "splits.parquet").sizes.values())


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ([], (32, 4, 12, 0)),
        (["--by", "random", "--group", "patient"], (32, 4, 12, 0)),
        (["--by", "time", "--group", "patient", "--embargo", "2d", "--val", "0"], (32, 0, 8, 8)),
        (["--by", "domain", "--domain", "site", "--fold", "1", "--group", "patient"], (16, 4, 24, 4)),
        (["--by", "domain", "--domain", "site=Bern", "--group", "patient", "--val", "0"], (20, 0, 24, 4)),
        (["--by", "group", "--group", "patient", "--folds", "3", "--fold", "4", "--repeats", "2", "--inner", "2",
          "--inner-fold", "1"], (16, 16, 16, 0)),
    ],
)  # fmt: skip
def test_options_of_the_command(study: Path, options: list[str], wanted: tuple[int, ...]) -> None:
    if not options:
        options = ["--group", "patient"]
    assert run("split", study, *options) == 0
    assert sizes(study) == wanted


def test_leaks_are_left_out_and_the_test_stays_as_it_was(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verb("split")(study, group=("patient",))
    before = Splits.read(study / "splits.parquet")
    with pytest.raises(DataError, match="sightline audit"):
        verb("split")(study, without="leaks")
    verb("audit")(study, checks=("exact-duplicates",))
    capsys.readouterr()
    assert run("split", study, "--without", "leaks") == 0
    assert "left out: 1 copy of a sample in test" in capsys.readouterr().out
    after = Splits.read(study / "splits.parquet")
    assert after.test == before.test
    assert after.sizes["left_out"] == 1
    assert "copy of a sample in test: 10-0.jpg" in after.table["reason"].to_pylist()
    with pytest.raises(DataError, match="of other samples or splits"):
        verb("split")(study, without="leaks")


def test_repair_takes_no_option_of_another_division(study: Path) -> None:
    verb("split")(study, group=("patient",))
    with pytest.raises(SplitError, match="so by, seed has no effect"):
        verb("split")(study, without="leaks", by="random", seed=2)


def test_csv_alone_writes_what_the_study_has(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verb("split")(study, by="stratified", group=("patient",), seed=5)
    before = Splits.read(study / "splits.parquet")
    assert run("split", study, "--csv", tmp_path / "mine.csv") == 0
    assert "kept" in capsys.readouterr().out
    assert run("split", study, "--by", tmp_path / "mine.csv", "--group", "patient") == 0
    after = Splits.read(study / "splits.parquet")
    assert after.table["split"].equals(before.table["split"])
    assert after.how["by"] == "file"


def test_a_csv_that_cannot_be_written_leaves_the_study_as_it_was(study: Path, tmp_path: Path) -> None:
    verb("split")(study, by="group", group=("patient",))
    before = (study / "splits.parquet").read_bytes()
    assert run("split", study, "--by", "random", "--seed", "3", "--csv", tmp_path) == 2
    assert (study / "splits.parquet").read_bytes() == before


def test_facts_for_programs(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("split", study, "--by", "time", "--group", "patient", "--embargo", "2d", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert sum(facts["splits"].values()) == 48
    assert sum(facts["left_out"].values()) == facts["splits"]["left_out"]


def test_a_mistake_in_run_is_told_before_the_source_is_listed(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="Did you mean 'stratified'"):
        verb("run")(str(tmp_path / "nowhere"), tmp_path / "study", by="stratifed")


@pytest.mark.parametrize("name", VERBS)
def test_splits_that_somebody_forged_are_refused_by_every_verb(study: Path, name: str) -> None:
    verb("split")(study, by="group", group=("patient",))
    good = Splits.read(study / "splits.parquet")
    names: list[Any] = good.table["split"].to_pylist()
    a, b = names.index("train"), names.index("val")
    names[a], names[b] = names[b], names[a]
    column = pa.array(names, pa.string())
    replace(good, table=good.table.set_column(1, good.table.schema.field(1), column)).write(study / "splits.parquet")
    with pytest.raises(SplitError, match="patient P"):
        verb(name)(study)


def test_several_labels_are_divided_and_audited_and_not_trained_on(tmp_path: Path) -> None:
    rows = []
    for i in range(40):
        save_photo(tmp_path / "photos" / f"{i}.jpg", i)
        rows.append((f"{i}.jpg", ";".join(c for c, n in (("cat", 2), ("dog", 3), ("owl", 5)) if i % n == 0) + ";"))
    with (tmp_path / "photos" / "list.csv").open("w", newline="") as f:
        csv.writer(f).writerows([("path", "labels"), *rows])
    study = tmp_path / "study"
    verb("index")(tmp_path / "photos" / "list.csv", study)
    verb("split")(study)
    splits = Splits.read(study / "splits.parquet")
    assert splits.how["by"] == "stratified"
    assert splits.sizes == {"train": 28, "val": 4, "test": 8, "left_out": 0}
    verb("audit")(study, checks=("exact-duplicates", "class-counts", "class-balance"))
    checked = verb("check")(study)
    assert not checked.is_good
    assert "several labels each" in str(checked.facts)
    with pytest.raises(DataError, match="training takes one class a sample"):
        verb("train")(study)


def test_near_copies_stay_together(tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason="the extra `audit` is not installed")
    pytest.importorskip("cv2", reason="the extra `audit` is not installed")
    pairs = []
    for i in range(24):
        name = f"{('bright', 'dark')[i % 2]}/{i:02d}"
        save_photo(tmp_path / "photos" / f"{name}.jpg", i, size=(96, 80), level=130 * (i % 2))
        if i < 12:
            photo = Image.open(tmp_path / "photos" / f"{name}.jpg").resize((80, 66))
            photo.save(tmp_path / "photos" / f"{name}-small.jpg", quality=60)
            pairs.append((f"{name}.jpg", f"{name}-small.jpg"))
    study = tmp_path / "study"
    verb("index")(tmp_path / "photos", study)
    parted = 0
    for seed in range(2):
        homes = []
        for together in (None, "near-duplicates"):
            verb("split")(study, by="stratified", test=0.4, seed=seed, together=together)
            splits = Splits.read(study / "splits.parquet")
            keys = Study.open(study).read_samples().column("key")
            homes.append(dict(zip(keys, splits.table["split"].to_pylist(), strict=True)))
        parted += sum(homes[0][a] != homes[0][b] for a, b in pairs)
        assert all(homes[1][a] == homes[1][b] for a, b in pairs)
        assert splits.how["pairs"] >= len(pairs)
    assert parted > 2, "without it they lie on both sides"
