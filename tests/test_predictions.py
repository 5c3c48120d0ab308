"""Predictions: what a row holds, what is refused, and that nothing is lost on the way through a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.artifacts import read_table, write_table
from sightline.errors import DataError, VersionError
from sightline.predictions import Predictions, schema
from sightline.samples import Classes, SampleTable, sample_id_of, table_from_rows

CLASSES = Classes(("n02123045", "dog", "eel"), ("tabby", "dog", "eel"))


def samples_of(labels: list[int | None], classes: Classes = CLASSES) -> SampleTable:
    rows = [
        {"sample_id": sample_id_of("", str(i)), "key": f"{i}.jpg", "dataset": "", "group_id": str(i), "image": {},
         "label": label, "status": "ok"}
        for i, label in enumerate(labels)
    ]  # fmt: skip
    return SampleTable(table_from_rows(rows), classes, "made")


def predictions_of(
    logits: np.ndarray, labels: list[int | None], unreadable: dict[int, str] | None = None
) -> Predictions:
    k = logits.shape[1]
    classes = CLASSES if k == 3 else Classes(tuple(map(str, range(k))), tuple(map(str, range(k))))
    return Predictions.from_logits(samples_of(labels, classes), logits, unreadable=unreadable)


@pytest.fixture
def four() -> Predictions:
    """A sure one, a tie, an unreadable one and one with a NaN."""
    logits = np.array([[0, 3, 0], [1, 1, 0], [9, 9, 9], [0, np.nan, 5]], np.float32)
    return predictions_of(logits, [1, 0, 2, None], {2: "truncated JPEG"})


def test_status_and_reasons(four: Predictions) -> None:
    assert four.status.tolist() == ["ok", "ok", "unreadable", "invalid"]
    reasons = ["truncated JPEG", "the model gave a logit that is not finite"]
    assert four.table["reason"].to_pylist() == [None, None, *reasons]
    assert four.is_valid.tolist() == [True, True, False, False]
    assert four.labels.tolist() == [1, 0, 2, -1]
    assert four.predicted.tolist() == [1, 0, -1, -1]
    assert repr(four).startswith("4 predictions · 3 classes · 1 unreadable · 1 invalid · ")


def test_what_has_no_prediction_has_no_number(four: Predictions) -> None:
    assert np.isnan(four.logits[2]).all()  # the 9s given for an unreadable image are gone
    assert np.isnan(four.probabilities[2:]).all()
    assert four.table["logits"].to_pylist()[2] is None
    assert [len(guesses) for guesses in four.top(2)] == [2, 2, 0, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_every_logit_that_is_not_finite_is_invalid(value: float) -> None:
    assert predictions_of(np.array([[0, value, 1]], np.float32), [0]).status.tolist() == ["invalid"]


def test_top_names_classes_and_probabilities(four: Predictions) -> None:
    first = four.top(2)[0]
    assert [(g.label, g.name) for g in first] == [(1, "dog"), (0, "tabby (n02123045)")]
    assert first[0].probability == pytest.approx(np.exp(3) / (np.exp(3) + 2))


def test_to_pandas_names_classes_and_probabilities(four: Predictions) -> None:
    frame = four.to_pandas()
    assert frame["predicted"].fillna("").tolist() == ["dog", "tabby (n02123045)", "", ""]
    assert frame["label"].fillna("").tolist() == ["dog", "tabby (n02123045)", "eel", ""]
    assert frame["p(eel)"][0] == pytest.approx(1 / (np.exp(3) + 2))
    assert frame["probability"][0] == pytest.approx(frame["p(dog)"][0])
    assert np.isnan(frame["probability"][2])
    assert frame["sample_id"][0] == sample_id_of("", "0").hex()


def test_softmax_survives_huge_logits() -> None:
    p = predictions_of(np.array([[3e38, 0, -3e38]], np.float32), [0])
    assert p.probabilities[0].tolist() == [1, 0, 0]
    assert np.isfinite(p.log_probabilities).all()


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_file_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    n, k = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 4))
    number = st.floats(width=32, allow_nan=True, allow_infinity=True)
    logits = np.array(data.draw(st.lists(st.lists(number, min_size=k, max_size=k), min_size=n, max_size=n)), np.float32)
    labels = data.draw(st.lists(st.none() | st.integers(0, k - 1), min_size=n, max_size=n))
    unreadable = dict.fromkeys(data.draw(st.sets(st.integers(0, n - 1))), "why")
    classes = Classes(tuple(f"c{i}" for i in range(k)), tuple(f"n{i}" for i in range(k)), "file")
    meta = {"digests": {"weights": "ab"}, "environment": {"threads": 2}}
    made = Predictions.from_logits(samples_of(labels, classes), logits, unreadable=unreadable, meta=meta)
    path = tmp_path_factory.mktemp("p") / "predictions.parquet"
    made.write(path)
    read = Predictions.read(path)
    assert read.digest == made.digest
    assert read.classes == classes
    assert read.meta == meta
    assert np.array_equal(read.logits, made.logits, equal_nan=True)
    assert read.table["reason"].to_pylist() == made.table["reason"].to_pylist()


def test_digest_depends_on_logits_and_classes(four: Predictions) -> None:
    other = predictions_of(np.nan_to_num(four.logits) + 1, [1, 0, 2, None])
    renamed = Predictions(four.table, Classes(("a", "b", "c"), ("a", "b", "c")))
    assert len({four.digest, other.digest, renamed.digest}) == 3


def test_take_and_without(four: Predictions) -> None:
    assert four.take([2, 0]).keys == ["2.jpg", "0.jpg"]
    assert four.without([sample_id_of("", "1"), sample_id_of("", "absent")]).keys == ["0.jpg", "2.jpg", "3.jpg"]


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(DataError, match=r"2 samples and 3 classes need logits of shape \(2, 3\), got \(3, 2\)"):
        Predictions.from_logits(samples_of([0, 1]), np.zeros((3, 2), np.float32))


def test_a_sample_twice_is_refused(four: Predictions) -> None:
    with pytest.raises(DataError, match="name a sample twice"):
        four.take([0, 0])


def test_classes_of_another_model_are_refused(four: Predictions) -> None:
    with pytest.raises(DataError, match="3 logits a sample but there are 2 classes"):
        Predictions(four.table, Classes(("a", "b"), ("a", "b")))


def test_nan_marked_ok_is_refused(four: Predictions) -> None:
    i = four.table.schema.get_field_index("status")
    wrong = four.table.set_column(i, schema(3).field("status"), pa.array(["ok"] * 4))
    with pytest.raises(DataError, match="marked ok but has a logit that is not finite"):
        Predictions(wrong, CLASSES)


def test_other_files_are_refused(tmp_path: Path, four: Predictions) -> None:
    write_table(tmp_path / "other.parquet", pa.table({"a": [1]}))
    four.write(tmp_path / "four.parquet")
    whole = read_table(tmp_path / "four.parquet")
    narrow = pa.array([[0.0, 1.0]] * 4, pa.list_(pa.float32(), 2))
    at = whole.schema.get_field_index("logits")
    for changed in (whole.set_column(at, "logits", narrow), whole.drop_columns(["reason"])):
        write_table(tmp_path / "changed.parquet", changed)
        with pytest.raises(DataError, match="holds predictions that were changed"):
            Predictions.read(tmp_path / "changed.parquet")
    with pytest.raises(DataError, match="holds no predictions"):
        Predictions.read(tmp_path / "other.parquet")
    with pytest.raises(DataError, match="does not exist"):
        Predictions.read(tmp_path / "absent.parquet")
    newer = four.table.replace_schema_metadata({"sightline": '{"version": 99}'})
    write_table(tmp_path / "newer.parquet", newer)
    with pytest.raises(VersionError, match="newer version"):
        Predictions.read(tmp_path / "newer.parquet")


def test_html_is_escaped() -> None:
    table = samples_of([0]).table
    i = table.schema.get_field_index("key")
    samples = SampleTable(table.set_column(i, table.schema.field("key"), pa.array(["<script>"])), CLASSES, "made")
    shown = Predictions.from_logits(samples, np.zeros((1, 3), np.float32))._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
