"""EMOTIC: people in their surroundings, with what others think they feel."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline.catalog.annotations import (
    OUTSIDE,
    clean,
    counted,
    extra,
    file_images,
    inside,
    label_of,
    read_bytes,
    repeated,
)
from sightline.catalog.emotic_card import EMOTIC
from sightline.errors import DataError, did_you_mean
from sightline.formats.listing import Attributes, Format, Listing
from sightline.formats.matlab import read_matlab

SPLITS = ("train", "val", "test")
SCALARS = ("valence", "arousal", "dominance")
LOWEST, HIGHEST = 1.0, 10.0

_MISSPELT = {"Disquitement": "Disquietment"}
_OF_COCO = re.compile(r"COCO_(?:train|val|test)\d{4}_0*(\d+)\.jpg")


def is_at(path: Path) -> bool:
    """Whether `path` is a folder with EMOTIC's Annotations.mat."""
    return path.is_dir() and _file(path) is not None


def read(path: Path, attributes: Attributes) -> Listing:
    """One sample for each person, in the order of the file: train, val, test."""
    source = path.resolve()
    file = _file(source)
    assert file is not None
    people = [person for split, rows in _splits(file).items() for row in rows for person in _people(row, split, file)]
    if not people:
        raise DataError(f"{file} lists nobody. Fetch it again.")
    images = list(dict.fromkeys(person.image for person in people))
    prefix = _prefix(source, images)
    paths = [inside(prefix, image) for image in images]
    each = Listing(
        layout="EMOTIC", name=source.name, roots={"source": str(source)}, keys=images, splits=[None] * len(images),
        labels=[None] * len(images), images=file_images(paths), reasons=[None if p else OUTSIDE for p in paths],
    )  # fmt: skip
    position = {image: i for i, image in enumerate(images)}
    rows = repeated(each, [position[person.image] for person in people])
    crops = [person.crop for person in people]
    reasons = [told or (None if crop else "the person's box shows nothing of the image")
               for told, crop in zip(rows.reasons or [], crops, strict=True)]  # fmt: skip
    seen: Counter[str] = Counter()
    keys = []
    for person in people:
        stem = f"{person.split}/{person.image}"
        seen[stem] += 1
        keys.append(f"{stem}#{seen[stem]}")
    without = sum(len(p.scalars) < len(SCALARS) for p in people)
    notes = counted(without, "people without all of valence, arousal and dominance")
    return replace(
        rows, keys=keys, splits=[p.split for p in people], groups=[p.groups for p in people], reasons=reasons,
        columns={"crop": crops, "labels": [p.labels for p in people], "scalars": [p.scalars for p in people],
                 "extra": [p.extra for p in people]},
        class_ids=EMOTIC.class_ids, policy="official", dataset=EMOTIC.name, notes=notes,
    )  # fmt: skip


FORMAT = Format(name="EMOTIC", is_at=is_at, read=read)


@dataclass(frozen=True, kw_only=True)
class _Person:
    split: str
    image: str
    crop: list[float] | None
    labels: list[dict[str, Any]]
    scalars: list[tuple[str, float]]
    groups: list[tuple[str, str]]
    extra: str


def _file(folder: Path) -> Path | None:
    places = (folder / above / "Annotations.mat" for above in ("Annotations", "annotations", ""))
    return next((place for place in places if place.is_file()), None)


def _prefix(source: Path, images: list[str]) -> str:
    """Where the images lie: the file's own folders, or the same below `emotic`."""
    tops = {top for image in images if (path := inside(image)) and (top := path.partition("/")[0])}
    for prefix in ("", "emotic", "images"):
        if any((source / prefix / top).is_dir() for top in tops):
            return prefix
    raise DataError(f"{source} has EMOTIC's annotations and none of its images. Put the folder emotic/ (with mscoco, "
                    "framesdb, ade20k and emodb_small) into it.")  # fmt: skip


def _splits(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Split → its images, as dicts by the names of the file's own fields: their positions differ between splits."""
    found = read_matlab(read_bytes(file), SPLITS, str(file))
    missing = [split for split in SPLITS if split not in found]
    if len(missing) == len(SPLITS):
        raise DataError(f"{file} has none of the variables train, val and test; it is not EMOTIC's.")
    return {split: [_dict(row, split, file) for row in _list(found[split])] for split in SPLITS if split not in missing}


def _list(value: Any) -> list[Any]:
    """MATLAB has no lists of one: a single thing stands for itself."""
    if isinstance(value, np.ndarray):
        return list(value.ravel())
    return list(value) if isinstance(value, list) else [value]


def _dict(value: Any, what: str, file: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{file}: {what} holds {value!r:.60} where a structure is wanted; it is not EMOTIC's.")
    return value


def _field(row: Mapping[str, Any], name: str, what: str, file: Path) -> Any:
    if name not in row:
        raise DataError(f"{file}: {what} has no field {name!r}; it has {', '.join(map(str, row))}.")
    return row[name]


def _people(row: dict[str, Any], split: str, file: Path) -> list[_Person]:
    image = "/".join(clean(str(_field(row, name, split, file))).strip("/") for name in ("folder", "filename"))
    size = row.get("image_size")
    width, height = (_number(size.get(n)) if isinstance(size, dict) else None for n in ("n_col", "n_row"))
    original = row.get("original_database")
    database = _text(original.get("name") if isinstance(original, dict) else original)
    groups = [("image", f"emotic/{image}")]
    if (coco := _OF_COCO.fullmatch(image.rpartition("/")[2])) is not None:
        groups.append(("image", f"coco/{coco[1]}"))
    found = []
    for one in _list(_field(row, "person", split, file)):
        person = _dict(one, f"{split}.person", file)
        given = _list(_field(person, "annotations_categories", f"{split}.person", file))
        raters = [_words(v) for v in given] if all(isinstance(v, dict) for v in given) else [_words(given)]
        found.append(_Person(
            split=split, image=image, crop=_crop(person.get("body_bbox"), width, height), groups=groups,
            labels=_labels(person, raters, file), scalars=_scalars(person),
            extra=extra(
                perceived_gender=_text(person.get("gender")), perceived_age=_text(person.get("age")),
                annotators=len(raters), database=database,
            ),
        ))  # fmt: skip
    return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    """A finite number, or None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _words(value: Any) -> list[str]:
    """Words of a cell array, of a structure with one, or of a lone word."""
    if isinstance(value, dict):
        return _words(value.get("categories"))
    if isinstance(value, str):
        return [value.strip()] if value.strip() else []
    return [word for v in _list(value) for word in _words(v)] if isinstance(value, list | np.ndarray) else []


def _labels(person: dict[str, Any], raters: list[list[str]], file: Path) -> list[dict[str, Any]]:
    """The person's emotions, and behind them each annotator's own where there are several."""
    every = [word for words in raters for word in words]
    combined = _words(person["combined_categories"]) if "combined_categories" in person else every
    labels = [label_of(i) for i in sorted({_class(word, file) for word in combined})]
    if len(raters) > 1:
        for number, words in enumerate(raters, 1):
            labels += [label_of(i, source=f"rater {number}") for i in sorted({_class(word, file) for word in words})]
    return labels


def _class(word: str, file: Path) -> int:
    known = _MISSPELT.get(word, word)
    if known not in EMOTIC.class_ids:
        raise DataError(f"{file} names the emotion {word!r}, which is none of the 26."
                        + did_you_mean(word, EMOTIC.class_ids))  # fmt: skip
    return EMOTIC.class_ids.index(known)


def _scalars(person: dict[str, Any]) -> list[tuple[str, float]]:
    """Valence, arousal and dominance, as far as they are numbers of the scale; the mean over several annotators."""
    of = person.get("combined_continuous", person.get("annotations_continuous"))
    found = []
    for name in SCALARS:
        values = [_number(v) for one in _list(of) if isinstance(one, dict) for v in _list(one.get(name))]
        usable = [v for v in values if v is not None and LOWEST <= v <= HIGHEST]
        if usable:
            found.append((name, sum(usable) / len(usable)))
    return found


def _crop(box: Any, width: float | None, height: float | None) -> list[float] | None:
    """x0, y0, x1, y1 inside the image, or None where the box shows nothing of it."""
    values = [_number(v) for v in _list(box)]
    if len(values) != 4 or None in values:
        return None
    x0, y0, x1, y1 = (v for v in values if v is not None)
    crop = [max(x0, 0.0), max(y0, 0.0), min(x1, width or x1), min(y1, height or y1)]
    return crop if crop[2] > crop[0] and crop[3] > crop[1] else None
