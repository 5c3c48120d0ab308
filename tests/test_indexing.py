"""The verb `index`: identity, classes, parts, groups, and what it refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DataError
from sightline.formats import Listing
from sightline.indexing import index
from sightline.indexing.rows import group_ids
from sightline.samples import SampleTable, sample_id_of
from tests.sources import ODD_BUT_READABLE, TRUNCATED, UNREADABLE, jpeg, write_files, write_idx

IMAGE = jpeg()


def tree(folder: Path, counts: dict[str, int]) -> Path:
    return write_files(folder, {f"{c}/{i:03d}.jpg": IMAGE for c, n in counts.items() for i in range(n)})


def manifest(folder: Path, text: str, count: int = 6) -> Path:
    write_files(folder, {f"{i}.jpg": IMAGE for i in range(count)})
    (folder / "list.csv").write_text(text)
    return folder / "list.csv"


def test_the_same_source_gives_the_same_table(photo_folder: Path) -> None:
    first, second = index(photo_folder), index(str(photo_folder))
    assert first.digest == second.digest
    assert first.table.equals(second.table)
    assert first.column("ordinal") == list(range(80))
    assert Counter(first.column("split")) == {"train": 48, "val": 16, "test": 16}


def test_identity_is_the_key_not_the_place(tmp_path: Path) -> None:
    here, there = (index(tree(tmp_path / name, {"a": 2, "b": 2})) for name in ("here", "there"))
    assert here.column("sample_id") == there.column("sample_id")
    assert here.column("sample_id")[0] == sample_id_of("", "a/000.jpg")
    assert here.digest == there.digest


def test_a_new_file_changes_no_other_id(tmp_path: Path) -> None:
    before = index(tree(tmp_path, {"a": 2, "b": 2}))
    after = index(write_files(tmp_path, {"a/0000.jpg": IMAGE}))
    assert set(before.column("sample_id")) < set(after.column("sample_id"))


def test_odd_files_are_samples_and_unreadable_ones_have_a_reason(tmp_path: Path) -> None:
    good = {f"a/{n}": v[0] for n, v in ODD_BUT_READABLE.items()}
    bad = {f"b/{n}": v[0] for n, v in UNREADABLE.items()}
    cut = {f"b/{n}": v for n, v in TRUNCATED.items()}
    samples = index(write_files(tmp_path, {**good, **bad, **cut, "b/fine.jpg": IMAGE}))
    assert len(samples) == len(good) + len(bad) + len(cut) + 1  # nothing is lost
    listed = {k for k, s in zip(samples.column("key"), samples.column("status"), strict=True) if s == "unreadable"}
    assert listed == set(bad)
    read = samples.hashed()  # only a full read can tell that pixels are missing
    reasons = dict(zip(read.column("key"), read.column("reason"), strict=True))
    assert {k for k, r in reasons.items() if r} == {*bad, *cut}
    assert all(reasons[k].startswith("damaged") for k in cut)
    assert read.digest == samples.digest


def test_a_class_absent_from_one_split_keeps_its_number(tmp_path: Path) -> None:
    files = ["train/a/1.jpg", "train/b/1.jpg", "train/c/1.jpg", "val/a/1.jpg", "val/c/1.jpg"]
    samples = index(write_files(tmp_path, dict.fromkeys(files, IMAGE)))
    labels = dict(zip(samples.column("key"), samples.labels.tolist(), strict=True))
    assert labels["train/c/1.jpg"] == labels["val/c/1.jpg"] == 2


def test_numbered_classes_are_ordered_as_numbers(tmp_path: Path) -> None:
    samples = index(tree(tmp_path, dict.fromkeys(("0", "1", "2", "10", "100"), 1)))
    assert samples.classes.ids == ("0", "1", "2", "10", "100")
    assert samples.classes.policy == "numeric"
    mixed = index(tree(tmp_path, {"x": 1}))
    assert mixed.classes.ids == ("0", "1", "10", "100", "2", "x")
    assert mixed.classes.policy == "lexicographic"


def test_a_class_file_fixes_order_and_names(tmp_path: Path) -> None:
    tree(tmp_path / "source", {"a": 1, "b": 1})
    (tmp_path / "classes.txt").write_text("b\tBear\nz,Zebra\na\n")
    samples = index(tmp_path / "source", class_file=tmp_path / "classes.txt")
    assert samples.classes.ids == ("b", "z", "a")
    assert samples.classes.names == ("Bear", "Zebra", "a")
    assert samples.classes.policy == "file"
    assert samples.labels.tolist() == [2, 0]
    (tmp_path / "classes.txt").write_text("b\nz\n")
    with pytest.raises(DataError, match=r"1 classes that .* does not list: a"):
        index(tmp_path / "source", class_file=tmp_path / "classes.txt")
    with pytest.raises(DataError, match="cannot be read"):
        index(tmp_path / "source", class_file=tmp_path / "gone.txt")


def test_limit_takes_a_share_of_each_class_of_each_split(photo_folder: Path) -> None:
    part = index(photo_folder, limit=0.25)
    strata = Counter(zip(part.column("split"), part.labels.tolist(), strict=True))
    assert strata == {("train", 0): 6, ("train", 1): 6, ("val", 0): 2, ("val", 1): 2, ("test", 0): 2, ("test", 1): 2}
    assert part.subset == {"limit": 0.25}
    assert part.column("sample_id") == index(photo_folder, limit=0.25).column("sample_id")
    assert set(index(photo_folder, limit=0.125).column("sample_id")) < set(part.column("sample_id"))
    assert index(photo_folder, limit=1).digest == index(photo_folder).digest


def test_limit_keeps_every_class(tmp_path: Path) -> None:
    part = index(tree(tmp_path, {"a": 30, "b": 2}), limit=0.1)
    assert Counter(part.labels.tolist()) == {0: 3, 1: 1}


def test_limit_hardly_moves_when_the_source_grows(tmp_path: Path) -> None:
    before = set(index(tree(tmp_path, {"a": 100, "b": 100}), limit=0.2).column("key"))
    after = set(index(tree(tmp_path, {"a": 105, "b": 100}), limit=0.2).column("key"))
    assert len(before - after) <= 5


@pytest.mark.parametrize("limit", [0, -0.1, 1.5, 10])
def test_limit_is_a_fraction(photo_folder: Path, limit: float) -> None:
    with pytest.raises(DataError, match="limit must be a fraction"):
        index(photo_folder, limit=limit)


def test_some_classes_are_numbered_anew_in_their_old_order(tmp_path: Path) -> None:
    source = tree(tmp_path, {"a": 1, "b": 2, "c": 3})
    part = index(source, classes=["c", "a"])
    assert part.classes.ids == ("a", "c")
    assert part.labels.tolist() == [0, 1, 1, 1]
    assert part.subset == {"classes": ["a", "c"]}
    whole = dict(zip(index(source).column("key"), index(source).column("sample_id"), strict=True))
    assert all(whole[k] == i for k, i in zip(part.column("key"), part.column("sample_id"), strict=True))
    with pytest.raises(DataError, match=r"'A' is no class of the source\. Known: a, b, c"):
        index(source, classes=["A", "b"])


def test_classes_go_by_name_where_it_is_unique(tmp_path: Path) -> None:
    tree(tmp_path / "source", {"n1": 1, "n2": 1, "n3": 1})
    (tmp_path / "classes.txt").write_text("n1\tcrane\nn2\tcrane\nn3\towl\n")
    taken = index(tmp_path / "source", class_file=tmp_path / "classes.txt", classes=["owl", "n2"])
    assert taken.classes.ids == ("n2", "n3")
    with pytest.raises(DataError, match=r"the name of 2 classes \(n1, n2\)"):
        index(tmp_path / "source", class_file=tmp_path / "classes.txt", classes=["owl", "crane"])


def test_groups_reach_the_table(tmp_path: Path) -> None:
    text = "path,label,patient,eye\n0.jpg,x,P1,L\n1.jpg,y,P1,R\n2.jpg,x,P2,L\n3.jpg,y,,\n"
    samples = index(manifest(tmp_path, text), group=("patient",))
    assert samples.column("group_id") == ["patient:P1", "patient:P1", "patient:P2", "3.jpg"]
    assert samples.column("groups")[0] == [{"kind": "patient", "id": "P1"}]
    chained = index(tmp_path / "list.csv", group=("patient", "eye"))
    assert len(set(chained.column("group_id"))) == 2  # P1 and P2 share the left eye's machine


GROUP = st.tuples(st.sampled_from("kg"), st.sampled_from("01234567"))


@given(st.lists(st.lists(GROUP, max_size=3), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_group_ids_are_connected_components(groups: list[list[tuple[str, str]]]) -> None:
    keys = [f"key{i}" for i in range(len(groups))]
    listing = Listing(layout="", name="", roots={}, keys=keys, splits=[], labels=[], images={}, groups=groups)
    ids = group_ids(listing)
    # By hand: two samples are tied when a chain of shared groups leads from one to the other.
    tied = np.array([[bool(set(a) & set(b)) or i == j for j, b in enumerate(groups)] for i, a in enumerate(groups)])
    for _ in groups:
        tied = tied @ tied
    assert [[a == b for b in ids] for a in ids] == tied.tolist()


def test_time_reaches_the_table(tmp_path: Path) -> None:
    text = "path,label,taken\n0.jpg,x,2020-01-02\n1.jpg,y,2021-03-04T05:06\n"
    samples = index(manifest(tmp_path, text), time="taken")
    assert [t.isoformat() for t in samples.column("time")] == ["2020-01-02T00:00:00", "2021-03-04T05:06:00"]


def test_what_was_taken_without_being_told_is_said(tmp_path: Path) -> None:
    samples = index(manifest(tmp_path, "image,label,patient\n0.jpg,x,P1\n1.jpg,y,P1\n"))
    assert "grouped by the column 'patient'" in repr(samples)
    assert "path from the column 'image'" in repr(samples)


def test_the_name_is_the_folders_or_ones_own(tmp_path: Path) -> None:
    source = tree(tmp_path / "birds", {"a": 1, "b": 1})
    assert index(source).name == "birds"
    mine = index(source, name="garden")
    assert mine.name == "garden"
    assert mine.digest == index(source).digest


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "gone", "does not exist"),
        (lambda p: p, "holds no images"),
        (lambda p: tree(p, {"a": 3}), r"samples of 1 class \(a\).*two or more"),
        (lambda p: tree(p / "x", {"wrapped/a": 1, "wrapped/b": 1}), "one folder deeper: .*wrapped"),
        (lambda p: manifest(p, "path,label\n0.jpg,\n1.jpg,\n"), "no label at all"),
    ],
)
def test_sources_that_are_none(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(DataError, match=message):
        index(make(tmp_path))


def test_a_misspelt_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="Did you mean 'digits'"):
        index("digts")
    with pytest.raises(DataError, match=r"MNIST was not found below .*Put its files into data/mnist"):
        index("mnist")


def test_a_datasets_name_on_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_idx(tmp_path / "data/mnist", np.zeros((2, 4, 4), np.uint8), np.array([0, 1], np.uint8))
    with pytest.raises(DataError, match="not that dataset"):
        index("mnist")


def test_columns_are_refused_where_there_are_none(photo_folder: Path) -> None:
    for attributes in ({"group": ("patient",)}, {"time": "taken"}):
        with pytest.raises(DataError, match="class folders, which has no columns"):
            index(photo_folder, **attributes)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no columns"):
        index("digits", group="writer")


def _first_ids(samples: SampleTable) -> list[str]:
    return [i.hex()[:8] for i in samples.column("sample_id")[:2]]


def test_golden_digits() -> None:
    pytest.importorskip("sklearn")
    samples = index("digits")
    assert (len(samples), len(samples.classes)) == (1797, 10)
    assert samples.digest[:12] == "b5ae179be5d6"
    assert _first_ids(samples) == ["d6885bc6", "77e07689"]


@pytest.mark.parametrize(
    ("name", "size", "split", "digest"),
    [
        ("mnist", 70_000, "train", "b50863ab1c70"),
        ("cifar10", 60_000, "train", "269ad83859e9"),
        ("imagenette", 5_000, "train", "1a702d3059ce"),
        ("imagenet-originals", 500, None, "e83b941b8e6d"),
    ],
)
def test_golden_sources(
    shared_data: Callable[[str], Path], name: str, size: int, split: str | None, digest: str
) -> None:
    samples = index(shared_data(name))
    assert (len(samples), samples.name) == (size, name)
    assert samples.column("split")[0] == split
    assert samples.digest[:12] == digest
    assert samples.is_ok.all()


def test_the_real_cifar10_by_number(shared_data: Callable[[str], Path]) -> None:
    samples = index(shared_data("cifar10"), limit=0.01)
    assert samples.classes.ids[6] == "frog"
    assert samples.classes.policy == "official"
    assert all(k.split("/")[0] in {"train", "test"} and k.split("/")[1].isdigit() for k in samples.column("key"))
    shapes = {samples.reader().pixels(i).values.shape for i in range(len(samples))}
    assert shapes == {(32, 32, 3)}
