"""TFRecord: records, features and labels; checksums, compression and damage."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DataError, MissingExtraError
from sightline.formats import Attributes, Listing, tfrecord
from sightline.formats.tf_example import Span, features_of, values_of
from sightline.formats.wire import MalformedError
from sightline.indexing import index
from tests.formats.tf_records import example, field, framed, varint, write_tfrecord
from tests.sources import jpeg, picture

IMAGES = [jpeg(i) for i in range(6)]


def read(path: Path, **attributes: Any) -> Listing:
    assert tfrecord.is_at(path)
    return tfrecord.read(path, Attributes(**attributes))


def slim(i: int, label: int) -> dict[str, Any]:
    """A record as the official ImageNet scripts write it."""
    return {"image/filename": f"n{label:08d}_{i + 7}.JPEG".encode(), "image/encoded": IMAGES[i], "image/height": 12,
            "image/class/label": label, "image/class/text": b"fish", "image/object/bbox/label": [1, 2]}  # fmt: skip


def test_shards_of_the_official_scripts(tmp_path: Path) -> None:
    write_tfrecord(tmp_path / "validation-00000-of-00001", [slim(4, 1), slim(5, 2)])
    write_tfrecord(tmp_path / "train-00001-of-00002", [slim(2, 1), slim(3, 1000)])
    write_tfrecord(tmp_path / "train-00000-of-00002", [slim(0, 10), slim(1, 2)])
    samples = index(tmp_path)
    assert samples.column("split") == ["train"] * 4 + ["val"] * 2
    assert samples.column("key")[0] == "train/n00000010_7.JPEG"
    # 1-based numbers stay what they are, in numeric order: what they mean is a dataset's knowledge.
    assert samples.classes.ids == ("1", "2", "10", "1000")
    assert [samples.classes.ids[v] for v in samples.labels] == ["10", "2", "1", "1000", "1", "2"]
    assert [samples.reader().payload(i) for i in range(6)] == IMAGES
    assert set(samples.table["image"].combine_chunks().field("container").to_pylist()) == {"tfrecord"}


def tfds(folder: Path, name: str = "tiny", labels: tuple[int, ...] = (0, 1, 0, 1)) -> Path:
    folder.mkdir(parents=True)
    (folder / "label.labels.txt").write_text("cat\ndog\n")
    about = {"featuresDict": {"features": {"image": {}, "label": {"classLabel": {"numClasses": "2"}}}}}
    (folder / "features.json").write_text(json.dumps(about))
    for split, some in (("train", labels), ("test", (0, -1))):
        rows = [{"image": IMAGES[i], "label": v} for i, v in enumerate(some)]
        write_tfrecord(folder / f"{name}-{split}.tfrecord-00000-of-00001", rows)
    return folder


def test_a_tfds_folder_names_its_classes(tmp_path: Path) -> None:
    tfds(tmp_path / "tiny" / "1.0.0")
    for source in (tmp_path / "tiny", tmp_path / "tiny" / "1.0.0"):
        listing = read(source)
        assert listing.name == "tiny"
        assert listing.class_ids == ("cat", "dog")
        assert listing.policy == "official"
        assert listing.labels == ["cat", "dog", "cat", "dog", "cat", None]
        assert listing.keys[4:] == ["test/00000", "test/00001"]
    tfds(tmp_path / "tiny" / "2.0.0")
    with pytest.raises(DataError, match="several versions"):
        tfrecord.is_at(tmp_path / "tiny")


@pytest.mark.parametrize("mark", "-.")
def test_names_of_a_feature_with_a_path(tmp_path: Path, mark: str) -> None:
    write_tfrecord(tmp_path / "train-00000-of-00001", [slim(0, 0), slim(1, 1)])
    (tmp_path / f"image{mark}class{mark}label.labels.txt").write_text("tench\nhen\n")
    assert read(tmp_path).labels == ["tench", "hen"]


def test_names_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    folder = tfds(tmp_path / "more" / "1.0.0", labels=(0, 2))
    with pytest.raises(DataError, match="label '2', but names only 2"):
        read(folder)
    (folder / "label.labels.txt").write_text("cat\n")
    with pytest.raises(DataError, match=r"names 1 classes, features\.json says 2"):
        read(folder)


def test_plain_pixels_with_their_size(tmp_path: Path) -> None:
    images = [picture(5, 4, 3, seed=i) for i in range(3)]
    rows = [{"image_raw": v.tobytes(), "height": 5, "width": 4, "depth": 3, "label": i} for i, v in enumerate(images)]
    samples = index(write_tfrecord(tmp_path / "a.tfrecords", [*rows, {**rows[0], "height": 4}]))
    for i, image in enumerate(images):
        np.testing.assert_array_equal(samples.reader().pixels(i).values, image)
    assert read(tmp_path / "a.tfrecords").reasons == [None, None, None, "60 bytes for an image of 4 × 4 × 3"]


def test_groups_and_times(tmp_path: Path) -> None:
    rows = [{"image": IMAGES[i], "label": i % 2, "patient": f"p{i // 2}".encode(), "seen": b"2026-01-02"}
            for i in range(4)]  # fmt: skip
    listing = read(write_tfrecord(tmp_path / "a.tfrecord", rows), time="seen")
    assert listing.groups == [[("patient", f"p{i // 2}")] for i in range(4)]
    assert listing.times is not None
    assert listing.splits == [None] * 4


def test_a_wrong_checksum_is_a_row_with_a_reason(tmp_path: Path) -> None:
    file = write_tfrecord(tmp_path / "a.tfrecord", [{"image": IMAGES[i], "label": i % 2} for i in range(5)])
    data = bytearray(file.read_bytes())
    data[data.index(IMAGES[2]) + 100] ^= 1
    file.write_bytes(data)
    samples = index(file)
    assert samples.column("status") == ["ok", "ok", "unreadable", "ok", "ok"]
    assert "checksum" in samples.column("reason")[2]
    assert samples.reader().payload(3) == IMAGES[3]


def test_odd_records_are_rows_with_a_reason(tmp_path: Path) -> None:
    good = [framed(example({"image": IMAGES[i], "label": i})) for i in range(2)]
    odd = [framed(b"\xff\xff words"), framed(example({"label": 1})), framed(example({"image": [b"", b""], "label": 0}))]
    (tmp_path / "a.tfrecord").write_bytes(b"".join([*good, *odd]))
    reasons = read(tmp_path / "a.tfrecord").reasons
    assert reasons is not None
    assert reasons[:2] == [None, None]
    assert [str(r).split(":")[0] for r in reasons[2:]] == [
        "no tf.train.Example", "0 values in the feature 'image', wanted one byte string",
        "2 values in the feature 'image', wanted one byte string",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: gzip.compress(d), "GZIP.*Unpack"),
        (lambda d: zlib.compress(d), "ZLIB"),
        (lambda d: d[:-3], "ends inside the record"),
        (lambda d: d + b"\0" * 5, "damaged at byte"),
        (lambda d: d[:3] + b"\x7f" + d[4:], "damaged at byte 0"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, change: Any, message: str) -> None:
    file = write_tfrecord(tmp_path / "a.tfrecord", [{"image": IMAGES[i], "label": i} for i in range(2)])
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(DataError, match=message) as error:
        read(file)
    assert "a.tfrecord" in str(error.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": b"words", "label": 1}], "without a feature that holds an image. Their features: text, label"),
        ([{"image": IMAGES[0], "width": 3}], "has no labels; it has"),
        ([{"image": IMAGES[0], "label": [1, 2]}], "record 0 has 2 values"),
        ([], "without a"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write_tfrecord(tmp_path / "a.tfrecord", rows))


def test_sources_of_other_kinds_are_left(tmp_path: Path) -> None:
    (tmp_path / "notes-00000-of-00001").write_text("some words that are no record\n")
    assert not tfrecord.is_at(tmp_path)


def test_without_the_checksum_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_tfrecord(tmp_path / "a.tfrecord", [{"image": IMAGES[0], "label": 0}])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"sightline\[tfrecord\]"):
        read(file)


VALUES = st.one_of(
    st.lists(st.binary(max_size=20), max_size=3),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
    st.lists(st.floats(width=32, allow_nan=False), max_size=4),
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=8), VALUES, min_size=1, max_size=4), st.booleans())
def test_examples_come_back_packed_or_not(features: dict[str, list[Any]], packed: bool) -> None:
    record = example(features, packed)
    found = {name: values_of(record, span) for name, span in features_of(record).items()}
    assert {n: [record[slice(*v)] if isinstance(v, Span) else v for v in vs] for n, vs in found.items()} == features


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_example_or_malformed(data: bytes) -> None:
    try:
        found = features_of(data)
        for span in found.values():
            values_of(data, span)
    except MalformedError:
        return
    assert found


@pytest.mark.parametrize("record", [b"\x0b", b"\x80" * 11, field(1, b"\x0a\x7f"), varint(1 << 3) + b"\1", b""])
def test_malformed_messages(record: bytes) -> None:
    with pytest.raises(MalformedError):
        features_of(record)


def test_what_the_tfrecord_package_writes(tmp_path: Path) -> None:
    package = pytest.importorskip("tfrecord")
    writer = package.TFRecordWriter(str(tmp_path / "train.tfrecord"))
    for i in range(6):
        writer.write({"image": (IMAGES[i], "byte"), "label": (i % 2 - 1 if i else -1, "int"), "w": (0.5, "float")})
    writer.close()
    listing = read(tmp_path)
    assert listing.labels == [None, "0", None, "0", None, "0"]
    places = zip(listing.images["offset"], listing.images["length"], strict=True)
    data = (tmp_path / "train.tfrecord").read_bytes()
    assert [data[start : start + length] for start, length in places] == IMAGES
