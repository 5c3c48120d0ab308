"""The sets that test what was learnt from CIFAR-10: arrays of NumPy, addressed in place. All of it is test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sightline.catalog import cifar
from sightline.catalog.bundles import Bundle, Content, top_folder
from sightline.errors import DataError
from sightline.formats import Attributes, Format, Listing

SEVERITIES = 5
BENCHMARK = (
    "brightness", "contrast", "defocus_blur", "elastic_transform", "fog", "frost", "gaussian_noise", "glass_blur",
    "impulse_noise", "jpeg_compression", "motion_blur", "pixelate", "shot_noise", "snow", "zoom_blur",
)  # fmt: skip
CORRUPTIONS = tuple(sorted([*BENCHMARK, "gaussian_blur", "saturate", "spatter", "speckle_noise"]))

_VERSION = re.compile(r"cifar10\.1_(v\d+)_data\.npy")


def is_version(path: Path) -> bool:
    """Whether a path is, or is a folder with, the images of a version of CIFAR-10.1."""
    return bool(_versions(path))


def read_version(path: Path, _: Attributes) -> Listing:
    """CIFAR-10.1: one version, by number. Raises DataError where several lie in one folder."""
    found = _versions(path)
    if len(found) > 1:
        raise DataError(f"{path} holds {len(found)} versions of CIFAR-10.1. Give one: {', '.join(map(str, found))}")
    file = found[0]
    match = _VERSION.fullmatch(file.name)
    assert match is not None
    bundle, label_file = Bundle(file.parent), file.name.replace("_data", "_labels")
    if label_file not in bundle.names():
        raise DataError(f"{file} has no {label_file} beside it. Fetch it: sightline datasets cifar10.1 --fetch")
    labels = _labels(bundle.content(label_file))
    content = bundle.content(file.name)
    n, offsets = _images(content)
    if n != len(labels):
        raise DataError(f"{file} has {n} images, {label_file} {len(labels)} labels; they do not belong together.")
    is_official = n in cifar.CIFAR10_1.counts.values() and max(labels) < 10
    return _listing(
        layout="CIFAR-10.1", name=f"cifar10.1-{match[1]}", root=file.parent, contents=[content] * n, offsets=offsets,
        keys=[f"test/{match[1]}/{i:05d}" for i in range(n)], labels=labels,
        dataset=cifar.CIFAR10_1.name if is_official else None, groups=None,
    )  # fmt: skip


VERSIONS = Format(name="CIFAR-10.1", is_at=is_version, read=read_version)


def is_corrupted(path: Path) -> bool:
    """Whether a path is a folder with corrupted versions of a test set and their labels, or CIFAR-10-C.tar."""
    if path.is_file():
        return top_folder(path) == "CIFAR-10-C"
    place = _corrupted(path)
    return place is not None


def read_corrupted(path: Path, _: Attributes) -> Listing:
    """CIFAR-10-C: corruptions by name, in each the severities 1 … 5, in each the test images by number."""
    place = path if path.is_file() else _corrupted(path)
    assert place is not None
    bundle = Bundle(place)
    names = [c for c in CORRUPTIONS if f"{c}.npy" in bundle.names()]
    if "labels.npy" not in bundle.names() or not names:
        raise DataError(f"{place} lacks labels.npy, or has none of {', '.join(CORRUPTIONS)}. Fetch it again.")
    labels = _labels(bundle.content("labels.npy"))
    n, rest = divmod(len(labels), SEVERITIES)
    if rest or labels != labels[:n] * SEVERITIES:
        raise DataError(f"{place}: labels.npy has {len(labels)} labels that are not {SEVERITIES} times the same; "
                        "wanted those of one test set for each severity. Fetch it again.")  # fmt: skip
    keys, contents, offsets, groups = [], [], [], []
    for name in names:
        content = bundle.content(f"{name}.npy")
        count, at = _images(content)
        if count != len(labels):
            raise DataError(f"{place}: {name}.npy has {count} images, labels.npy {len(labels)} labels. Fetch it again.")
        keys += [f"test/{name}/{severity}/{i:05d}" for severity in range(1, SEVERITIES + 1) for i in range(n)]
        # One photograph is here up to 95 times: as samples they are not independent.
        groups += [[("image", f"test/{i:05d}")] for _ in range(SEVERITIES) for i in range(n)]
        contents += [content] * count
        offsets += at
    is_official = n == cifar.CIFAR10_C.counts["different photographs"] and max(labels) < 10
    return _listing(
        layout="CIFAR-10-C", name=path.resolve().name.partition(".")[0], root=bundle.root, contents=contents,
        offsets=offsets, keys=keys, labels=labels * len(names), groups=groups,
        dataset=cifar.CIFAR10_C.name if is_official else None,
    )  # fmt: skip


CORRUPTED = Format(name="CIFAR-10-C", is_at=is_corrupted, read=read_corrupted)


def _listing(*, layout: str, name: str, root: Path, contents: Sequence[Content], offsets: Sequence[int],
             keys: Sequence[str], labels: Sequence[int], groups: Sequence[Any] | None, dataset: str | None
             ) -> Listing:  # fmt: skip
    # Other sets are laid out alike (CIFAR-100-C has the same file names): they keep their numbers.
    ids = cifar.CIFAR10.class_ids if max(labels) < 10 else tuple(map(str, range(max(labels) + 1)))
    return Listing(
        layout=layout, name=name, roots={"source": str(root.resolve())}, keys=keys, splits=["test"] * len(keys),
        labels=[ids[v] for v in labels],
        images={
            "root": "source", "container": [c.container for c in contents], "path": [c.path for c in contents],
            "offset": list(offsets), "length": 3072, "codec": "raw", "layout": "u1:32,32,3", "width": 32, "height": 32,
            "mode": "RGB", "bits": 8,
        },
        class_ids=ids, policy="official", groups=groups, dataset=dataset,
    )  # fmt: skip


def _versions(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if _VERSION.fullmatch(path.name) else []
    for folder in (path, path / "datasets"):  # as the authors' repository has them
        found = [f for v in ("v4", "v6") if (f := folder / f"cifar10.1_{v}_data.npy").is_file()]
        if found:
            return found
    return []


def _corrupted(path: Path) -> Path | None:
    for place in (path, path / "CIFAR-10-C"):
        if (place / "labels.npy").is_file() and any((place / f"{c}.npy").is_file() for c in CORRUPTIONS):
            return place
    return path / "CIFAR-10-C.tar" if (path / "CIFAR-10-C.tar").is_file() else None


def _labels(content: Content) -> list[int]:
    values, _ = content.array()
    if values.ndim != 1 or values.dtype.kind not in "iu" or not len(values) or values.min() < 0:
        raise DataError(f"{content.path}: {content.name} holds {values.dtype} of shape {values.shape}; wanted a list "
                        "of class numbers. Fetch it again.")  # fmt: skip
    found: list[int] = values.tolist()
    return found


def _images(content: Content) -> tuple[int, list[int]]:
    """Number of images, and where each begins."""
    values, start = content.array()
    if values.dtype != np.uint8 or values.shape[1:] != (32, 32, 3):
        raise DataError(f"{content.path}: {content.name} holds {values.dtype} of shape {values.shape}; wanted bytes of "
                        "shape N, 32, 32, 3. Fetch it again.")  # fmt: skip
    return len(values), list(range(start, start + values.size, 3072))
