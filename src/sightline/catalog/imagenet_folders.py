"""ImageNet-1k in folders as the localization challenge lays it out: val in one flat folder, boxes beside the images."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.catalog import devkit, voc
from sightline.catalog.imagenet_names import DATASET, Named, named
from sightline.catalog.label_data import IMAGENET_1K, listed
from sightline.errors import DataError
from sightline.formats import manifest
from sightline.formats.class_tree import IMAGE_SUFFIXES, is_folder, is_hidden, suffix_of
from sightline.formats.listing import Attributes, Format, Listing
from sightline.progress import track

SPLITS = {"train": "train", "val": "val", "test": "test"}

Box = tuple[str, float, float, float, float]
"""wnid, x0, y0, x1, y1."""


def is_at(path: Path) -> bool:
    """Whether `path` holds ImageNet-1k with its val images in one flat folder, or as the challenge lays it out."""
    return path.is_dir() and _data(path) is not None


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of the folders train, val and test by official key, with boxes where tables or XML beside them tell.

    The labels of a flat val come from `LOC_val_solution.csv`, else from the development kit in the folder, else they
    are the published ones. Raises DataError for images that are none of ImageNet-1k's.
    """
    data = _data(path)
    assert data is not None
    above = data.parents[1] if data.name == "CLS-LOC" else path
    places = [found for split in SPLITS for found in sorted(_images(data, split), key=lambda f: f[1].key)]
    solutions = _solutions([path, above, above.parent])
    notes: list[str] = []
    val = () if not any(n.split == "val" for _, n in places) else devkit.val_wnids(path)[0]
    labels = [_label(named, solutions, val) for _, named in places]
    boxes = _boxes(places, labels, above / "Annotations" / "CLS-LOC", solutions, notes)
    unlabelled = sum(n.split == "test" for _, n in places)
    notes += [f"{unlabelled:,} test images without labels"] if unlabelled else []
    columns = {"boxes": boxes} if any(boxes) else {}
    return Listing(
        layout="ImageNet folders", name=DATASET, roots={"source": str(data.resolve())}, keys=[n.key for _, n in places],
        splits=[n.split for _, n in places], labels=labels, class_ids=listed(IMAGENET_1K), policy="official",
        images={"root": "source", "path": [file for file, _ in places], "container": "file"}, columns=columns,
        dataset=DATASET, notes=tuple(notes),
    )  # fmt: skip


FORMAT = Format(name="ImageNet folders", is_at=is_at, read=read)


def _data(path: Path) -> Path | None:
    """The folder with train, val and test, where it is laid out in a way that class folders alone do not explain."""
    for below in ("ILSVRC/Data/CLS-LOC", "Data/CLS-LOC"):
        if any((path / below / split).is_dir() for split in SPLITS):
            return path / below
    if path.name == "CLS-LOC" and any((path / split).is_dir() for split in SPLITS):
        return path
    is_flat = _begins_with_val(path / "val") or _begins_with_val(path)
    # A table of paths and labels beside the images is somebody's own choice of them.
    return path if is_flat and not manifest.is_at(path) else None


def _begins_with_val(folder: Path) -> bool:
    """Whether a folder has files, and the first that is met is a val image."""
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        first = next((e.name for e in entries if not is_folder(e) and not is_hidden(e.name)), "")
    found = named(first)
    return found is not None and found.split == "val"


def _images(data: Path, split: str) -> Iterator[tuple[str, Named]]:
    """Path below `data` and name of each image of a split. Raises DataError for one of another split or class."""
    if split == "val" and not (data / split).is_dir() and _begins_with_val(data):
        yield from ((name, _named(data, name, split)) for name in sorted(os.listdir(data))
                    if suffix_of(name) in IMAGE_SUFFIXES and not is_hidden(name))  # fmt: skip
        return
    if not (data / split).is_dir():
        return
    with os.scandir(data / split) as entries:
        tops = sorted((e.name, is_folder(e)) for e in entries if not is_hidden(e.name))
    files = [name for name, is_deep in tops if not is_deep]
    for name in files:
        if suffix_of(name) in IMAGE_SUFFIXES:
            yield f"{split}/{name}", _named(data, f"{split}/{name}", split)
    known = set(listed(IMAGENET_1K))
    for folder in [name for name, is_deep in tops if is_deep]:
        if folder not in known:
            raise DataError(f"{data / split} has the folder {folder!r}, no class of ImageNet-1k. Move it away.")
        for name in sorted(os.listdir(data / split / folder)):
            if suffix_of(name) in IMAGE_SUFFIXES and not is_hidden(name):
                yield f"{split}/{folder}/{name}", _named(data, f"{split}/{folder}/{name}", split)


def _named(data: Path, file: str, split: str) -> Named:
    found = named(file)
    if found is None or found.split != split or (split == "train" and found.wnid != file.split("/")[1]):
        raise DataError(f"{data / file} has not the name of a {split} image of ImageNet-1k. Move it away; images of "
                        "one's own belong in a folder of their own.")  # fmt: skip
    return found


@dataclass(frozen=True)
class _Solution:
    """A row of a solution table."""

    wnid: str
    boxes: tuple[Box, ...]


def _solutions(folders: list[Path]) -> dict[str, _Solution]:
    """Image name without suffix → its row in LOC_train_solution.csv or LOC_val_solution.csv; the order says nothing."""
    found: dict[str, _Solution] = {}
    for split in ("train", "val"):
        tables = [folder / f"LOC_{split}_solution.csv" for folder in folders]
        file = next((t for t in tables if t.is_file()), None)
        if file is None:
            continue
        try:
            with file.open(encoding="utf-8-sig", newline="") as f:
                for row in csv.DictReader(f):
                    found[row["ImageId"]] = _row(row["PredictionString"])
        except (KeyError, ValueError, AttributeError, UnicodeDecodeError, csv.Error, IndexError) as e:
            raise DataError(
                f"{file} is not readable ({e}); wanted the columns ImageId and PredictionString, the latter with a "
                "wnid and four numbers for each box. Fetch it again."
            ) from None
    return found


def _row(text: str) -> _Solution:
    words = text.split()
    if not words or len(words) % 5:
        raise ValueError(f"{text[:60]!r} is no prediction string")
    boxes: list[Box] = []
    for i in range(0, len(words), 5):
        x0, y0, x1, y1 = map(float, words[i + 1 : i + 5])
        if x0 < x1 and y0 < y1:
            boxes.append((words[i], x0, y0, x1, y1))
    return _Solution(words[0], tuple(boxes))


def _label(name: Named, solutions: Mapping[str, _Solution], val: tuple[str, ...]) -> str | None:
    if name.split != "val":
        return name.wnid
    stem = _stem(name)
    return solutions[stem].wnid if stem in solutions else val[int(stem[-8:]) - 1]


def _stem(name: Named) -> str:
    return name.key.rpartition("/")[2].removesuffix(".JPEG")


def _boxes(
    places: list[tuple[str, Named]], labels: list[str | None], annotations: Path, solutions: Mapping[str, _Solution],
    notes: list[str],
) -> list[list[dict[str, Any]] | None]:  # fmt: skip
    """Boxes of each image: of the tables, which have them all, or of an XML file each; None where nobody drew any."""
    index = {wnid: i for i, wnid in enumerate(listed(IMAGENET_1K))}
    if solutions:
        rows = [solutions.get(_stem(n)) for _, n in places]
        return [None if r is None else [_entry(index[b[0]], b) for b in r.boxes if b[0] in index] for r in rows]
    if not annotations.is_dir():
        return [None] * len(places)
    found: list[list[dict[str, Any]] | None] = []
    for (file, _), label in zip(track(places, "boxes", len(places)), labels, strict=True):
        found.append(_of_xml(annotations / f"{file.rpartition('.')[0]}.xml", label, index, notes.append))
    return found


def _entry(class_id: int, box: Box) -> dict[str, Any]:
    return {"space": "", "id": class_id, "x0": box[1], "y0": box[2], "x1": box[3], "y1": box[4], "track": None,
            "flags": 0}  # fmt: skip


def _of_xml(
    file: Path, label: str | None, index: Mapping[str, int], note: Callable[[str], None]
) -> list[dict[str, Any]] | None:
    if label is None:
        return None
    try:
        found = voc.parse(file.read_bytes(), file.name)
    except FileNotFoundError:
        return None  # most train images have no boxes
    except (DataError, OSError) as e:
        note(f"no boxes of one image: {e}")
        return None
    # Files of the dog classes name the breed instead of the wnid; the image has one target class, which is its label.
    return [o.entry(index.get(o.name, index[label]), found.width, found.height) for o in found.objects]
