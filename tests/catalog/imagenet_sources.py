"""Miniatures of the ImageNet family in the layouts that people have."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from sightline.catalog.label_data import listed
from sightline.samples import SampleTable
from tests.sources import jpeg

WNIDS = listed("imagenet_1k")
TRAIN = {
    "n01440764/n01440764_10026.JPEG": jpeg(1), "n01440764/n01440764_9.JPEG": jpeg(2),
    "n02119789/n02119789_1.JPEG": jpeg(3), "n15075141/n15075141_54.JPEG": jpeg(4),
}  # fmt: skip
"""Path of an image → its bytes; the second class is the development kit's first."""
VAL = {1: jpeg(11), 2: jpeg(12), 3: jpeg(13), 50_000: jpeg(14)}
VAL_LABELS = {1: 65, 2: 970, 3: 230}
"""As published: 490, 361 and 171 in the development kit's numbers."""
KEYS = [f"train/{name}" for name in sorted(TRAIN)] + [f"val/ILSVRC2012_val_{n:08d}.JPEG" for n in VAL]


def val_name(number: int) -> str:
    return f"ILSVRC2012_val_{number:08d}.JPEG"


def tar_bytes(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def write_archives(folder: Path) -> Path:
    """The archives: classes and images in no order."""
    folder.mkdir(parents=True, exist_ok=True)
    classes: dict[str, dict[str, bytes]] = {}
    for name, data in reversed(TRAIN.items()):
        classes.setdefault(name.split("/")[0], {})[name.split("/")[1]] = data
    outer = {f"{wnid}.tar": tar_bytes(images) for wnid, images in classes.items()}
    (folder / "ILSVRC2012_img_train.tar").write_bytes(tar_bytes(outer))
    val = {val_name(n): VAL[n] for n in (3, 50_000, 1, 2)}
    (folder / "ILSVRC2012_img_val.tar").write_bytes(tar_bytes(val))
    return folder


def all_classes(folder: Path) -> Path:
    """A folder for each of the 1,000 classes."""
    for wnid in WNIDS:
        (folder / wnid).mkdir(parents=True, exist_ok=True)
    return folder


def assert_is_the_miniature(samples: SampleTable, *, same_bytes: bool = True) -> None:
    """The same keys, ids, labels, order and bytes from every layout."""
    assert samples.name == "imagenet-1k"
    assert samples.column("key") == KEYS
    assert samples.column("split") == ["train"] * len(TRAIN) + ["val"] * len(VAL)
    assert samples.classes.ids == WNIDS
    assert samples.classes.policy == "official"
    assert samples.classes.title(0) == "tench (n01440764)"
    labels = dict(zip(samples.column("key"), samples.column("label"), strict=True))
    for name in TRAIN:
        assert labels[f"train/{name}"] == WNIDS.index(name.split("/")[0])
    for number, label in VAL_LABELS.items():
        assert labels[f"val/{val_name(number)}"] == label
    assert set(samples.column("status")) == {"ok"}
    if same_bytes:
        reader = samples.reader()
        assert [reader.payload(i) for i in range(len(samples))] == [TRAIN[n] for n in sorted(TRAIN)] + [*VAL.values()]
