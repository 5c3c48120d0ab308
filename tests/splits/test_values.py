"""`Splits` as a value: what it shows, what it hides, and what it survives."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.errors import DataError, LedgerError, SplitError, VersionError
from sightline.ledger import Ledger
from sightline.splits import SCHEMA, Request, Splits, folds, split, verify
from tests.tables import plain_samples, sample, samples_of

SAMPLES = plain_samples([40, 40])
SPLITS = split(SAMPLES)


def test_test_split_tells_size_and_digests_only() -> None:
    sealed = SPLITS.test
    assert sealed is not None
    public = {f.name for f in dataclasses.fields(sealed) if not f.name.startswith("_")}
    assert public == {"name", "n", "digest", "fingerprint", "fold", "samples"}
    assert len(sealed) == sealed.n == 16
    ids = [row["sample_id"] for row in SPLITS.table.to_pylist() if row["split"] == "test"]
    assert len(ids) == 16
    for text in (repr(sealed), repr(SPLITS), SPLITS._repr_html_(), json.dumps(dict(SPLITS.how))):
        assert not any(i.hex() in text or repr(i) in text for i in ids)


def test_every_sample_has_one_row() -> None:
    assert SPLITS.sizes == {"train": 56, "val": 8, "test": 16, "left_out": 0}
    assert SPLITS.val is not None
    assert not set(SPLITS.train.ids) & set(SPLITS.val.ids)
    assert repr(SPLITS).startswith("by stratified · train 56 · val 8 · test 16, sealed · ")
    frame = SPLITS.to_pandas()
    assert list(frame.columns) == ["sample_id", "split", "reason"]
    assert frame["split"].value_counts().to_dict() == {"train": 56, "test": 16, "val": 8}
    assert len(frame["sample_id"][0]) == 32


def test_write_and_read(tmp_path: Path) -> None:
    path = tmp_path / "splits.parquet"
    for splits in (SPLITS, SPLITS.without(SPLITS.train.ids[:3]), split(SAMPLES, folds=3, fold=1)):
        splits.write(path)
        again = Splits.read(path)
        assert again.digest == splits.digest
        assert again.test == splits.test
        assert again.table.equals(splits.table)
        assert dict(again.how) == dict(splits.how)


def test_changed_rows_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "splits.parquet"
    SPLITS.write(path)
    table = pq.read_table(path)
    moved = ["train" if name == "test" else "test" if name == "train" else name for name in table["split"].to_pylist()]
    pq.write_table(table.set_column(1, "split", pa.array(moved)), path)
    with pytest.raises(DataError, match="changed after it was written"):
        Splits.read(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"how": {"by": "official", "seed": 0}}, "changed after it was written (rule or seed"),
        ({"how": dict(SPLITS.how) | {"seed": 7}}, "changed after it was written (rule or seed"),
        ({"fingerprint": "00"}, "changed after it was written (rule or seed"),
        ({"samples": "00"}, "changed after it was written (rows"),
        ({"how": None}, "holds no splits of Sightline, or was changed"),
        ({"version": "three"}, "holds no splits of Sightline, or was changed"),
        ({"version": [3]}, "holds no splits of Sightline, or was changed"),
    ],
)
def test_what_is_said_of_the_rows_is_sealed_too(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = tmp_path / "splits.parquet"
    SPLITS.write(path)
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"sightline"])
    pq.write_table(table.replace_schema_metadata({"sightline": json.dumps(about | changes)}), path)
    with pytest.raises(DataError, match=re.escape(said)):
        Splits.read(path)
    for gone in about:
        rest = {k: v for k, v in about.items() if k != gone}
        pq.write_table(table.replace_schema_metadata({"sightline": json.dumps(rest)}), path)
        with pytest.raises(DataError, match="or was changed"):
            Splits.read(path)
    pq.write_table(table.replace_schema_metadata({"sightline": "{no JSON"}), path)
    with pytest.raises(DataError, match="or was changed"):
        Splits.read(path)


def test_rows_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "splits.parquet"
    SPLITS.write(path)
    table = pq.read_table(path)
    for ids in (pa.array([b"short"] * len(table)), pa.array([None] * len(table), pa.binary(16))):
        pq.write_table(table.set_column(0, "sample_id", ids), path)
        with pytest.raises(DataError, match="or was changed"):
            Splits.read(path)


def test_newer_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "splits.parquet"
    pq.write_table(SPLITS.table.replace_schema_metadata({"sightline": '{"version": 4}'}), path)
    with pytest.raises(VersionError, match="format 4"):
        Splits.read(path)
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(DataError, match="holds no splits"):
        Splits.read(path)
    with pytest.raises(DataError, match="does not exist"):
        Splits.read(tmp_path / "none.parquet")


def test_without_is_a_new_value() -> None:
    gone = SPLITS.train.ids[:3]
    fewer = SPLITS.without(gone, reason="near copy of a test image")
    assert len(fewer.train) == 53
    assert fewer.sizes["left_out"] == 3
    assert fewer.left_out == {"near copy of a test image": 3}
    assert fewer.digest != SPLITS.digest
    assert fewer.test == SPLITS.test, "the test, and so its count of looks, is what it was"
    assert len(SPLITS.train) == 56
    assert SPLITS.without(()).digest == SPLITS.digest
    assert fewer.without(gone).digest == fewer.digest


def test_test_cannot_be_thinned_out() -> None:
    tested = next(row["sample_id"] for row in SPLITS.table.to_pylist() if row["split"] == "test")
    with pytest.raises(SplitError, match="sealed and stays whole"):
        SPLITS.without([tested])
    with pytest.raises(DataError, match="of no sample here"):
        SPLITS.without([b"x" * 16])


@pytest.mark.parametrize(
    ("rows", "fingerprint", "said"),
    [
        ([(b"a" * 16, "train", None), (b"a" * 16, "test", None)], "f", "two rows"),
        ([(b"a" * 16, "dev", None)], None, "got ['dev']"),
        ([(b"a" * 16, "test", None)], None, "fingerprint"),
        ([(b"a" * 16, "train", None)], "f", "fingerprint"),
        ([(b"a" * 16, None, None)], None, "without a reason"),
    ],
)
def test_values_are_checked_when_born(rows: list[tuple[bytes, str, None]], fingerprint: str | None, said: str) -> None:
    columns = [pa.array(list(c), f.type) for c, f in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
    with pytest.raises(SplitError) as caught:
        Splits(pa.table(columns, schema=SCHEMA), {}, "digest", fingerprint)
    assert said in str(caught.value)


def test_fingerprint_is_of_content_alone() -> None:
    """The same test images under other names, labels and seeds are the same test."""
    def made(prefix: str, flip: int) -> Splits:
        rows = [sample(f"{prefix}{s}{i}", (i + flip) % 2, split=s, pixels=f"{s}{i}")
                for s in ("train", "test") for i in range(20)]  # fmt: skip
        return split(samples_of(rows, 2), seed=flip)

    one, other = made("x", 0).test, made("y", 1).test
    assert one is not None
    assert other is not None
    assert one.fingerprint == other.fingerprint
    assert one.digest != other.digest


def test_a_plan_with_repeats_is_one_look_whatever_val_is(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    plan = Request(by="stratified", folds=2, repeats=2)
    looks = [ledger.open(s.test, checkpoints=["c"])[0] for s in folds(SAMPLES, plan) if s.test]
    assert [look.number for look in looks] == [1, 1, 1, 1]
    assert [look.fold for look in looks] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    nested = split(SAMPLES, dataclasses.replace(plan, fold=3, inner=3, inner_fold=2)).test
    assert nested == split(SAMPLES, dataclasses.replace(plan, fold=3, val=0.0)).test
    with pytest.raises(LedgerError, match="look 2"):
        ledger.require(split(SAMPLES, dataclasses.replace(plan, repeats=3)).test, None)  # type: ignore[arg-type]


def test_a_file_of_version_1_is_read_as_it_was(tmp_path: Path) -> None:
    """It gave a reason for samples left out alone; its digest, and so the runs made on it, stay what they were."""
    table = SPLITS.table.set_column(2, SCHEMA.field("reason"), pa.nulls(80, pa.string()))
    old = dataclasses.replace(SPLITS, table=table)
    about = {"version": 1, "how": dict(SPLITS.how), "samples": SPLITS.samples_digest,
             "fingerprint": SPLITS.fingerprint, "digest": old.digest}  # fmt: skip
    pq.write_table(table.replace_schema_metadata({"sightline": json.dumps(about)}), tmp_path / "splits.parquet")
    read = Splits.read(tmp_path / "splits.parquet")
    assert read.digest == old.digest != SPLITS.digest
    assert read.test == SPLITS.test
    verify(SAMPLES, read)
