"""The whole of ADE20K (2021): each photograph with a description of its scene and of every object."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightline.catalog.ade20k import FOLDERS, VIEWS, with_scenes
from sightline.catalog.ade20k_card import ADE20K_FULL
from sightline.catalog.annotations import clean, counted, extra, file_images, inside, label_of, parsed, read_bytes
from sightline.errors import DataError
from sightline.formats.listing import Attributes, Format, Listing
from sightline.samples import Classes

OCCLUDED = 1 << 3


def is_at(path: Path) -> bool:
    """Whether `path` is a folder with `images/ADE/training` or `images/ADE/validation`."""
    return any((path / "images" / "ADE" / folder).is_dir() for folder in ("training", "validation"))


def read(path: Path, attributes: Attributes) -> Listing:
    """Photographs with their scene and its kinds as label, and the objects in the space "objects"; by path."""
    source = path.resolve()
    found = [(split, file) for folder, split in FOLDERS.items() for file in _files(source / "images" / "ADE" / folder)]
    if not found:
        raise DataError(f"{source} has no descriptions (*.json) below images/ADE/training and images/ADE/validation.")
    rows = [_Description(file) for _, file in found]
    names: dict[int, str] = {}
    for row in rows:
        names |= {number: name for number, name in row.names.items() if number not in names}
    order = sorted(names)
    class_of = {number: i for i, number in enumerate(order)}
    paths = [inside(file.relative_to(source).as_posix()[:-5] + ".jpg") for _, file in found]
    listing = Listing(
        layout="ADE20K", name=source.name, roots={"source": str(source)},
        keys=[f"{split}/{clean(file.stem)}.jpg" for split, file in found], splits=[split for split, _ in found],
        labels=[row.scene for row in rows], images=file_images(paths), reasons=[row.damage for row in rows],
        columns={
            "labels": [row.labels(class_of) for row in rows], "boxes": [row.boxes(class_of) for row in rows],
            "extra": [extra(scene=row.levels) if row.levels else None for row in rows],
        },
        spaces={"objects": Classes(tuple(map(str, order)), tuple(names[n] for n in order), "numeric")},
        dataset=ADE20K_FULL.name,
        notes=counted(sum(row.is_latin for row in rows), "descriptions are not UTF-8 and were read as Latin-1"),
    )  # fmt: skip
    return with_scenes(listing, attributes)


FORMAT = Format(name="ADE20K", is_at=is_at, read=read, views=VIEWS)


def _files(folder: Path) -> Iterator[Path]:
    """Descriptions below a folder, in byte order of their paths; links to folders are not followed."""
    found = [Path(place) / name for place, _, names in os.walk(folder) for name in names if name.endswith(".json")]
    yield from sorted((file for file in found if not file.name.startswith(".")), key=lambda f: os.fsencode(f))


@dataclass(frozen=True)
class _Object:
    number: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    is_occluded: bool


@dataclass
class _Description:
    """What one file says."""

    file: Path
    levels: list[str] = field(default_factory=list)
    """The scene from general to particular: outdoor, urban, street."""
    objects: list[_Object] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    damage: str | None = None
    is_latin: bool = False

    def __post_init__(self) -> None:
        try:
            self._take(self._parsed())
        except DataError as e:
            self.damage = f"its description cannot be read: {e}"

    def _parsed(self) -> Any:
        data = read_bytes(self.file)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text, self.is_latin = data.decode("latin-1"), True
        return parsed(text, self.file.name)

    def _take(self, document: Any) -> None:
        about = document.get("annotation") if isinstance(document, dict) else None
        if not isinstance(about, dict):
            raise DataError(f"{self.file.name} has no object 'annotation'.")
        self.levels = [clean(v).strip() for v in _list(about.get("scene")) if isinstance(v, str) and v.strip()]
        for thing in _list(about.get("object")):
            if not isinstance(thing, dict) or type(thing.get("name_ndx")) is not int:  # true is an int to isinstance
                raise DataError(f"{self.file.name} has an object without a number (name_ndx).")
            parts = thing.get("parts")
            if isinstance(parts, dict) and parts.get("ispart") in (1, True, "1"):
                continue  # a door of a car is no thing of its own
            outline = thing.get("polygon")
            x, y = (_numbers(outline.get(axis)) if isinstance(outline, dict) else () for axis in "xy")
            self.objects.append(_Object(thing["name_ndx"], x, y, thing.get("occluded") == "yes"))
            self.names.setdefault(thing["name_ndx"], clean(str(thing.get("name") or thing["name_ndx"])))

    @property
    def scene(self) -> str | None:
        """The scene with the kinds that it belongs to in front."""
        return "/".join(self.levels) or None

    def labels(self, class_of: dict[int, int]) -> list[dict[str, Any]] | None:
        """The kinds of object that were outlined."""
        if self.damage is not None:
            return None
        return [label_of(i, space="objects") for i in sorted({class_of[o.number] for o in self.objects})]

    def boxes(self, class_of: dict[int, int]) -> list[dict[str, Any]] | None:
        """Boxes around the outlines that have an area."""
        if self.damage is not None:
            return None
        return [
            {"space": "objects", "id": class_of[o.number], "x0": min(o.x), "y0": min(o.y), "x1": max(o.x),
             "y1": max(o.y), "flags": OCCLUDED if o.is_occluded else 0}
            for o in self.objects if o.x and o.y and max(o.x) > min(o.x) and max(o.y) > min(o.y)
        ]  # fmt: skip


def _list(value: Any) -> list[Any]:
    """A lone thing stands for a list of one, and nothing for an empty one."""
    return [] if value is None else value if isinstance(value, list) else [value]


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in _list(values) if isinstance(v, int | float) and abs(v) < 1e6)
