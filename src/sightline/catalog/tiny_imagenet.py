"""Tiny ImageNet: 200 classes whose images lie in a folder more than in others, and val images in one flat folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sightline.catalog.file_trees import FileTree, file_tree, place_of
from sightline.errors import DataError
from sightline.formats.listing import SPLIT_ORDER, Attributes, Format, Listing

MARKER, ANNOTATIONS = "wnids.txt", "val/val_annotations.txt"
ARCHIVE = "tiny-imagenet-200.zip"
SIDE = 64
"""Width and height of all images."""

_IMAGE = re.compile(r"(?:(train)/(n\d{8})/images/\2_\d+|(val|test)/images/\3_\d+)\.JPEG")


def is_at(path: Path) -> bool:
    """Whether `path` is the dataset's zip, or a folder with its lists."""
    place = place_of(path, MARKER, ARCHIVE)
    return place is not None and (place.is_file() or (place / ANNOTATIONS).is_file())


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of train, val and test, each byte-wise by path, with the box that says where the object is.

    The test images have no labels. Raises DataError for a copy whose lists are missing or damaged.
    """
    place = place_of(path, MARKER, ARCHIVE)
    tree = None if place is None else file_tree(place, MARKER)
    if tree is None:
        raise DataError(f"{path} has no {MARKER}: it is no copy of Tiny ImageNet. Fetch it again, or rename it.")
    wnids = tuple(sorted(tree.text(MARKER).split()))
    index = {wnid: i for i, wnid in enumerate(wnids)}
    found = [(SPLIT_ORDER.index(m[1] or m[3]), name, m) for name in tree.names if (m := _IMAGE.fullmatch(name))]
    if not found:
        raise DataError(f"{tree.source} has the lists of Tiny ImageNet and no images. Unpack it whole.")
    found.sort(key=lambda f: f[:2])
    rows = _rows(tree, {m[2] for _, _, m in found if m[2]})
    names = [name for _, name, _ in found]
    labels = [m[2] or (rows[n][0] if n in rows else None) for _, n, m in found]
    strange = sorted({v for v in labels if v is not None} - set(wnids))
    if strange:
        raise DataError(f"{tree.source}: {strange[0]} is a class of images and not in {MARKER}. Fetch it again.")
    boxes = [[{"space": "", "id": index[rows[n][0]], **rows[n][1], "flags": 0}] if n in rows else None for n in names]
    unlabelled = sum(v is None for v in labels)
    lost = sum(v is None and n.startswith("val/") for v, n in zip(labels, names, strict=True))
    notes = [f"{unlabelled - lost:,} test images without labels"] if unlabelled > lost else []
    notes += [f"{lost:,} val images are not in {ANNOTATIONS}: without labels"] if lost else []
    return Listing(
        layout="Tiny ImageNet", name="tiny-imagenet", roots={"source": tree.root}, keys=names,
        splits=[m[1] or m[3] for _, _, m in found], labels=labels, images=tree.images(names), class_ids=wnids,
        policy="official", reasons=tree.reasons(names), dataset="tiny-imagenet", notes=tuple(notes),
        columns={"boxes": boxes} if any(boxes) else {},
    )  # fmt: skip


FORMAT = Format(name="Tiny ImageNet", is_at=is_at, read=read)


def _rows(tree: FileTree, wnids: set[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Path of an image → wnid and box, of the list of val and the lists in the class folders."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for line, fields in _lines(tree, ANNOTATIONS, 6):
        found[f"val/images/{fields[0]}"] = fields[1], _box(fields[2:], line)
    for wnid in wnids:
        file = f"train/{wnid}/{wnid}_boxes.txt"
        if file in tree:
            for line, fields in _lines(tree, file, 5):
                found[f"train/{wnid}/images/{fields[0]}"] = wnid, _box(fields[1:], line)
    return found


def _lines(tree: FileTree, file: str, count: int) -> list[tuple[str, list[str]]]:
    """Where each line stands, for messages, and its fields."""
    rows = []
    for i, text in enumerate(tree.text(file).splitlines(), 1):
        fields = text.split()
        if len(fields) != count:
            raise DataError(f"{file} in {tree.source}: line {i} has {len(fields)} fields, wanted {count}. Fetch it "
                            "again.")  # fmt: skip
        rows.append((f"{file} in {tree.source}: line {i}", fields))
    return rows


def _box(fields: list[str], line: str) -> dict[str, Any]:
    """The list names the last pixel that belongs to the object; a box of the table ends behind it."""
    if not all(f.isdecimal() for f in fields):
        raise DataError(f"{line} has a box {' '.join(fields)!r}; wanted four whole numbers. Fetch it again.")
    x0, y0, x1, y1 = map(int, fields)
    return {"x0": x0, "y0": y0, "x1": min(x1 + 1, SIDE), "y1": min(y1 + 1, SIDE), "track": None}
