"""CIFAR-10 and CIFAR-100: every form gives the same samples, in place, and damage is named."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.catalog import cifar, cifar_batches, datasets
from sightline.errors import DataError
from sightline.indexing import index
from sightline.samples import SampleTable
from tests.catalog import cifar_files as files
from tests.sources import encoded, write_files

Maker = Callable[[Path], Path]

TEN: dict[str, Maker] = {
    "binary folder": lambda p: files.unpacked(p / "cifar-10-batches-bin", files.ten_binary()),
    "python folder": lambda p: files.unpacked(p / "cifar-10-batches-py", files.ten_python()),
    "python of today": lambda p: files.unpacked(p / "mine", files.ten_python(protocol=4)),
    "folder above": lambda p: files.unpacked(p / "cifar-10-batches-py", files.ten_python()).parent,
    "binary tar.gz": lambda p: files.packed(p / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", files.ten_binary()),
    "python tar.gz": lambda p: files.packed(p / "x.tar.gz", "cifar-10-batches-py", files.ten_python()),
    "plain tar": lambda p: files.packed(p / "cifar.tar", "cifar-10-batches-bin", files.ten_binary()),
    "folder with the tar.gz": lambda p: files.packed(
        p / "cifar-10-python.tar.gz", "cifar-10-batches-py", files.ten_python()
    ).parent,
}  # fmt: skip
HUNDRED: dict[str, Maker] = {
    "binary": lambda p: files.unpacked(p / "cifar-100-binary", files.hundred_binary()),
    "python": lambda p: files.unpacked(p / "cifar-100-python", files.hundred_python()),
    "tar.gz": lambda p: files.packed(p / "cifar-100-python.tar.gz", "cifar-100-python", files.hundred_python()),
}


def ten_expected() -> list[tuple[str, str, np.ndarray[Any, Any]]]:
    rows, numbers = [], {"train": 0, "test": 0}
    for file, (data, labels) in files.ten().items():
        split = "test" if file.startswith("test") else "train"
        for row, label in zip(data, labels, strict=True):
            rows.append((f"{split}/{numbers[split]:05d}", files.TEN[label], files.pixels(row)))
            numbers[split] += 1
    return rows


@pytest.mark.parametrize("form", TEN)
def test_every_form_of_cifar10_gives_the_same_samples(tmp_path: Path, form: str) -> None:
    samples = index(TEN[form](tmp_path))
    expected = ten_expected()
    assert samples.column("key") == [key for key, _, _ in expected]
    assert samples.column("split") == [key.partition("/")[0] for key, _, _ in expected]
    assert [samples.classes.ids[v] for v in samples.labels] == [name for _, name, _ in expected]
    assert samples.classes.ids == datasets("cifar10").class_ids
    reader = samples.reader()
    for i, (_, _, shown) in enumerate(expected):
        np.testing.assert_array_equal(reader.pixels(i).values, shown)
    assert samples.column("dataset") == [""] * len(expected)  # in this layout, yet not CIFAR-10: 18 images


def test_file_names_of_the_python_form_are_kept(tmp_path: Path) -> None:
    samples = index(TEN["python folder"](tmp_path))
    assert json.loads(samples.column("extra")[1]) == {"file": "noun_s_000001.png"}
    assert samples.digest == index(TEN["binary tar.gz"](tmp_path)).digest


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-100 with five and two images, so that it can be recognised in a miniature."""
    small = dataclasses.replace(cifar.CIFAR100, num_samples={"train": 5, "test": 2}, first_labels=(19, 29, 0))
    monkeypatch.setattr(cifar, "CIFAR100", small)
    forms = tuple(
        dataclasses.replace(f, card=small) if f.card.name == "cifar100" else f for f in cifar_batches.FORMS
    )
    monkeypatch.setattr(cifar_batches, "FORMS", forms)


def hundred_as_parquet(folder: Path, names: list[str] | None = None) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    for split, (data, fine, coarse) in files.hundred().items():
        images = [{"bytes": encoded(Image.fromarray(files.pixels(row)), "PNG"), "path": None} for row in data]
        table = pa.table({"img": images, "fine_label": fine, "coarse_label": coarse})
        if names is not None:
            about = {"info": {"features": {"fine_label": {"names": names, "_type": "ClassLabel"}}}}
            table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
        (folder / "cifar100").mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / "cifar100" / f"{split}-00000-of-00001.parquet", row_group_size=2)
    return folder


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("form", [*HUNDRED, "parquet"])
def test_every_form_of_cifar100_gives_fine_and_coarse(tmp_path: Path, form: str) -> None:
    samples = index(hundred_as_parquet(tmp_path) if form == "parquet" else HUNDRED[form](tmp_path))
    assert samples.name == "cifar100"
    assert set(samples.column("dataset")) == {"cifar100"}
    assert [samples.classes.ids[v] for v in samples.labels] == [
        "cattle", "dinosaur", "apple", "worm", "aquarium_fish", "mountain", "forest",
    ]  # fmt: skip
    coarse = [samples.spaces["coarse"].ids[entry["id"]] for (entry,) in samples.column("labels")]
    assert coarse == [
        "large_omnivores_and_herbivores", "reptiles", "fruit_and_vegetables", "non-insect_invertebrates", "fish",
        "large_natural_outdoor_scenes", "large_natural_outdoor_scenes",
    ]  # fmt: skip
    assert {entry["source"] for (entry,) in samples.column("labels")} == {"dataset"}
    shown = [files.pixels(row) for data, _, _ in files.hundred().values() for row in data]
    reader = samples.reader()
    for i, image in enumerate(shown):
        np.testing.assert_array_equal(reader.pixels(i).values, image)
    # The same dataset in another form is the same table: splits and looks carry over.
    assert samples.digest == index(HUNDRED["binary"](tmp_path / "other")).digest


@pytest.mark.usefixtures("_small")
def test_names_of_the_hub(tmp_path: Path) -> None:
    spelt = [name.replace("_", " ") for name in datasets("cifar100").class_ids]
    samples = index(hundred_as_parquet(tmp_path / "hub", spelt))
    assert samples.digest == index(HUNDRED["binary"](tmp_path / "other")).digest
    official = list(datasets("cifar100").class_ids)
    strange = hundred_as_parquet(tmp_path / "strange", [*official[:-1], "something", "else"])
    with pytest.raises(DataError, match="'something', which is none of CIFAR-100's classes"):
        index(strange)


def test_a_study_keeps_the_coarse_labels(tmp_path: Path) -> None:
    samples = index(HUNDRED["binary"](tmp_path))
    samples.write(tmp_path / "s.parquet", tmp_path / "c.parquet")
    back = SampleTable.read(tmp_path / "s.parquet", tmp_path / "c.parquet")
    assert back.digest == samples.digest
    assert back.spaces["coarse"].ids == cifar.COARSE


def test_the_coarse_label_comes_first_in_a_record(tmp_path: Path) -> None:
    # 19 is cattle, a large omnivore or herbivore; read the other way round it would be coarse class 19.
    first = files.hundred_binary()["train.bin"][:2]
    assert list(first) == [11, 19]
    samples = index(HUNDRED["binary"](tmp_path))
    assert samples.classes.ids[samples.labels[0]] == "cattle"


def test_somebody_elses_classes(tmp_path: Path) -> None:
    mine = {**files.ten_binary(), "batches.meta.txt": "\n".join(f"kind {i}" for i in range(10)).encode()}
    samples = index(write_files(tmp_path / "mine", mine))
    assert samples.classes.ids[:2] == ("kind 0", "kind 1")
    assert samples.name == "mine"


def replaced(form: dict[str, bytes], name: str, data: bytes | None) -> dict[str, bytes]:
    found = {**form, name: data or b""}
    return found if data is not None else {k: v for k, v in found.items() if k != name}


PYTHON, BINARY = files.ten_python(), files.ten_binary()
SHORT = pickle.dumps({"data": np.zeros((2, 5), np.uint8), "labels": [1, 2]}, 4)
AS_TEXT = pickle.dumps({"data": files.ten()["data_batch_2"][0], "labels": [1, 2, 3]}, 2)


@pytest.mark.parametrize(
    ("form", "name", "data", "message"),
    [
        (BINARY, "data_batch_3.bin", None, "lacks data_batch_3.bin"),
        (BINARY, "data_batch_3.bin", BINARY["data_batch_3.bin"][:-1], "9,218 bytes, which are no whole records"),
        (BINARY, "data_batch_3.bin", b"", "no whole records"),
        (BINARY, "data_batch_3.bin", b"\x0a" + BINARY["data_batch_3.bin"][1:], "label 10 in record 0"),
        (BINARY, "batches.meta.txt", b"cat\ncat\n", "names a class twice"),
        (PYTHON, "data_batch_2", PYTHON["data_batch_2"][:-2000], "damaged"),
        (PYTHON, "data_batch_2", b"cposix\nsystem\n(S'true'\ntR.", "names posix.system"),
        (PYTHON, "data_batch_2", pickle.dumps([1, 2], 4), "holds a list; wanted a dict"),
        (PYTHON, "data_batch_2", SHORT, "wanted data"),
        (PYTHON, "data_batch_2", pickle.dumps({"data": files.planes(2, 1), "labels": [1]}, 4), "2 images but 1 labels"),
        (PYTHON, "data_batch_2", AS_TEXT, "stores pixels as text"),
    ],
)  # fmt: skip
def test_damage_is_named(tmp_path: Path, form: dict[str, bytes], name: str, data: bytes | None, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        index(write_files(tmp_path / "cifar", replaced(form, name, data)))
    assert name in str(error.value) or "meta" in name


def test_a_cut_archive_is_named(tmp_path: Path) -> None:
    file = TEN["binary tar.gz"](tmp_path)
    file.write_bytes(file.read_bytes()[:-20_000])
    with pytest.raises(DataError, match="damaged archive"):
        index(file)


def test_members_of_other_folders_and_links_are_no_files_of_the_dataset(tmp_path: Path) -> None:
    odd = {**files.ten_binary(), "../data_batch_1.bin": b"", "deeper/test_batch.bin": b""}
    links = {"data_batch_2.bin": "/etc/hostname"}
    samples = index(files.packed(tmp_path / "cifar.tar.gz", "cifar-10-batches-bin", odd, links))
    assert len(samples) == 18
    assert samples.reader().payload(0) == files.ten()["data_batch_1"][0][0].tobytes()
    assert [p.name for p in tmp_path.rglob("*")] == ["cifar.tar.gz"]


def test_two_datasets_are_not_mixed_and_two_forms_are_told(tmp_path: Path) -> None:
    TEN["binary folder"](tmp_path)
    TEN["python folder"](tmp_path)
    both = index(tmp_path)
    assert len(both) == 18
    assert both.notes == ("cifar-10-batches-bin is read, cifar-10-batches-py beside it is not",)
    HUNDRED["binary"](tmp_path)
    with pytest.raises(DataError, match="holds CIFAR-10 and CIFAR-100"):
        index(tmp_path)


def test_class_folders_called_train_and_test_are_no_cifar(tmp_path: Path) -> None:
    from tests.sources import jpeg

    write_files(tmp_path, {f"{s}/{c}/1.jpg": jpeg() for s in ("train", "test") for c in ("cat", "dog")})
    assert not cifar_batches.is_at(tmp_path)
