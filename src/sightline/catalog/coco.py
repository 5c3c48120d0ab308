"""COCO: what the annotated objects of a photograph say about the whole of it, or one box as a sample."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sightline.catalog.annotations import (
    TextFile,
    clean,
    counted,
    extra,
    label_of,
    read_object,
    records,
    repeated,
    words,
)
from sightline.catalog.coco_card import COCO
from sightline.catalog.zips import images_in, place_of, texts_in
from sightline.errors import DataError
from sightline.formats.listing import SPLIT_ORDER, Attributes, Format, Listing, joined, split_of

MIN_SIDE = 16.0
"""Boxes with a shorter side are no sample of their own: of a few pixels nobody tells what they show."""

IMAGES = {"id": int, "file_name": str}
INSTANCES = {"id": int, "image_id": int, "category_id": int, "bbox": list}
CAPTIONS = {"id": int, "image_id": int, "caption": str}
CATEGORIES = {"id": int, "name": str}
CROWD = 1

_FILE = re.compile(r"(instances|captions|image_info)_([A-Za-z-]+)(\d{4})?\.json")
_ARCHIVE = re.compile(r"(annotations_trainval|image_info_[a-z-]+)\d{4}\.zip")


@dataclass(frozen=True, kw_only=True)
class Part:
    """The files of one set of images, such as train2017."""

    word: str
    year: str
    files: dict[str, TextFile] = field(default_factory=dict)
    """instances, captions or image_info → annotation file."""
    folder: str | None = None
    """Where its images lie below the source, perhaps a zip; None: they are not there."""

    @property
    def title(self) -> str:
        """As COCO calls it."""
        return f"{self.word}{self.year}"


def is_at(path: Path) -> bool:
    """Whether `path` is a folder with COCO's annotation files, there or in `annotations/`, or is one of them."""
    if path.is_file():
        return _FILE.fullmatch(path.name) is not None
    return path.is_dir() and bool(_annotation_files(path))


def read(path: Path, attributes: Attributes) -> Listing:
    """Images with the classes present in them, or with the view `crops` one sample for each box.

    Order: train, val, test, then sets that are none of them; by image id, then by annotation id.
    """
    source, files = _source_of(path)
    parts, notes = _chosen(source, files, [v for v in attributes.views if v != "crops"])
    sets = [_Set(source, part) for part in sorted(parts, key=lambda p: (SPLIT_ORDER.index(split_of(p.word)), p.title))]
    categories = next((s.categories for s in sets if s.categories), {})
    for s in sets:
        if s.categories and s.categories != categories:
            raise DataError(f"{s.part.files['instances']} lists other categories than the files beside it.")
    official = {int(i): COCO.class_names[i] for i in COCO.class_ids}
    is_published = categories == official if categories else all(part.year for part in parts)
    crops = "crops" in attributes.views
    listings = [s.crops(list(categories)) if crops else s.presence(list(categories), is_published) for s in sets]
    listings = [listing for listing in listings if listing.keys]
    if not listings:
        what = "box of an object" if crops else "image"
        raise DataError(f"{source}: no {what} is listed in {words(file.name for file in files)}.")
    found = joined(listings)
    names = official if is_published else categories
    return replace(
        found, class_ids=tuple(map(str, names)), class_names={str(i): name for i, name in names.items()},
        policy="official", dataset=COCO.name if is_published else None, notes=(*notes, *found.notes),
    )  # fmt: skip


FORMAT = Format(
    name="COCO", is_at=is_at, read=read,
    views={"crops": "one sample for each box", "2014": "the sets of 2014", "2015": "the test set of 2015",
           "2017": "the sets of 2017"},
)  # fmt: skip


def _annotation_files(folder: Path) -> list[TextFile]:
    """COCO's annotation files in a folder, in `annotations` below it, and in the zips that they come in."""
    places = [folder, folder / "annotations"]
    return [file for place in places if place.is_dir() for file in texts_in(place, _FILE, _ARCHIVE)]


def _source_of(path: Path) -> tuple[Path, list[TextFile]]:
    """The dataset's folder and its annotation files, for the folder or one of the files."""
    if path.is_dir():
        return path.resolve(), _annotation_files(path)
    folder = path.resolve().parent
    return folder.parent if folder.name == "annotations" else folder, [path]


def _chosen(source: Path, files: list[TextFile], years: list[str]) -> tuple[list[Part], tuple[str, ...]]:
    """The sets whose images are there, and what was left out. Raises DataError for several years and for no set."""
    parts: dict[tuple[str, str], Part] = {}
    for file in files:
        match = _FILE.fullmatch(file.name)
        assert match is not None
        word, year = match[2].removesuffix("-dev"), match[3] or ""
        if years and year not in years:
            continue
        part = parts.setdefault((word, year), Part(word=word, year=year, folder=_folder(source, word, year)))
        if not (match[2].endswith("-dev") and match[1] in part.files):  # test-dev is a part of test
            part.files[match[1]] = file
    there = [part for part in parts.values() if part.folder is not None]
    if not there:
        listed = words(part.title for part in parts.values()) or f"{', '.join(years)}: no set of that year"
        raise DataError(f"{source} has COCO's annotations and none of the images that they are of ({listed}). Put "
                        f"train2017 or train2017.zip, val2017 or val2017.zip and so on into {source}.")  # fmt: skip
    found = sorted({part.year for part in there})
    if "2017" in found and len(found) > 1:
        raise DataError(f"{source} has the sets of {' and '.join(found)}: the same photographs under two names, in "
                        f"other splits. Choose one year: {source}#2017 or {source}#2014.")  # fmt: skip
    left = sorted(part.title for part in parts.values() if part.folder is None)
    return there, (f"not read, their images are not here: {', '.join(left)}",) if left else ()


def _folder(source: Path, word: str, year: str) -> str | None:
    return place_of(source, *(f"{above}{name}" for name in (f"{word}{year}", word) for above in ("", "images/")))


class _Set:
    """One set of images with what its files say."""

    def __init__(self, source: Path, part: Part) -> None:
        self.source, self.part, self.split = source, part, split_of(part.word)
        first = next(iter(part.files.values()))
        instances = _document(part.files.get("instances"))
        captions = _document(part.files.get("captions"))
        document = instances or captions or _document(first)
        assert document is not None
        listed = sorted(records(document, "images", IMAGES, first), key=lambda image: image["id"])
        self.images: list[dict[str, Any]] = listed
        self.at = {image["id"]: i for i, image in enumerate(listed)}
        self.licences = _licences(document.get("licenses"))
        self.categories: dict[int, str] = {}
        self.instances: list[list[dict[str, Any]]] | None = None
        self.captions: list[list[str]] | None = None
        self.notes: tuple[str, ...] = ()
        if instances is not None:
            file = part.files["instances"]
            found = records(instances, "categories", CATEGORIES, file)
            self.categories = {c["id"]: clean(c["name"]) for c in sorted(found, key=lambda c: c["id"])}
            if len(self.categories) < len(found):
                raise DataError(f"{file} lists a category id twice.")
            self.instances = self._by_image(records(instances, "annotations", INSTANCES, file), file)
        if captions is not None:
            file = part.files["captions"]
            every = self._by_image(records(captions, "annotations", CAPTIONS, file), file)
            self.captions = [[clean(c["caption"]).strip() for c in of_image] for of_image in every]

    def _by_image(self, items: list[dict[str, Any]], file: TextFile) -> list[list[dict[str, Any]]]:
        found: list[list[dict[str, Any]]] = [[] for _ in self.images]
        strays = 0
        for item in sorted(items, key=lambda a: a["id"]):
            if "category_id" in item and item["category_id"] not in self.categories:
                raise DataError(f"{file}: annotation {item['id']} has the category {item['category_id']}, which is "
                                "not among its categories.")  # fmt: skip
            at = self.at.get(item["image_id"])
            strays += at is None
            if at is not None:
                found[at].append(item)
        self.notes += counted(strays, f"annotations of images that {file.name} does not list")
        return found

    def _listing(self) -> Listing:
        """The images, unlabelled."""
        n, word = len(self.images), self.part.word
        names = [clean(image["file_name"]) for image in self.images]
        images, reasons = images_in(self.source, self.part.folder or "", names)
        return Listing(
            layout="COCO", name=self.source.name, roots={"source": str(self.source)},
            keys=[f"{word}/{name}" for name in names],
            splits=[self.split] * n, labels=[None] * n, images=images,
            groups=[[("image", f"coco/{image['id']}")] for image in self.images],
            reasons=reasons,
            columns={"extra": [self._extra(image) for image in self.images]}, notes=self.notes,
        )  # fmt: skip

    def _extra(self, image: dict[str, Any]) -> str:
        number, page = image.get("license"), image.get("flickr_url")
        licence = self.licences.get(number) if isinstance(number, int) else None
        return extra(licence=licence, flickr_url=page if isinstance(page, str) else None)

    def presence(self, categories: list[int], is_exhaustive: bool) -> Listing:
        """The images, each with the classes of its instances; a crowd of a class is that class."""
        listing = self._listing()
        class_of = {c: i for i, c in enumerate(categories)}
        present = [label_of(i) for i in range(len(categories))]
        absent = [label_of(i, state=-1) for i in range(len(categories))]
        columns = {**listing.columns, "captions": self.captions or [None] * len(self.images)}
        notes = listing.notes
        if self.instances is not None:
            labels, boxes = [], []
            for instances in self.instances:
                shown = {class_of[a["category_id"]] for a in instances}
                # All 80 classes were looked for in every image: what is not there was seen not to be there.
                labels.append([present[i] if i in shown else absent[i] for i in range(len(categories))]
                              if is_exhaustive else [present[i] for i in sorted(shown)])  # fmt: skip
                boxes.append([b for a in instances if (b := _box(a, class_of)) is not None])
            lost = sum(map(len, self.instances)) - sum(map(len, boxes))
            notes += counted(sum(not i for i in self.instances), f"images of {self.part.title} show no class")
            notes += counted(lost, "boxes without an area")
            columns |= {"labels": labels, "boxes": boxes}
        return replace(listing, columns=columns, notes=notes)

    def crops(self, categories: list[int]) -> Listing:
        """One sample for each box of a single object; what is left out is counted."""
        class_of = {c: i for i, c in enumerate(categories)}
        positions, crops, chosen = [], [], []
        crowds = small = 0
        for at, instances in enumerate(self.instances or []):
            for a in instances:
                crop = _crop(a, self.images[at], class_of)
                crowds += bool(a.get("iscrowd"))
                small += crop is None and not a.get("iscrowd")
                if crop is not None and not a.get("iscrowd"):
                    positions.append(at)
                    crops.append(crop)
                    chosen.append(a)
        listing = repeated(self._listing(), positions)
        keys = [f"{key}#{a['id']}" for key, a in zip(listing.keys, chosen, strict=True)]
        notes = (*listing.notes, *counted(crowds, "boxes of crowds left out"),
                 *counted(small, f"boxes with a side below {MIN_SIDE:.0f} pixels left out"))  # fmt: skip
        return replace(listing, keys=keys, labels=[str(a["category_id"]) for a in chosen],
                       columns={**listing.columns, "crop": crops}, notes=notes)  # fmt: skip


def _licences(listed: Any) -> dict[int, str]:
    """Number → name of the licences that a file lists."""
    known = [v for v in listed if isinstance(v, dict)] if isinstance(listed, list) else []
    return {v["id"]: v["name"] for v in known if isinstance(v.get("id"), int) and isinstance(v.get("name"), str)}


def _document(file: TextFile | None) -> dict[str, Any] | None:
    return None if file is None else read_object(file, _slim)


def _slim(item: dict[str, Any]) -> dict[str, Any]:
    """Outlines are most of the file, and nothing here reads them nor the others."""
    for name in ("segmentation", "area", "coco_url", "date_captured"):
        item.pop(name, None)
    return item


def _corners(annotation: dict[str, Any]) -> tuple[float, float, float, float] | None:
    """x0, y0, x1, y1 of COCO's x, y, width, height; None where that has no area."""
    values = annotation["bbox"]
    if len(values) != 4 or not all(isinstance(v, int | float) and abs(v) < 1e6 for v in values):  # NaN is not below
        return None
    x, y, width, height = map(float, values)
    return (x, y, x + width, y + height) if width > 0 and height > 0 else None


def _box(annotation: dict[str, Any], class_of: dict[int, int]) -> dict[str, Any] | None:
    corners = _corners(annotation)
    if corners is None:
        return None
    x0, y0, x1, y1 = corners
    return {"space": "", "id": class_of[annotation["category_id"]], "x0": x0, "y0": y0, "x1": x1, "y1": y1,
            "flags": CROWD if annotation.get("iscrowd") else 0}  # fmt: skip


def _crop(annotation: dict[str, Any], image: dict[str, Any], class_of: dict[int, int]) -> list[float] | None:
    """The box inside its image, or None where it is too small to be a sample."""
    corners = _corners(annotation)
    if corners is None:
        return None
    width, height = (float(v) if isinstance(v := image.get(side), int | float) else 1e6 for side in ("width", "height"))
    x0, y0, x1, y1 = max(corners[0], 0.0), max(corners[1], 0.0), min(corners[2], width), min(corners[3], height)
    return [x0, y0, x1, y1] if min(x1 - x0, y1 - y0) >= MIN_SIDE else None
