"""ILSVRC DET as classification with several classes an image: present, partly there, or verified to be absent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightline.catalog import devkit, voc
from sightline.catalog.annotations import label_of
from sightline.errors import DataError
from sightline.formats.listing import Attributes, Format, Listing
from sightline.progress import track

MAP = "map_det.txt"
STATES = {"1": 1, "0": 0, "-1": -1}
"""As the lists of train have them, and as the column `labels` does: 0 = some of it can be seen."""

_LIST = re.compile(r"train_(\d{1,3})\.txt")
_OF_CLS_LOC = re.compile(r"(?:.*/)?(n\d{8}_\d+)")


def is_at(path: Path) -> bool:
    """Whether `path`, or ILSVRC in it, has the folders of DET."""
    return path.is_dir() and _root(path) is not None


def read(path: Path, attributes: Attributes) -> Listing:
    """Every image of the lists: train, val, test, each by name; `label` is null, the column `labels` tells the classes.

    In train a class has a state only where people looked for it; in val they looked for all, so that what is not
    listed is absent. Raises DataError without the kit's class numbers, or for damaged lists.
    """
    root = _root(path)
    assert root is not None
    wnids, names = _classes(path, root)
    found = _Found(root, {w: i for i, w in enumerate(wnids)})
    _read_train(found, root / "ImageSets" / "DET", len(wnids))
    for split in ("val", "test"):
        _read_split(found, root / "ImageSets" / "DET" / f"{split}.txt", split)
    if not found.images:
        raise DataError(f"{root / 'ImageSets' / 'DET'} has no lists train_1.txt …, val.txt or test.txt with images. "
                        "Unpack it whole.")  # fmt: skip
    images = sorted(found.images.values(), key=lambda i: (("train", "val", "test").index(i.split), i.name))
    boxes = [found.annotate(i) for i in track(images, "boxes", len(images))]
    paths = [f"{i.split}/{i.name}.JPEG" for i in images]
    # What was taken from ImageNet-1k's train keeps its name; together with it, copies must not be parted.
    twins = [m[1] if (m := _OF_CLS_LOC.fullmatch(i.name)) else None for i in images]
    return Listing(
        layout="ILSVRC DET", name="ilsvrc-det", roots={"source": str((root / "Data" / "DET").resolve())}, keys=paths,
        splits=[i.split for i in images], labels=[None] * len(images), class_ids=wnids, class_names=names,
        policy="official", images={"root": "source", "path": paths, "container": "file"}, dataset="ilsvrc-det",
        groups=[[("image", t)] if t else [] for t in twins] if any(twins) else None,
        columns={"labels": [i.entries() for i in images], "boxes": boxes}, notes=tuple(found.notes()),
    )  # fmt: skip


FORMAT = Format(name="ILSVRC DET", is_at=is_at, read=read)


@dataclass(kw_only=True)
class _Image:
    split: str
    name: str
    """Path without suffix below the split's folder."""
    states: dict[int, int] | None
    """Class id → state; None = nobody looked."""

    def entries(self) -> list[dict[str, Any]] | None:
        """The column `labels`."""
        return None if self.states is None else [label_of(c, state=s) for c, s in sorted(self.states.items())]


@dataclass
class _Found:
    root: Path
    index: dict[str, int]
    images: dict[tuple[str, str], _Image] = field(default_factory=dict)
    unlabelled: int = 0
    broken: list[str] = field(default_factory=list)

    def annotate(self, image: _Image) -> list[dict[str, Any]] | None:
        """Boxes of an image; for val also its classes, which only its annotation tells."""
        if image.split == "test" or (image.states is not None and not any(s >= 0 for s in image.states.values())):
            return None
        file = self.root / "Annotations" / "DET" / image.split / f"{image.name}.xml"
        try:
            found = voc.parse(file.read_bytes(), file.name)
        except FileNotFoundError:
            self.unlabelled += image.split == "val"
            return None
        except (DataError, OSError) as e:
            self.broken.append(str(e))
            return None
        boxes = [o.entry(self.index[o.name], found.width, found.height) for o in found.objects if o.name in self.index]
        if image.split == "val":
            image.states = {box["id"]: 1 for box in boxes}
        return boxes

    def notes(self) -> Iterator[str]:
        """What is missing or broken."""
        tests = sum(i.split == "test" for i in self.images.values())
        if tests:
            yield f"{tests:,} test images without labels"
        if self.unlabelled:
            yield f"{self.unlabelled:,} val images have no annotation: without labels"
        if self.broken:
            yield f"{len(self.broken):,} annotations cannot be read (first: {self.broken[0]})"


def _root(path: Path) -> Path | None:
    return next((r for r in (path, path / "ILSVRC") if (r / "Data/DET").is_dir() and (r / "ImageSets/DET").is_dir()),
                None)  # fmt: skip


def _classes(path: Path, root: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """wnids by the kit's numbers, which the lists of train are named by, and their names."""
    text = next((t for folder in (path, root, path.parent) if (t := devkit.member(folder, MAP)) is not None), None)
    if text is None:
        raise DataError(
            f"{root} names its classes by number, and {MAP}, which says what the numbers mean, is not there. It is in "
            f"the development kit (data/{MAP}): put it into {path}."
        )
    lines = [line.split() for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    return devkit.numbered(text.decode("utf-8", "replace"), MAP), {
        fields[0]: " ".join(fields[2:]).replace("_", " ") for fields in lines if len(fields) > 2
    }


def _read_train(found: _Found, lists: Path, count: int) -> None:
    for file in sorted(lists.glob("train_*.txt")):
        number = _LIST.fullmatch(file.name)
        if number is None:
            continue  # train_part and such: other divisions of the same images
        class_id = int(number[1]) - 1
        if not 0 <= class_id < count:
            raise DataError(f"{file}: class {class_id + 1} is not in {MAP}, which has {count}. Take the kit "
                            "of the same year.")  # fmt: skip
        for name, state in _lines(file):
            if state not in STATES:
                raise DataError(f"{file}: {name!r} has the state {state!r}, wanted 1, 0 or -1. Fetch it again.")
            image = found.images.setdefault(("train", name), _Image(split="train", name=name, states={}))
            assert image.states is not None
            image.states[class_id] = STATES[state]


def _read_split(found: _Found, file: Path, split: str) -> None:
    if file.is_file():
        for name, _ in _lines(file):
            found.images[(split, name)] = _Image(split=split, name=name, states=None)


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    """Image and number of each line. Raises DataError for any other line, and for a name that leads elsewhere."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"{file} cannot be read: {e}. Fetch it again.") from None
    for i, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or not re.fullmatch(r"(?:[\w-]+/)*[\w-]+", fields[0]):
            raise DataError(f"{file}: line {i} is {line[:80]!r}; wanted the name of an image and a number.")
        yield fields[0], fields[1]
