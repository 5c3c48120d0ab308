"""ObjectNet: photographs for testing only, whose classes map to those of ImageNet-1k many to one.

The files stay as they are: the red border that marks them is cut off by each sample's crop.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.catalog.file_trees import FileTree, file_tree, place_of
from sightline.catalog.label_data import IMAGENET_1K, listed
from sightline.catalog.label_maps import LabelMap
from sightline.catalog.wordnet import names_of
from sightline.errors import DataError
from sightline.formats import read_headers
from sightline.formats.headers import FIELDS
from sightline.formats.listing import Attributes, Format, Listing
from sightline.images import Header
from sightline.samples import Classes

FOLDERS = "mappings/folder_to_objectnet_label.json"
TO_IMAGENET = "mappings/objectnet_to_imagenet_1k.json"
POSITIONS = "mappings/pytorch_to_imagenet_2012_id.json"
LABELS = "mappings/imagenet_to_label_2012_v2"
ARCHIVE = "objectnet-1.0.zip"
BORDER = 2
"""Pixels cut off on each side, as the reference loader does; the documentation speaks of one."""
SPACE = "imagenet-1k"
VIEWS = {SPACE: "the images of classes that ImageNet-1k has too, with its 1,000 classes"}

_IMAGE = re.compile(r"images/([^/]+)/[^/]+\.png", re.IGNORECASE)


def is_at(path: Path) -> bool:
    """Whether `path` is ObjectNet's zip, or a folder with its images and mappings."""
    return place_of(path, FOLDERS, ARCHIVE) is not None


def read(path: Path, attributes: Attributes) -> Listing:
    """Every photograph as a test sample of ObjectNet's 313 classes, cropped inside its border.

    The column `labels` holds, in the space imagenet-1k, every class that counts as right; none for the classes that
    ImageNet-1k has not. Raises DataError for a copy without its mappings.
    """
    tree = _tree(path)
    found = [(name, m[1]) for name in tree.names if (m := _IMAGE.fullmatch(name))]
    if not found:
        raise DataError(f"{tree.source} has the mappings of ObjectNet and no images. Unpack it whole.")
    names, folders = [n for n, _ in found], [f for _, f in found]
    titles = _object(tree, FOLDERS)
    strange = sorted(set(folders) - set(titles))
    if strange:
        raise DataError(f"{tree.source}: the folder {strange[0]!r} is not in {FOLDERS}. Fetch ObjectNet again.")
    ids = tuple(sorted(titles, key=str.encode))
    mapped = _map(tree, ids, titles)
    index = {folder: i for i, folder in enumerate(ids)}
    wnids = listed(IMAGENET_1K)
    known = names_of(wnids)
    labels = [[{"space": SPACE, "id": t, "state": 1, "score": None, "source": "dataset"}
               for t in mapped.targets[index[f]]] for f in folders]  # fmt: skip
    listing = Listing(
        layout="ObjectNet", name="objectnet", roots={"source": tree.root},
        keys=["test/" + n.removeprefix("images/") for n in names], splits=["test"] * len(names), labels=folders,
        images=tree.images(names), class_ids=ids, class_names=titles, policy="official", reasons=tree.reasons(names),
        columns={"labels": labels}, dataset="objectnet",
        spaces={SPACE: Classes(wnids, tuple(known[w] for w in wnids), "official")},
        notes=("testing only: its licence forbids to fit any parameter to these images",),
    )  # fmt: skip
    return _cropped(_in_imagenet(listing) if SPACE in attributes.views else listing)


FORMAT = Format(name="ObjectNet", is_at=is_at, read=read, views=VIEWS)


def objectnet_map(path: Path) -> LabelMap:
    """Which classes of ImageNet-1k each class of ObjectNet is, from a copy's mappings; folders in byte order."""
    tree = _tree(path)
    titles = _object(tree, FOLDERS)
    return _map(tree, tuple(sorted(titles, key=str.encode)), titles)


def _tree(path: Path) -> FileTree:
    place = place_of(path, FOLDERS, ARCHIVE)
    tree = None if place is None else file_tree(place, FOLDERS)
    if tree is None:
        raise DataError(f"{path} has no {FOLDERS}: it is no whole copy of ObjectNet. Fetch it again, or rename it.")
    return tree


def _map(tree: FileTree, ids: tuple[str, ...], titles: dict[str, str]) -> LabelMap:
    """Folder → ObjectNet's label → ImageNet's label strings → their line in a list → position of the sorted wnid."""
    lines = {line.strip(): i for i, line in enumerate(tree.text(LABELS).splitlines())}
    try:
        position = {int(line): int(sorted_id) for sorted_id, line in _object(tree, POSITIONS).items()}
        strings = {label: text.split("; ") for label, text in _object(tree, TO_IMAGENET).items()}
        targets = tuple(
            tuple(sorted(position[lines[text.strip()]] for text in strings.get(titles[folder], []))) for folder in ids
        )
    except (KeyError, ValueError, AttributeError, TypeError) as e:
        raise DataError(f"The mappings of {tree.source} do not fit together ({e!r}). Fetch ObjectNet again.") from None
    if any(not 0 <= t < 1_000 for found in targets for t in found):
        raise DataError(f"{POSITIONS} of {tree.source} has numbers beyond 0 … 999. Fetch ObjectNet again.")
    return LabelMap(source="objectnet", target=SPACE, targets=targets, num_targets=1_000)


def _object(tree: FileTree, name: str) -> dict[str, Any]:
    try:
        found = json.loads(tree.text(name))
    except (ValueError, RecursionError) as e:
        raise DataError(f"{name} of {tree.source} is not readable JSON ({e}). Fetch ObjectNet again.") from None
    if not isinstance(found, dict):
        raise DataError(f"{name} of {tree.source} holds a {type(found).__name__}, wanted an object.")
    return found


def _in_imagenet(listing: Listing) -> Listing:
    """The images that a model of ImageNet-1k can name; where several of its classes count as right, `label` is null."""
    labels = listing.columns["labels"]
    shown = listing.take([i for i, entries in enumerate(labels) if entries])
    wnids = listed(IMAGENET_1K)
    entries = [[{**e, "space": ""} for e in told] for told in shown.columns["labels"]]
    several = sum(len(told) > 1 for told in entries)
    return replace(
        shown, labels=[wnids[told[0]["id"]] if len(told) == 1 else None for told in entries], class_ids=wnids,
        class_names={}, columns={**shown.columns, "labels": entries}, spaces={},
        notes=(*shown.notes, f"{len(labels) - len(entries):,} images of classes that ImageNet-1k has not left out",
               f"{several:,} images for which several classes count as right"),
    )  # fmt: skip


def _cropped(listing: Listing) -> Listing:
    """The listing with its headers read, and the crop that each image's size gives."""
    told = list(listing.reasons or [None] * len(listing.keys))
    headers = read_headers(listing)
    reasons = [t or (h if isinstance(h, str) else None) for t, h in zip(told, headers, strict=True)]
    crops = [[float(BORDER), float(BORDER), float(h.width - BORDER), float(h.height - BORDER)]
             if isinstance(h, Header) and min(h.width, h.height) > 2 * BORDER else None for h in headers]  # fmt: skip
    known = {f: [getattr(h, f) if isinstance(h, Header) else None for h in headers] for f in FIELDS}
    return replace(
        listing, images={**listing.images, **known}, reasons=reasons, columns={**listing.columns, "crop": crops}
    )
