"""Further labels stand beside the dataset's own, with a source; another order is noticed."""

from __future__ import annotations

import gzip
import json
import pickle
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.errors import DataError
from sightline.indexing import index
from sightline.samples import SampleTable
from tests.sources import jpeg, picture, write_files, write_idx

RNG = np.random.default_rng(0)
TRAIN, TEST = RNG.integers(0, 4, 80).astype(np.uint8), RNG.integers(0, 4, 60).astype(np.uint8)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleTable:
    folder = tmp_path_factory.mktemp("digits")
    write_idx(folder, np.stack([picture(3, 3, 1, i) for i in range(80)]), TRAIN)
    write_idx(folder, np.stack([picture(3, 3, 1, i) for i in range(60)]), TEST, "t10k")
    return index(folder)


def noisy(labels: np.ndarray[Any, Any], share: float = 0.3) -> np.ndarray[Any, Any]:
    wrong = np.random.default_rng(1).random(len(labels)) < share
    return np.where(wrong, (labels + 1) % 4, labels).astype(np.int64)


def told(samples: SampleTable, source: str) -> list[list[tuple[int, int, float | None]]]:
    return [
        [(e["id"], e["state"], e["score"]) for e in entries or [] if e["source"] == source]
        for entries in samples.column("labels")
    ]


def saved(path: Path, values: Any) -> Path:
    np.save(path, values, allow_pickle=True)
    return path


def test_an_array_in_official_order(samples: SampleTable, tmp_path: Path) -> None:
    new = noisy(TRAIN)
    new[3] = -1  # nobody labelled it
    found = sl.with_labels(samples, saved(tmp_path / "new.npy", new), source="raters")
    assert told(found, "raters") == [[] if v < 0 else [(v, 1, None)] for v in new.tolist()] + [[]] * 60
    assert found.column("label") == samples.column("label")
    assert found.notes[-1] == "labels of raters for 79 samples"
    assert found.digest != samples.digest
    again = sl.with_labels(found, saved(tmp_path / "test.npy", noisy(TEST)), source="others")
    assert told(again, "raters") == told(found, "raters")
    assert [v[0][0] for v in told(again, "others")[80:]] == noisy(TEST).tolist()
    with pytest.raises(DataError, match=r"'raters' has labels .* used are: dataset, others, raters"):
        sl.with_labels(again, tmp_path / "new.npy", source="raters")
    again.write(tmp_path / "s.parquet", tmp_path / "c.parquet")
    back = SampleTable.read(tmp_path / "s.parquet", tmp_path / "c.parquet")
    assert back.column("labels") == again.column("labels")


def test_another_order_is_noticed(samples: SampleTable, tmp_path: Path) -> None:
    turned = np.random.default_rng(2).permutation(np.sort(TRAIN).astype(np.int64))
    with pytest.raises(DataError, match=r"where chance gives 2\d\.\d%: its rows, or its classes, are in another order"):
        sl.with_labels(samples, saved(tmp_path / "x.npy", turned), source="raters")


def test_shares_of_raters(samples: SampleTable, tmp_path: Path) -> None:
    counts = np.zeros((60, 4), np.int64)
    counts[np.arange(60), TEST] = 40
    counts[np.arange(60), (TEST + 1) % 4] = 10
    found = sl.with_labels(samples, saved(tmp_path / "counts.npy", counts), source="cifar10h")
    assert told(found, "cifar10h")[:80] == [[]] * 80
    first = {i: round(score or 0, 6) for i, _, score in told(found, "cifar10h")[80]}
    assert first == {int(TEST[0]): 0.8, int((TEST[0] + 1) % 4): 0.2}
    with pytest.raises(DataError, match=r"5 classes; .* has 4"):
        sl.with_labels(samples, saved(tmp_path / "five.npy", np.ones((60, 5))), source="raters")
    with pytest.raises(DataError, match="negative or missing"):
        sl.with_labels(samples, saved(tmp_path / "nan.npy", np.full((60, 4), np.nan)), source="raters")


def as_npy(path: Path, values: dict[str, Any]) -> Path:
    return saved(path.with_suffix(".npy"), values)


def as_npz(path: Path, values: dict[str, Any]) -> Path:
    np.savez(path.with_suffix(".npz"), **values)
    return path.with_suffix(".npz")


def as_pt(path: Path, values: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path.with_suffix(".pt"), "w") as archive:  # as torch.save writes what holds no tensors
        archive.writestr("human/data.pkl", pickle.dumps(values, 2))
        archive.writestr("human/version", "3\n")
    return path.with_suffix(".pt")


@pytest.mark.parametrize("form", [as_npy, as_npz, as_pt])
def test_the_dicts_of_cifar_n(
    samples: SampleTable, tmp_path: Path, form: Callable[[Path, dict[str, Any]], Path]
) -> None:
    values = {"clean_label": TRAIN.astype(np.int64), "worse_label": noisy(TRAIN, 0.4), "aggre_label": noisy(TRAIN, 0.1)}
    file = form(tmp_path / "human", values)
    found = sl.with_labels(samples, file, source="aggre", field="aggre_label")
    assert [v[0][0] for v in told(found, "aggre")[:80]] == values["aggre_label"].tolist()
    with pytest.raises(DataError, match="has worse_label, aggre_label"):
        sl.with_labels(samples, file, source="x")
    with pytest.raises(DataError, match="Did you mean 'worse_label'"):
        sl.with_labels(samples, file, source="x", field="worst_label")


def test_the_order_of_tensorflow_is_noticed(samples: SampleTable, tmp_path: Path) -> None:
    order = np.random.default_rng(3).permutation(80)
    values = {"clean_label": TRAIN[order].astype(np.int64), "noise_label": noisy(TRAIN)[order]}
    with pytest.raises(DataError, match=r"repeats the dataset's own labels, .* in another order"):
        sl.with_labels(samples, as_npy(tmp_path / "ordered", values), source="raters")


def test_tensors_and_other_classes_are_refused(samples: SampleTable, tmp_path: Path) -> None:
    file = tmp_path / "human.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("human/data.pkl", b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n.")
    with pytest.raises(DataError, match=r"names torch\._utils\._rebuild_tensor_v2"):
        sl.with_labels(samples, file, source="x")


def mturk(number: int, given: int, guessed: int, votes: Sequence[int], url: str = "") -> dict[str, Any]:
    names = ("given", "guessed", "neither", "both")
    return {"id": number, "url": url or f"https://example.org/{number}.png", "given_original_label": given,
            "our_guessed_label": guessed, "mturk": dict(zip(names, votes, strict=True))}  # fmt: skip


def test_confirmed_label_errors(samples: SampleTable, tmp_path: Path) -> None:
    own = TEST.tolist()
    items = [
        mturk(0, own[0], (own[0] + 1) % 4, (0, 5, 0, 0)),  # a confirmed error
        mturk(7, own[7], (own[7] + 1) % 4, (4, 0, 0, 1)),  # no error
        mturk(9, own[9], (own[9] + 2) % 4, (0, 1, 4, 0)),  # neither of both
        mturk(11, own[11], (own[11] + 1) % 4, (1, 1, 0, 3)),  # both
        mturk(12, own[12], own[12], (4, 4, 1, 0)),  # asked about one label alone
    ]
    file = tmp_path / "mturk.json"
    file.write_text(json.dumps(items))
    found = sl.with_labels(samples, file, source="mturk", split="test")
    entries = told(found, "mturk")
    assert entries[80] == [(own[0], -1, 1.0), ((own[0] + 1) % 4, 1, 1.0)]
    assert entries[87] == [(own[7], 1, 1.0), ((own[7] + 1) % 4, -1, pytest.approx(0.8))]
    assert [state for _, state, _ in entries[89]] == [-1, -1]
    assert [state for _, state, _ in entries[91]] == [1, 1]
    assert entries[92] == [(own[12], 1, pytest.approx(0.8))]
    assert found.column("label") == samples.column("label")
    with pytest.raises(DataError, match="does not say for which split"):
        sl.with_labels(samples, file, source="mturk")
    other = [mturk(i, (own[i] + 1) % 4, own[i], (5, 0, 0, 0)) for i in range(10)]
    file.write_text(json.dumps(other))
    with pytest.raises(DataError, match="10 of 10 are others than here"):
        sl.with_labels(samples, file, source="mturk", split="test")


def test_imagenet_is_known_by_its_files_not_by_position(tmp_path: Path) -> None:
    names = {f"val/{c}/ILSVRC2012_val_0000029{i}.JPEG": jpeg(i) for i, c in ((3, "n01440764"), (1, "n01443537"))}
    table = index(write_files(tmp_path / "in", names))
    items = [mturk(293, 0, 1, (0, 5, 0, 0), "https://example.org/val/n01440764/ILSVRC2012_val_00000293.JPEG")]
    file = tmp_path / "mturk.json"
    file.write_text(json.dumps(items))
    found = sl.with_labels(table, file, source="mturk")
    row = next(i for i, key in enumerate(table.column("key")) if key.endswith("293.JPEG"))
    assert told(found, "mturk")[row] == [(0, -1, 1.0), (1, 1, 1.0)]
    assert told(found, "mturk")[1 - row] == []


def test_tables_with_keys(samples: SampleTable, tmp_path: Path) -> None:
    csv = tmp_path / "new.csv"
    csv.write_text("key,label,confidence\ntest/00003,2,0.9\ntest/00003,1,0.1\ntrain/00001,0,\ntest/00004,,\n")
    found = sl.with_labels(samples, csv, source="doctor")
    entries = told(found, "doctor")
    assert entries[83] == [(2, 1, pytest.approx(0.9)), (1, 1, pytest.approx(0.1))]
    assert entries[1] == [(0, 1, None)]
    assert sum(map(bool, entries)) == 2
    csv.write_text("key,label\ntest/99999,2\n")
    with pytest.raises(DataError, match=r"such as 'test/99999'\. Keys look like 'train/00000'"):
        sl.with_labels(samples, csv, source="doctor")
    csv.write_text("key,label\ntest/00003,seven\n")
    with pytest.raises(DataError, match="'seven', which is no class"):
        sl.with_labels(samples, csv, source="doctor")


def test_lists_in_json(samples: SampleTable, tmp_path: Path) -> None:
    file = tmp_path / "real.json"
    several = [[int(v), int((v + 1) % 4)] if i % 2 else [int(v)] if i % 3 else [] for i, v in enumerate(TEST)]
    file.write_text(json.dumps(several))
    found = sl.with_labels(samples, file, source="real", split="test")
    assert [[i for i, _, _ in entries] for entries in told(found, "real")[80:]] == several
    file.write_text(json.dumps({"test/00002": [1, 2], "train/00000": 3}))
    assert told(sl.with_labels(samples, file, source="real"), "real")[82] == [(1, 1, None), (2, 1, None)]


def test_a_part_of_a_dataset_keeps_its_numbers(samples: SampleTable, tmp_path: Path) -> None:
    folder = Path(samples.roots["source"])
    file = saved(tmp_path / "new.npy", noisy(TRAIN))
    part = sl.with_labels(index(folder, limit=0.5), file, source="raters", split="train")
    for key, entries in zip(part.column("key"), told(part, "raters"), strict=True):
        split, number = key.split("/")
        assert entries == ([(int(noisy(TRAIN)[int(number)]), 1, None)] if split == "train" else [])
    some = index(folder, classes=["1", "3"])
    wide = saved(tmp_path / "wide.npy", np.full(80, 5))
    with pytest.raises(DataError, match="numbers the classes of the whole dataset"):
        sl.with_labels(some, wide, source="raters", split="train")


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.npy", b"\x93NUMPY\x01\x00", "is damaged"), ("a.npy", b"x", "is damaged"), ("a.npz", b"PK", "is damaged"),
    ("a.pt", b"PK", "is damaged"), ("a.json", b"{", "not valid JSON"), ("a.json", b"3", "holds a int"),
    ("a.json", b"[1.5]", "1.5 where a label"), ("a.json", b'[{"id": 1}]', "no list of label errors"),
    ("a.txt", b"1", "not a file of labels"), ("a.csv", b"key,note\nx,y\n", "no column 'label'. It has: key, note"),
    ("a.csv", b"key,label,score\ntest/00000,1,7\n", "beyond 0 … 1"), ("missing.npy", None, "does not exist"),
    ("a.csv", gzip.compress(b"x"), "."),
])  # fmt: skip
def test_what_is_no_file_of_labels(
    samples: SampleTable, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        sl.with_labels(samples, tmp_path / name, source="raters")


@pytest.mark.parametrize(("values", "message"), [
    (np.zeros(79, int), "79 rows, and does not say for which split"), (np.full(80, 4), "class number 4; wanted 0 … 3"),
    (np.zeros((80, 2, 2)), "of shape"), (np.full(80, 0.5), "wanted a list of class numbers"),
])  # fmt: skip
def test_what_does_not_fit(samples: SampleTable, tmp_path: Path, values: np.ndarray[Any, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        sl.with_labels(samples, saved(tmp_path / "x.npy", values), source="raters")


def test_the_names_of_sources(samples: SampleTable, tmp_path: Path) -> None:
    file = saved(tmp_path / "x.npy", noisy(TRAIN))
    for source in ("", "dataset"):
        with pytest.raises(DataError, match="is no name"):
            sl.with_labels(samples, file, source=source)
    with pytest.raises(DataError, match=r"no official split 'tset'\. Did you mean 'test'"):
        sl.with_labels(samples, file, source="x", split="tset")


@settings(max_examples=25, deadline=None)
@given(labels=st.lists(st.integers(-1, 3), min_size=60, max_size=60))
def test_the_datasets_own_labels_are_never_touched(samples: SampleTable, labels: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.json"
        file.write_text(json.dumps({f"test/{i:05d}": v for i, v in enumerate(labels)}))
        if set(labels) == {-1}:
            return
        found = sl.with_labels(samples, file, source="any")
    kept = [c for c in samples.table.column_names if c != "labels"]
    assert found.table.select(kept).equals(samples.table.select(kept))
    assert [e[0][0] if e else -1 for e in told(found, "any")[80:]] == labels


def test_the_real_noisy_labels_of_cifar10(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    samples = index(shared_data("cifar10"))
    file = shared_data("cifar10") / "ground_truth" / "cifar10n_random_label1.npy"
    found = sl.with_labels(samples, file, source="cifar10n-random1")
    own, new = samples.labels[:50_000], np.array([e[0][0] for e in told(found, "cifar10n-random1")[:50_000]])
    assert 0.82 < (own == new).mean() < 0.84  # published: 17.23 % of these labels are wrong
    turned = saved(tmp_path / "turned.npy", np.load(file)[::-1].astype(np.int64))
    with pytest.raises(DataError, match="in another order"):
        sl.with_labels(samples, turned, source="turned")
