"""Assignments in files: what others made is read, and verified as if it had been made here."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.errors import DataError, SplitError
from sightline.splits import Splits, split, write_csv
from tests.splits.material import assigned, reasons
from tests.tables import plain_samples, sample, samples_of

SAMPLES = plain_samples([20, 20])
KEYS = SAMPLES.column("key")
EVEN = {key: ("train", "train", "train", "val", "test")[i % 5] for i, key in enumerate(KEYS)}


def written(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("key", "split")) -> Path:
    with path.open("w", newline="") as f:
        csv.writer(f).writerows([header, *rows])
    return path


def test_csv_has_all_that_a_manifest_needs(tmp_path: Path) -> None:
    splits = split(SAMPLES, seed=3).without(split(SAMPLES, seed=3).train.ids[:1], reason="blurred: by far")
    write_csv(splits, SAMPLES, tmp_path / "splits.csv")
    with (tmp_path / "splits.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    assert list(rows[0]) == ["sample_id", "key", "split", "reason", "seed", "samples"]
    assert [r["key"] for r in rows] == KEYS
    assert [r["sample_id"] for r in rows] == [i.hex() for i in SAMPLES.column("sample_id")]
    assert [r["split"] or None for r in rows] == list(assigned(splits).values())
    assert {r["reason"] for r in rows} == {"drawn by class, seed 3", "blurred: by far"}
    assert {(r["seed"], r["samples"]) for r in rows} == {("3", SAMPLES.digest[:12])}
    with pytest.raises(DataError, match="made for other samples"):
        write_csv(splits, plain_samples([3, 3]), tmp_path / "other.csv")


def test_a_file_of_keys(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", [(k, s.replace("val", "Validation")) for k, s in EVEN.items()])
    splits = split(SAMPLES, by=path)
    assert list(assigned(splits).values()) == list(EVEN.values())
    assert set(reasons(splits).values()) == {"given by mine.csv"}
    assert (splits.how["by"], splits.how["file"], len(splits.how["sha256"])) == ("file", "mine.csv", 64)
    assert split(SAMPLES, by=str(path)).digest == splits.digest


def test_a_parquet_file_of_ids(tmp_path: Path) -> None:
    ids = SAMPLES.column("sample_id")
    table = pa.table({"sample_id": pa.array(ids, pa.binary(16)), "split": list(EVEN.values())})
    pq.write_table(table, tmp_path / "mine.parquet")
    assert assigned(split(SAMPLES, by=tmp_path / "mine.parquet")) == dict(zip(ids, EVEN.values(), strict=True))
    split(SAMPLES, seed=2).write(tmp_path / "splits.parquet")  # what the project writes is such a file too
    assert assigned(split(SAMPLES, by=tmp_path / "splits.parquet")) == assigned(split(SAMPLES, seed=2))


def test_who_is_not_named_is_left_out(tmp_path: Path) -> None:
    rows = [(k, s) for k, s in EVEN.items() if not k.endswith("7")]
    splits = split(SAMPLES, by=written(tmp_path / "mine.csv", [*rows, ("0/0007", "")]))
    assert splits.left_out == {"in no split of mine.csv": 4}


def test_val_can_be_taken_from_the_train_of_a_file(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", [(k, "test" if s == "test" else "train") for k, s in EVEN.items()])
    assert split(SAMPLES, by=path).sizes == {"train": 32, "val": 0, "test": 8, "left_out": 0}
    assert split(SAMPLES, by=path, val=0.25).sizes == {"train": 24, "val": 8, "test": 8, "left_out": 0}
    assert split(SAMPLES, by=path, inner=4, inner_fold=1).sizes == {"train": 24, "val": 8, "test": 8, "left_out": 0}


def test_keys_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    samples = samples_of([sample(f"00{i}", i % 2) for i in range(10)], 2)
    path = written(tmp_path / "mine.csv", [(f"00{i}", "train" if i < 6 else "test") for i in range(10)])
    assert split(samples, by=path).sizes["test"] == 4


ROWS = list(EVEN.items())


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        ([*ROWS, ROWS[0]], ("key", "split"), "two rows for 0/0000"),
        ([*ROWS, ("0/9999", "train")], ("key", "split"), "'0/9999', which is no key of made"),
        ([("0/0000", "holdout")], ("key", "split"), "puts 0/0000 into 'holdout'"),
        (ROWS, ("name", "split"), "needs `split` and `key` or `sample_id`"),
        ([(k, "") for k, _ in ROWS], ("key", "split"), "assigns no sample"),
        ([(k, "test" if k[0] == "1" else "train") for k, _ in ROWS], ("key", "split"), "none in train"),
        ([("0/0000", "train", "too much")], ("key", "split"), "not a readable CSV"),
    ],
)
def test_files_that_cannot_be_are_refused(
    tmp_path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...], said: str
) -> None:
    with pytest.raises((SplitError, DataError), match=re.escape(said)):
        split(SAMPLES, by=written(tmp_path / "mine.csv", rows, header))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "nowhere.csv"}, "nowhere.csv does not exist"),
        ({"by": "list.txt"}, "ends in .csv or .parquet"),
        ({"test": 0.2}, "The test is what the file says"),
        ({"folds": 3}, "--inner 3"),
        ({"val": 0.2}, "says what val is"),
        ({"val": "official"}, "needs the official splits"),
    ],
)
def test_options_beside_a_file(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    path = written(tmp_path / "mine.csv", ROWS)
    with pytest.raises((SplitError, DataError), match=re.escape(said)):
        split(SAMPLES, **{"by": path, **options})


@pytest.mark.parametrize("known", [{"group": "P7"}, {"pixels": "same"}], ids=["group", "copy"])
def test_a_file_that_parts_what_belongs_together_is_refused(tmp_path: Path, known: dict[str, Any]) -> None:
    rows = [sample(f"s{i}", i % 2, **(known if i in {3, 4} else {})) for i in range(20)]
    samples = samples_of(rows, 2)
    path = written(tmp_path / "mine.csv", [(f"s{i}", "test" if i % 5 == 4 else "train") for i in range(20)])
    said = "P7 has 1 sample in train and 1 in test" if "group" in known else "has 1 sample in train and 1 in test"
    with pytest.raises(SplitError, match=said):
        split(samples, by=path)
    apart = written(tmp_path / "apart.csv", [(f"s{i}", "" if i == 3 else "test" if i % 5 == 4 else "train")
                                             for i in range(20)])  # fmt: skip
    assert isinstance(split(samples, by=apart), Splits)
