"""ImageNet-1k in its archives and its folders: nothing unpacked, keys and labels the same from each."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from sightline.catalog import devkit, label_data
from sightline.catalog.label_maps import label_space
from sightline.errors import DataError
from sightline.indexing import index
from tests.catalog.imagenet_sources import (
    TRAIN,
    VAL,
    WNIDS,
    all_classes,
    assert_is_the_miniature,
    tar_bytes,
    val_name,
    write_archives,
)
from tests.sources import jpeg, write_files

DEVKIT = label_space("imagenet-1k/devkit")


def ground_truth(changed: dict[int, int] | None = None) -> bytes:
    """The kit's val labels: its own numbers, one in a line."""
    number = {wnid: i for i, wnid in enumerate(DEVKIT, 1)}
    lines = [number[WNIDS[i]] for i in label_data.val_labels()]
    for image, label in (changed or {}).items():
        lines[image - 1] = label
    return "\n".join(map(str, lines)).encode()


def meta_mat(order: tuple[str, ...] = DEVKIT) -> bytes:
    """meta.mat as MATLAB writes it: a struct array whose rows are not sorted by their number."""
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O")]
    rows = np.array([[(i, wnid, "word", "gloss")] for i, wnid in reversed([*enumerate(order, 1)])], dtype=kind)
    stream = io.BytesIO()
    savemat(stream, {"synsets": rows})
    return stream.getvalue()


def test_archives_are_read_in_place(tmp_path: Path) -> None:
    samples = index(write_archives(tmp_path))
    assert_is_the_miniature(samples)
    image = samples.column("image")[0]
    assert (image["container"], image["member"]) == ("tar.tar", "n01440764.tar/n01440764_10026.JPEG")
    whole = (tmp_path / "ILSVRC2012_img_train.tar").read_bytes()
    assert whole[image["offset"] : image["offset"] + image["length"]] == TRAIN["n01440764/n01440764_10026.JPEG"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"]


def test_one_archive_alone(tmp_path: Path) -> None:
    write_archives(tmp_path)
    samples = index(tmp_path / "ILSVRC2012_img_val.tar")
    assert samples.column("key") == [f"val/{val_name(n)}" for n in VAL]
    assert samples.labels[:3].tolist() == [65, 970, 230]


@pytest.mark.parametrize("kit", ["folder", "archive", "map", "meta"])
def test_val_labels_of_the_development_kit(tmp_path: Path, kit: str) -> None:
    """490 in the kit is 65 among the sorted wnids: the trap of taking its numbers as they stand."""
    files = {"data/ILSVRC2012_validation_ground_truth.txt": ground_truth({2: 1})}
    if kit == "map":
        files["data/map_clsloc.txt"] = "".join(f"{w} {i} name\n" for i, w in enumerate(DEVKIT, 1)).encode()
    if kit == "meta":
        files["data/meta.mat"] = meta_mat()
    write_archives(tmp_path)
    if kit == "archive":
        import gzip

        packed = tar_bytes({f"ILSVRC2012_devkit_t12/{n}": data for n, data in files.items()})
        (tmp_path / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(gzip.compress(packed))
    else:
        write_files(tmp_path / "ILSVRC2012_devkit_t12", files)
    samples = index(tmp_path)
    labels = dict(zip(samples.column("key"), samples.labels.tolist(), strict=True))
    assert labels[f"val/{val_name(1)}"] == 65
    assert labels[f"val/{val_name(2)}"] == WNIDS.index(DEVKIT[0])  # the kit is taken at its word
    assert any("1 val labels of the development kit are others" in note for note in samples.notes)


def test_a_development_kit_with_other_numbers(tmp_path: Path) -> None:
    """The kit's own list says what its numbers mean."""
    turned = (DEVKIT[1], DEVKIT[0], *DEVKIT[2:])
    assert devkit.synsets_of(meta_mat(turned))[:3] == turned[:3]
    truth = ground_truth({1: 1})
    write_files(tmp_path, {"ILSVRC2012_validation_ground_truth.txt": truth, "meta.mat": meta_mat(turned)})
    assert devkit.val_wnids(tmp_path)[0][0] == DEVKIT[1]


@pytest.mark.parametrize(("files", "message"), [
    ({"ILSVRC2012_validation_ground_truth.txt": b"1\n2\n"}, "has 2 entries, wanted 50,000"),
    ({"ILSVRC2012_validation_ground_truth.txt": b"0\n" * 50_000}, "wanted 50,000 class numbers from 1"),
    ({"ILSVRC2012_validation_ground_truth.txt": ground_truth(), "meta.mat": b"no"}, "meta.mat .* is not a readable"),
    ({"ILSVRC2012_validation_ground_truth.txt": ground_truth(), "meta.mat": meta_mat(DEVKIT[:5])}, "has 5 synsets"),
    ({"ILSVRC2012_validation_ground_truth.txt": ground_truth(), "map_clsloc.txt": b"n02119789 2 fox"}, "no list of cl"),
    ({"ILSVRC2012_devkit_t12.tar.gz": b"no archive"}, "cannot be read"),
], ids=["short", "from zero", "mat", "few synsets", "map", "gz"])  # fmt: skip
def test_a_damaged_development_kit(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    write_files(write_archives(tmp_path), files)
    with pytest.raises(DataError, match=message):
        index(tmp_path)


@pytest.mark.parametrize(("name", "members", "message"), [
    ("ILSVRC2012_img_train.tar", {"readme.txt": b"x"}, "wanted one tar for each class"),
    ("ILSVRC2012_img_train.tar", {"n01440764.tar": tar_bytes({"n01443537_1.JPEG": jpeg()})}, "no train image"),
    ("ILSVRC2012_img_val.tar", {"../../etc/passwd": b"x"}, "no val image"),
    ("ILSVRC2012_img_val.tar", {val_name(50_001): jpeg()}, "no val image"),
])  # fmt: skip
def test_an_archive_with_something_else(tmp_path: Path, name: str, members: dict[str, bytes], message: str) -> None:
    (tmp_path / name).write_bytes(tar_bytes(members))
    with pytest.raises(DataError, match=message):
        index(tmp_path)


def test_a_link_in_an_archive(tmp_path: Path) -> None:
    """It would be an image that is missing unnoticed."""
    with tarfile.open(tmp_path / "ILSVRC2012_img_val.tar", "w") as tar:
        info = tarfile.TarInfo(val_name(1))
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(DataError, match="no plain file"):
        index(tmp_path)


def test_an_archive_that_was_not_fetched_whole(tmp_path: Path) -> None:
    archive = write_archives(tmp_path) / "ILSVRC2012_img_train.tar"
    archive.write_bytes(archive.read_bytes()[:4_000])
    with pytest.raises(DataError, match="cut off"):
        index(tmp_path)


def test_test_images_have_no_labels(tmp_path: Path) -> None:
    write_archives(tmp_path)
    test = {f"test/ILSVRC2012_test_{n:08d}.JPEG": jpeg(n) for n in (2, 1)}
    (tmp_path / "ILSVRC2012_img_test_v10102019.tar").write_bytes(tar_bytes(test))
    samples = index(tmp_path)
    assert samples.column("key")[-2:] == ["test/ILSVRC2012_test_00000001.JPEG", "test/ILSVRC2012_test_00000002.JPEG"]
    assert samples.column("label")[-2:] == [None, None]


def flat(folder: Path) -> Path:
    return write_files(folder, {**{f"train/{n}": d for n, d in TRAIN.items()},
                                **{f"val/{val_name(n)}": d for n, d in VAL.items()}})  # fmt: skip


def test_a_flat_val_folder_is_labelled_by_number(tmp_path: Path) -> None:
    assert_is_the_miniature(index(flat(tmp_path)))


def test_the_unpacked_val_archive_alone(tmp_path: Path) -> None:
    write_files(tmp_path, {val_name(n): VAL[n] for n in VAL})
    samples = index(tmp_path)
    assert samples.column("key") == [f"val/{val_name(n)}" for n in VAL]
    assert samples.labels[:3].tolist() == [65, 970, 230]


def test_a_table_beside_the_images_is_ones_own(tmp_path: Path) -> None:
    write_files(flat(tmp_path), {"list.csv": f"path,label\nval/{val_name(1)},a\nval/{val_name(2)},b\n".encode()})
    assert index(tmp_path).classes.ids == ("a", "b")


def test_class_folders_for_both_splits(tmp_path: Path) -> None:
    """What the usual extraction script leaves: the class folder is not part of a val image's key."""
    all_classes(tmp_path / "train")
    labels = label_data.val_labels()
    write_files(tmp_path, {**{f"train/{n}": d for n, d in TRAIN.items()},
                           **{f"val/{WNIDS[labels[n - 1]]}/{val_name(n)}": d for n, d in VAL.items()}})  # fmt: skip
    samples = index(tmp_path)
    assert_is_the_miniature(samples)
    assert samples.column("sample_id") == index(write_archives(tmp_path / "archives")).column("sample_id")


def kaggle(folder: Path) -> Path:
    flat(folder / "ILSVRC" / "Data" / "CLS-LOC")
    write_files(folder, {
        "LOC_val_solution.csv": b"ImageId,PredictionString\n"
        b"ILSVRC2012_val_00000003,n02105855 1 2 10 9 \n"
        b"ILSVRC2012_val_00000001,n01751748 3 3 9 9 n01751748 5 5 5 8 n01751748 0 0 4 4 \n"
        b"ILSVRC2012_val_00000002,n09193705 0 0 16 12 \n",
        "LOC_train_solution.csv": b"ImageId,PredictionString\nn01440764_9,n01440764 0 1 4 5 \n",
        "LOC_synset_mapping.txt": b"n01440764 tench, Tinca tinca\n",
    })  # fmt: skip
    return folder


def test_the_localization_challenge(tmp_path: Path) -> None:
    """Rows in any order, a space at the end of each string, boxes without an area."""
    samples = index(kaggle(tmp_path))
    assert_is_the_miniature(samples)
    boxes = dict(zip(samples.column("key"), samples.column("boxes"), strict=True))
    first = boxes[f"val/{val_name(1)}"]
    assert [(b["id"], b["x0"], b["y0"], b["x1"], b["y1"]) for b in first] == [(65, 3, 3, 9, 9), (65, 0, 0, 4, 4)]
    assert len(boxes["train/n01440764/n01440764_9.JPEG"]) == 1
    assert boxes["train/n01440764/n01440764_10026.JPEG"] is None
    for below in ("ILSVRC", "ILSVRC/Data/CLS-LOC"):
        assert index(tmp_path / below).digest == samples.digest


def test_boxes_of_xml_files(tmp_path: Path) -> None:
    """Dog classes name the breed, some files call their image %s, sizes differ from the image's, boxes are empty."""
    flat(tmp_path / "ILSVRC" / "Data" / "CLS-LOC")
    xml = b"""<annotation><filename>%s</filename><size><width>16</width><height>12</height></size>
    <object><name>Scottish_deerhound</name><bndbox><xmin>-2</xmin><ymin>1</ymin><xmax>99</xmax><ymax>6</ymax></bndbox>
    </object><object><name>n01440764</name><bndbox><xmin>7</xmin><ymin>1</ymin><xmax>7</xmax><ymax>6</ymax></bndbox>
    </object></annotation>"""
    bomb = b'<!DOCTYPE a [<!ENTITY x "' + b"y" * 99 + b'">]><annotation>&x;</annotation>'
    below = tmp_path / "ILSVRC" / "Annotations" / "CLS-LOC"
    write_files(below, {"train/n01440764/n01440764_9.xml": xml, "train/n02119789/n02119789_1.xml": bomb})
    samples = index(tmp_path)
    boxes = dict(zip(samples.column("key"), samples.column("boxes"), strict=True))
    only = boxes["train/n01440764/n01440764_9.JPEG"]
    assert [(b["id"], b["x0"], b["y0"], b["x1"], b["y1"]) for b in only] == [(0, 0, 1, 16, 6)]
    assert boxes["train/n02119789/n02119789_1.JPEG"] is None
    assert any("declares a document type" in note for note in samples.notes)


@pytest.mark.parametrize(("table", "message"), [
    (b"Id,Boxes\nx,y\n", "wanted the columns ImageId"),
    (b"ImageId,PredictionString\nx,n01440764 1 2 3\n", "not readable"),
    (b"ImageId,PredictionString\nx,n01440764 1 2 3 four\n", "not readable"),
    (b"ImageId,PredictionString\nx\n", "not re"),
])  # fmt: skip
def test_a_damaged_solution_table(tmp_path: Path, table: bytes, message: str) -> None:
    kaggle(tmp_path)
    (tmp_path / "LOC_val_solution.csv").write_bytes(table)
    with pytest.raises(DataError, match=message):
        index(tmp_path)


def test_a_stranger_among_the_images(tmp_path: Path) -> None:
    flat(tmp_path)
    write_files(tmp_path, {"train/n01440764/mine.JPEG": jpeg()})
    with pytest.raises(DataError, match="has not the name of a train image"):
        index(tmp_path)
