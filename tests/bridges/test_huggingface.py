from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sightline as sl
from sightline.errors import DataError
from tests.sources import encoded, jpeg, picture, png16, write_files

datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")

NAMES = ["cat", "dog"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
    datasets.disable_progress_bars()


def made(n: int = 12, *, paths: bool = True, **columns: list[Any]) -> Any:
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)}
    features |= {name: datasets.Value("string") for name in columns}
    images = [{"bytes": jpeg(i), "path": f"photo_{7 * i}_x.jpg" if paths else None} for i in range(n)]
    rows = {"image": images, "label": [i % 2 for i in range(n)], **columns}
    return datasets.Dataset.from_dict(rows, features=datasets.Features(features))


def stored(dataset: Any, folder: Path) -> Any:
    dataset.save_to_disk(folder)
    return datasets.load_from_disk(folder)


def payloads(samples: sl.SampleTable) -> list[bytes]:
    reader = samples.reader()
    return [reader.payload(i) for i in range(len(samples))]


@pytest.mark.parametrize("on_disk", [False, True])
def test_rows_are_samples_with_their_own_bytes(tmp_path: Path, on_disk: bool) -> None:
    dataset = stored(made(), tmp_path / "saved") if on_disk else made()
    samples = sl.from_huggingface(dataset)
    assert samples.classes.ids == tuple(NAMES)
    assert samples.column("label") == [i % 2 for i in range(12)]
    assert samples.column("key") == [f"photo_{7 * i}_x.jpg" for i in range(12)]
    assert payloads(samples) == [jpeg(i) for i in range(12)]
    assert {i["container"] for i in samples.column("image")} == {"arrow" if on_disk else "live"}
    assert {i["codec"] for i in samples.column("image")} == {"jpeg"}


def test_files_are_read_in_another_process(tmp_path: Path) -> None:
    samples = sl.from_huggingface(stored(made(), tmp_path / "saved"))
    sl.Study.create(tmp_path / "study").write_samples(samples)
    code = "import sys, sightline as sl; s = sl.Study.open(sys.argv[1]).read_samples().hashed(); print(s.is_ok.all())"
    command = [sys.executable, "-c", code, str(tmp_path / "study")]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "True"


def test_an_object_in_memory_is_not_written_as_if_it_were_a_file(tmp_path: Path) -> None:
    samples = sl.from_huggingface(made())
    with pytest.raises(DataError, match=r"sl\.convert"):
        sl.Study.create(tmp_path / "study").write_samples(samples)
    converted = sl.convert(samples, tmp_path / "kept", to="parquet")
    assert converted.samples.hashed().column("content_sha256") == samples.hashed().column("content_sha256")


def test_shuffled_selected_and_filtered_rows_are_the_right_ones(tmp_path: Path) -> None:
    whole = stored(made(), tmp_path / "saved")
    part = whole.shuffle(seed=3).filter(lambda label: label == 1, input_columns="label").select(range(4))
    samples = sl.from_huggingface(part)
    assert {i["container"] for i in samples.column("image")} == {"arrow"}
    want = [jpeg(int(key.split("_")[1]) // 7) for key in samples.column("key")]
    assert payloads(samples) == want
    assert samples.column("label") == [1] * 4
    raw = part.cast_column("image", datasets.Image(decode=False))
    assert [row["image"]["bytes"] for row in raw] == want


def test_a_slice_that_is_stored_otherwise_than_its_files_is_read_through_the_object(tmp_path: Path) -> None:
    whole = stored(made(), tmp_path / "saved")
    both = datasets.concatenate_datasets([whole.select(range(6, 12)), made(3)])
    samples = sl.from_huggingface(both.rename_column("image", "picture").rename_column("picture", "image"))
    assert payloads(samples) == [jpeg(i) for i in [*range(6, 12), 0, 1, 2]]


def test_splits_of_a_dict_are_official(tmp_path: Path) -> None:
    whole = stored(made(), tmp_path / "saved")
    parts = datasets.DatasetDict(validation=whole.select(range(8, 12)), train=whole.select(range(8)))
    samples = sl.from_huggingface(parts, name="mine")
    assert samples.name == "mine"
    assert samples.column("split") == ["train"] * 8 + ["val"] * 4
    assert samples.column("key")[8] == "val/photo_56_x.jpg"
    assert payloads(samples) == [jpeg(i) for i in range(12)]


def test_ids_are_those_of_the_same_data_as_parquet(tmp_path: Path) -> None:
    parts = datasets.DatasetDict(train=made(8), test=made(4, paths=False))
    for split, part in parts.items():
        part.to_parquet(tmp_path / "parquet" / f"{split}-00000-of-00001.parquet")
    assert sl.from_huggingface(parts).digest == sl.index(tmp_path / "parquet").digest


def test_groups_and_minus_one(tmp_path: Path) -> None:
    dataset = made(6, patient=list("aabbcc"), site=list("xxxyyy"))
    dataset = dataset.map(lambda row, i: {"label": -1 if i == 5 else row["label"]}, with_indices=True)
    samples = sl.from_huggingface(dataset)
    assert samples.column("group_id") == [f"patient:{p}" for p in "aabbcc"]
    assert samples.column("label") == [0, 1, 0, 1, 0, None]
    by_site = sl.from_huggingface(dataset, group="site")
    assert set(by_site.column("group_id")) == {"site:x", "site:y"}


def test_images_in_files_are_referred_to(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.jpg": jpeg(1), "b.jpg": jpeg(2)})
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
    rows = {"image": [str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg"), None], "label": [0, 1, 0]}
    samples = sl.from_huggingface(datasets.Dataset.from_dict(rows, features=features))
    assert [i["container"] for i in samples.column("image")][:2] == ["file"] * 2
    assert [samples.reader().payload(i) for i in range(2)] == [jpeg(1), jpeg(2)]
    assert samples.column("reason") == [None, None, "no image in this row"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: made().to_iterable_dataset(), "without streaming=True"),
        (lambda: made().remove_columns("image"), "no column of images; it has: label"),
        (lambda: made().remove_columns("label"), "has no labels"),
        (lambda: made().select([]), "no rows"),
        (lambda: {"train": 1}, r"Wanted a datasets\.Dataset"),
    ],
)
def test_refused_with_a_reason(make: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        sl.from_huggingface(make())


def test_there_and_back_keeps_ids_labels_splits_bytes_and_order(tmp_path: Path) -> None:
    parts = datasets.DatasetDict(train=made(8), validation=made(4, paths=False))
    samples = sl.from_huggingface(parts)
    again = sl.from_huggingface(sl.to_huggingface(samples))
    for column in ("sample_id", "key", "split", "label"):
        assert again.column(column) == samples.column(column)
    assert again.classes == samples.classes
    assert payloads(again) == payloads(samples)


def test_a_table_of_files_as_a_dataset(tmp_path: Path) -> None:
    write_files(tmp_path, {"cat/1.jpg": jpeg(1), "cat/2.png": png16(), "dog/bad.jpg": b"nothing", "dog/3.jpg": jpeg(3)})
    dataset = sl.to_huggingface(sl.index(tmp_path))
    assert isinstance(dataset, datasets.Dataset)
    assert dataset.split is None
    assert dataset["key"][:] == ["cat/1.jpg", "cat/2.png", "dog/3.jpg", "dog/bad.jpg"]
    assert dataset.features["label"].names == NAMES
    assert dataset[3]["image"] is None
    assert np.array_equal(np.asarray(dataset[0]["image"]), sl.index(tmp_path).reader().pixels(0).values)
    raw = dataset.cast_column("image", datasets.Image(decode=False))
    assert raw[1]["image"]["bytes"] == png16()


def test_crops_and_arrays_become_png(tmp_path: Path) -> None:
    for i in range(2):
        (tmp_path / f"{i}.png").write_bytes(encoded(Image.fromarray(picture(seed=i)), "PNG"))
    (tmp_path / "list.csv").write_text("path,label,x0,y0,x1,y1\n0.png,a,1,2,5,6\n1.png,b,,,,\n")
    dataset = sl.to_huggingface(sl.index(tmp_path / "list.csv"))
    assert np.array_equal(np.asarray(dataset[0]["image"]), picture(seed=0)[2:6, 1:5])
    assert np.array_equal(np.asarray(dataset[1]["image"]), picture(seed=1))


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = stored(made(), tmp_path / "saved")
    monkeypatch.setattr(pickle, "loads", None)
    monkeypatch.setattr(pickle, "load", None)
    assert len(sl.from_huggingface(dataset)) == 12
