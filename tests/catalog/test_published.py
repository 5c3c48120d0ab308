"""Published sets in layouts that others have too: known by their file names, with the classes they mean."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.catalog import label_data
from sightline.catalog.imagenet_names import as_imagenet, in_blocks, named
from sightline.catalog.label_maps import label_space
from sightline.catalog.published import as_published
from sightline.errors import DataError
from sightline.formats import Attributes, Listing, class_folders
from sightline.formats.listing import joined
from sightline.indexing import index
from tests.catalog.imagenet_sources import (
    TRAIN,
    VAL,
    VAL_LABELS,
    WNIDS,
    all_classes,
    assert_is_the_miniature,
    tar_bytes,
    val_name,
)
from tests.sources import jpeg, write_files, write_hub

DEVKIT = label_space("imagenet-1k/devkit")
NUMBER = {"sorted": WNIDS.index, "background": lambda w: WNIDS.index(w) + 1, "devkit": lambda w: DEVKIT.index(w) + 1}
VAL_WNIDS = {n: WNIDS[label_data.val_labels()[n - 1]] for n in VAL}


def train_and_val(numbering: str) -> dict[str, tuple[list[str], list[bytes], list[int]]]:
    """Names, images and labels of each split under a numbering."""
    number = NUMBER[numbering]
    train, val = list(TRAIN), list(VAL)
    return {
        "train": ([n.split("/")[1] for n in train], [TRAIN[n] for n in train], [number(n[:9]) for n in train]),
        "validation": ([val_name(n) for n in val], [VAL[n] for n in val], [number(VAL_WNIDS[n]) for n in val]),
    }


@pytest.mark.parametrize(("name", "expected"), [
    ("n01440764_10026.JPEG", ("train", "train/n01440764/n01440764_10026.JPEG", "n01440764")),
    ("n01440764_10026_n01440764.JPEG", ("train", "train/n01440764/n01440764_10026.JPEG", "n01440764")),
    ("a/b/n01440764_10026", ("train", "train/n01440764/n01440764_10026.JPEG", "n01440764")),
    ("ILSVRC2012_val_00000001_n01751748.JPEG", ("val", f"val/{val_name(1)}", "n01751748")),
    ("val/n09193705/ILSVRC2012_val_00000002.JPEG", ("val", f"val/{val_name(2)}", "n09193705")),
    ("ILSVRC2012_test_00000007.JPEG", ("test", "test/ILSVRC2012_test_00000007.JPEG", None)),
    ("ILSVRC2012_val_00050001.JPEG", None), ("n01440764.JPEG", None), ("n01440764_x.JPEG", None), ("cat.jpg", None),
])  # fmt: skip
def test_what_a_name_says(name: str, expected: tuple[str, str, str | None] | None) -> None:
    found = named(name)
    assert expected == (None if found is None else (found.split, found.key, found.wnid))


def test_hub_parquet(tmp_path: Path) -> None:
    """Paths end in the class; the test split has -1."""
    for split, (names, images, labels) in train_and_val("sorted").items():
        wnids = [WNIDS[i] for i in labels]
        paths = [f"{n.removesuffix('.JPEG')}_{w}.JPEG" for n, w in zip(names, wnids, strict=True)]
        write_hub(tmp_path / f"data/{split}-00000-of-00002.parquet", images, labels, paths=paths)
    assert_is_the_miniature(index(tmp_path))
    assert not index(tmp_path).notes
    write_hub(tmp_path / "data/test-00000-of-00001.parquet", [jpeg(9)], [-1], paths=["ILSVRC2012_test_00000001.JPEG"])
    samples = index(tmp_path)
    assert samples.column("key")[-1] == "test/ILSVRC2012_test_00000001.JPEG"
    assert samples.column("label")[-1] is None


@pytest.mark.parametrize(("numbering", "note"), [
    ("background", "0 is a background class"), ("devkit", "order of the development kit"), ("sorted", ""),
])  # fmt: skip
def test_tfrecords_whose_labels_count_from_one(tmp_path: Path, numbering: str, note: str) -> None:
    """The names say which numbering is used; 1 … 1000 alone cannot."""
    pytest.importorskip("google_crc32c")
    from tests.formats.tf_records import write_tfrecord

    for split, (names, images, labels) in train_and_val(numbering).items():
        records = [
            {"image/encoded": image, "image/filename": name.encode(), "image/class/label": label}
            for name, image, label in zip(names, images, labels, strict=True)
        ]
        write_tfrecord(tmp_path / f"{split}-00000-of-00001", records)
    samples = index(tmp_path)
    assert_is_the_miniature(samples)
    assert any(note in n for n in samples.notes) if note else not samples.notes


def test_folders_and_archives_give_the_same_ids(tmp_path: Path) -> None:
    """A tar of class folders, and a folder of class folders."""
    all_classes(tmp_path / "tree" / "train")
    files = {**{f"train/{n}": d for n, d in TRAIN.items()},
             **{f"val/{VAL_WNIDS[n]}/{val_name(n)}": d for n, d in VAL.items()}}  # fmt: skip
    write_files(tmp_path / "tree", files)
    samples = index(tmp_path / "tree")
    assert_is_the_miniature(samples)


def listing_of(keys: list[str], labels: list[str | None], **known: Any) -> Listing:
    return Listing(
        layout="x", name="x", roots={"source": "/x"}, keys=keys, splits=known.pop("splits", [None] * len(keys)),
        labels=labels, images={"root": "source", "path": keys, "container": "file"}, **known,
    )  # fmt: skip


def test_labels_that_disagree_stay_with_their_owner() -> None:
    """A few wrong labels are noted and kept; where most are, the numbers mean something else."""
    keys = [f"{w}_1.JPEG" for w in WNIDS[::50]]
    labels = [str(i) for i in range(0, 1_000, 50)]
    one_wrong = as_imagenet(listing_of(keys, [*labels[:-1], "501"]))
    assert one_wrong is not None
    assert one_wrong.labels[-1] == WNIDS[501]
    assert "1 labels are others than ImageNet's own" in one_wrong.notes[0]
    assert as_imagenet(listing_of(keys, labels[::-1])) is None
    assert as_imagenet(listing_of(keys, ["a"] * 20)) is None


@pytest.mark.parametrize("wrong", [0, 1])
def test_block_by_block_it_is_the_same_as_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: int
) -> None:
    all_classes(tmp_path / "train")
    files = [f"train/{w}/{w}_{i}.JPEG" for w in WNIDS[:9] for i in "12"]
    files += [f"train/{WNIDS[0]}/{WNIDS[1]}_7.JPEG"] * wrong
    files += [f"val/{VAL_WNIDS[n]}/{val_name(n)}" for n in VAL] + [f"test/ILSVRC2012_test_{i:08d}.JPEG" for i in (2, 3)]
    write_files(tmp_path, dict.fromkeys([*files, "train/readme.txt", "val/a.txt"], b"words"))
    whole = as_imagenet(class_folders.read(tmp_path, Attributes()))
    assert whole is not None
    monkeypatch.setattr(class_folders, "BLOCK", 3)
    blocks = in_blocks(partial(class_folders.read_blocks, tmp_path, Attributes()))
    assert blocks is not None
    found = list(blocks)
    assert len(found) > (2 if wrong else 5)  # what lies in another's folder is put in order, with all of its split
    assert found[-1].notes == whole.notes
    assert len(whole.notes) == 3 + wrong
    together = joined(found)
    assert (together.keys, together.splits, together.labels) == (whole.keys, whole.splits, whole.labels)
    assert together.images == whole.images
    assert (together.class_ids, together.policy, together.dataset) == (whole.class_ids, "official", "imagenet-1k")
    assert index(tmp_path).column("key") == whole.keys


def test_names_in_the_place_of_numbers() -> None:
    """Hubs name the classes in the order of the sorted wnids; the names themselves are no keys."""
    names = tuple(f"name {i}" for i in range(1_000))
    keys = [f"{w}_1_{w}.JPEG" for w in WNIDS[::100]]
    found = as_imagenet(listing_of(keys, list(names[::100]), class_ids=names, policy="official"))
    assert found is not None
    assert found.labels == list(WNIDS[::100])
    shifted = ("background", *names)
    found = as_imagenet(listing_of(keys, list(names[::100]), class_ids=shifted, policy="official"))
    assert found is not None
    assert found.labels == list(WNIDS[::100])


def test_a_part_of_imagenet_is_ones_own(tmp_path: Path) -> None:
    keys = ["n01440764/n01440764_1.JPEG", "n02102040/n02102040_1.JPEG"]
    some = listing_of(keys, [k[:9] for k in keys], class_ids=("n01440764", "n02102040"))
    assert as_published(some) is some
    every = listing_of(keys, [k[:9] for k in keys], class_ids=WNIDS)
    assert as_published(every).dataset == "imagenet-1k"
    moved = listing_of(keys, [k[:9] for k in keys], class_ids=WNIDS, splits=["train", "val"])
    assert as_published(moved) is moved  # a division of one's own
    ten = listing_of([f"{w}_1.JPEG" for w in WNIDS[:10]], [str(i) for i in range(10)])
    assert as_published(ten) is ten
    photos = listing_of(["a/1.jpg", "b/1.jpg"], ["a", "b"])
    assert as_published(photos) is photos


def hexadecimal(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def test_v2_folders_are_numbers_of_sorted_wnids(tmp_path: Path) -> None:
    """0, 1, 10, 100 … as text would give nearly every image a wrong class."""
    root = tmp_path / "imagenetv2-matched-frequency-format-val"
    write_files(root, {f"{i}/{hexadecimal(str(i))}.jpeg": jpeg(0) for i in range(1_000)})
    samples = index(root)
    assert samples.name == "imagenet-v2"
    assert set(samples.column("split")) == {"test"}
    assert samples.classes.ids == WNIDS
    for key, label, extra in zip(samples.column("key"), samples.labels, samples.column("extra"), strict=True):
        _, variant, number, _ = key.split("/")
        assert (int(number), variant) == (label, "matched-frequency")
        assert json.loads(extra) == {"variant": "matched-frequency"}
    assert samples.column("groups")[0][0]["kind"] == "image"


def test_numbered_folders_of_ones_own_are_not_v2(tmp_path: Path) -> None:
    keys = [f"{i}/{hexadecimal(str(i))}.jpeg" for i in range(1_000)]
    own = listing_of(keys, [str(i) for i in range(1_000)])
    assert as_published(own) is own


@pytest.mark.parametrize(("name", "space", "file"), [
    ("imagenet-a", "imagenet-a", "0.001_fox _ wolf_0.9.jpg"), ("imagenet-r", "imagenet-r", "cartoon_3.jpg"),
    ("imagenet-sketch", "imagenet-1k", "sketch_7.JPEG"),
])  # fmt: skip
def test_folders_of_wnids_keep_the_thousand_classes(tmp_path: Path, name: str, space: str, file: str) -> None:
    """200 folders numbered 0 … 199 would be another class space than the model's."""
    write_files(tmp_path / name, {f"{wnid}/{file}": jpeg(0) for wnid in label_space(space)})
    (tmp_path / name / "README.txt").write_text("words")
    samples = index(tmp_path / name)
    assert samples.name == name
    assert samples.classes.ids == WNIDS
    assert [samples.classes.ids[i] for i in samples.labels] == list(label_space(space))
    assert set(samples.column("split")) == {"test"}
    assert any("800 of the 1,000 classes" in n for n in samples.notes) == (name != "imagenet-sketch")
    styles = {json.loads(e)["style"] for e in samples.column("extra") if e}
    assert styles == ({"cartoon"} if name == "imagenet-r" else set())


def test_a_set_for_testing_is_sealed_whole(tmp_path: Path) -> None:
    write_files(tmp_path, {f"{wnid}/0.1_x.jpg": jpeg(i) for i, wnid in enumerate(label_space("imagenet-a"))})
    splits = sl.split(index(tmp_path))
    assert len(splits.test) == 200
    with pytest.raises(DataError, match="sealed"):
        index(tmp_path).take(splits.test)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_corrupted_images_of_one_photograph_stay_together(tmp_path: Path, depth: int) -> None:
    files = {
        f"imagenet-c/{kind}/{severity}/{VAL_WNIDS[n]}/{val_name(n)}": jpeg(n)
        for kind in ("fog", "gaussian_noise") for severity in (1, 5) for n in (1, 2, 3)
    }  # fmt: skip
    write_files(tmp_path, files)
    root = [tmp_path / "imagenet-c", tmp_path / "imagenet-c" / "fog", tmp_path / "imagenet-c" / "fog" / "5"][depth]
    samples = index(root)
    assert samples.name == "imagenet-c"
    assert len(samples) == [12, 6, 3][depth]
    assert set(Counter(samples.column("group_id")).values()) == {[4, 2, 1][depth]}
    for key, label in zip(samples.column("key"), samples.labels, strict=True):
        assert VAL_LABELS[int(key[-13:-5])] == label
    kind = "fog" if depth else "gaussian_noise"
    assert json.loads(samples.column("extra")[-1]) == {"corruption": kind, "severity": 5}
    assert not samples.notes or "of the 1,000 classes" in samples.notes[-1]


def test_corruptions_in_an_archive(tmp_path: Path) -> None:
    """A lone folder around everything is not lost: it names the corruption."""
    members = {f"fog/{s}/{VAL_WNIDS[n]}/{val_name(n)}": jpeg(n) for s in (1, 2) for n in (1, 2)}
    (tmp_path / "fog.tar").write_bytes(tar_bytes({**members, f"fog/1/n01440764/{val_name(3)}": jpeg(3)}))
    samples = index(tmp_path / "fog.tar")
    assert samples.name == "imagenet-c"
    assert samples.column("key")[0] == f"test/fog/1/n01440764/{val_name(3)}"
    assert any("1 images lie in the folder of another class" in note for note in samples.notes)


def test_more_classes_than_the_thousand_are_21k(tmp_path: Path) -> None:
    wnids = label_space("imagenet-21k/fall11")[:1_001]
    tars = {f"{w}.tar": tar_bytes({f"{w}_{n}.JPEG": jpeg(0) for n in (7, 1)}) for w in wnids}
    write_files(tmp_path, {f"winter21/{name}": data for name, data in tars.items()})
    samples = index(tmp_path / "winter21")
    assert samples.name == "imagenet-21k"
    assert samples.classes.ids == wnids
    assert samples.classes.title(0).endswith(f"({wnids[0]})")
    assert samples.column("key")[:2] == [f"{wnids[0]}/{wnids[0]}_1.JPEG", f"{wnids[0]}/{wnids[0]}_7.JPEG"]
    assert set(samples.column("split")) == {None}


def test_webdataset_shards(tmp_path: Path) -> None:
    """As timm publishes them: keys without a suffix, labels 0 … 999, and the split in the names of the shards."""
    for split, (names, images, labels) in train_and_val("sorted").items():
        members: dict[str, bytes] = {}
        for name, image, label in zip(names, images, labels, strict=True):
            stem = name.removesuffix(".JPEG")
            members |= {f"{stem}.jpg": image, f"{stem}.cls": str(label).encode()}
        (tmp_path / f"imagenet1k-{split}-0000.tar").write_bytes(tar_bytes(members))
    assert_is_the_miniature(index(tmp_path))


def test_a_tar_of_class_folders(tmp_path: Path) -> None:
    """One's own archive of the unpacked tree, with a folder around everything."""
    files = {**{f"in1k/train/{n}": d for n, d in TRAIN.items()},
             **{f"in1k/val/{VAL_WNIDS[n]}/{val_name(n)}": d for n, d in VAL.items()}}  # fmt: skip
    empty = {f"in1k/train/{w}/{w}_0.JPEG": jpeg(0) for w in WNIDS}
    (tmp_path / "in1k.tar").write_bytes(tar_bytes({**empty, **files}))
    samples = index(tmp_path / "in1k.tar")
    assert samples.name == "imagenet-1k"
    assert samples.column("key")[-1] == f"val/{val_name(50_000)}"
    assert len(samples) == len(WNIDS) + len(files)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(WNIDS), st.integers(0, 200_000), st.sampled_from(["", "_CLASS"]),
    st.sampled_from(["", ".JPEG", ".jpg"]),
)  # fmt: skip
def test_every_way_to_write_a_name_gives_one_key(wnid: str, number: int, behind: str, suffix: str) -> None:
    found = named(f"x/{wnid}_{number}{behind.replace('CLASS', wnid)}{suffix}")
    assert found is not None
    assert (found.split, found.key, found.wnid) == ("train", f"train/{wnid}/{wnid}_{number}.JPEG", wnid)
    assert named(found.key) == found


def test_what_a_download_leaves(tmp_path: Path) -> None:
    """A folder with the dataset's tar, or with the folder that it unpacked to."""
    members = {f"imagenet-a/{w}/0.001_fox.jpg": jpeg(0) for w in label_space("imagenet-a")}
    write_files(tmp_path / "fetched", {"imagenet-a.tar": tar_bytes({"imagenet-a/README.txt": b"words", **members})})
    write_files(tmp_path / "unpacked", members)
    fetched, unpacked = index(tmp_path / "fetched"), index(tmp_path / "unpacked")
    assert fetched.name == "imagenet-a"
    assert fetched.digest == unpacked.digest == index(tmp_path / "unpacked" / "imagenet-a").digest


def test_a_folder_as_tensorflow_datasets_writes_it(tmp_path: Path) -> None:
    """Labels 0 … 999 with the wnids as their names, file names in the records, and the name of a version."""
    pytest.importorskip("google_crc32c")
    from tests.formats.tf_records import write_tfrecord

    folder = tmp_path / "imagenet2012" / "5.1.0"
    for split, (names, images, labels) in train_and_val("sorted").items():
        records = [{"image": image, "file_name": name.encode(), "label": label}
                   for name, image, label in zip(names, images, labels, strict=True)]  # fmt: skip
        write_tfrecord(folder / f"imagenet2012-{split}.tfrecord-00000-of-00001", records)
    write_files(folder, {"label.labels.txt": "\n".join(WNIDS).encode()})
    assert_is_the_miniature(index(tmp_path / "imagenet2012"))
