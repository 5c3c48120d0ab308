"""Datasets that lie in a layout others have too, known by the names of their files: official keys, classes and groups.

These sets were made to test models trained on ImageNet-1k. Their folders say less than they mean: the classes are those
of ImageNet-1k, of which a set may have a part, and every sample is a test sample.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sightline.catalog.imagenet_names import as_imagenet, named
from sightline.catalog.label_data import IMAGENET_1K, listed, val_labels
from sightline.catalog.wordnet import are_wnids
from sightline.formats.listing import Listing
from sightline.images.containers import ARCHIVES

_IN_WNID = re.compile(r"(?:.*/)?(n\d{8})/([^/]+)")
_NUMBERED = re.compile(r"(?:.*/)?(\d{1,3})/([0-9a-f]{8,})\.jpe?g")
_CORRUPTED = re.compile(r"(?:.*/)?([a-z_]+)/([1-5])/(n\d{8})/ILSVRC2012_val_(\d{8})\.JPEG")
_OF_21K = re.compile(r"(?:.*/)?(n\d{8})_(\d+)\.JPEG", re.IGNORECASE)
_STYLED = re.compile(r"([a-z]+)_\d+\.jpe?g")
_SKETCH = re.compile(r"sketch_\d+\.JPEG")
_VARIANT = re.compile(r"matched-frequency|threshold-?0\.7|top-images")

STYLES = frozenset([
    "art", "cartoon", "deviantart", "embroidery", "graffiti", "graphic", "misc", "origami", "painting", "sculpture",
    "sketch", "sticker", "tattoo", "toy", "videogame",
])  # fmt: skip
"""What the file names of ImageNet-R begin with."""

CORRUPTIONS = frozenset([
    "brightness", "contrast", "defocus_blur", "elastic_transform", "fog", "frost", "gaussian_blur", "gaussian_noise",
    "glass_blur", "impulse_noise", "jpeg_compression", "motion_blur", "pixelate", "saturate", "shot_noise", "snow",
    "spatter", "speckle_noise", "zoom_blur",
])  # fmt: skip
"""The corruptions of ImageNet-C: 15 of the benchmark and 4 more."""


def may_be_published(first: Listing) -> bool:
    """Whether the first samples of a source, with all its class ids, may be of a dataset that `as_published` knows.

    To know it the names of all samples are needed.
    """
    if first.dataset is not None or not first.keys:
        return False
    path, ids = _paths_of(first)[0], set(first.class_ids)
    # Folders around those of the classes are no ids that tell anything.
    if _NUMBERED.fullmatch(path):
        return len(ids) == len(listed(IMAGENET_1K)) or not all(map(str.isdecimal, ids))
    if _CORRUPTED.fullmatch(path):
        return True
    if not ids or not are_wnids(ids):
        return bool(_IN_WNID.fullmatch(path) or named(first.keys[0]))
    parts = [set(listed(name)) for name in (IMAGENET_1K, "imagenet_r", "imagenet_a")]
    return ids in parts or (len(ids) > len(parts[0]) and _OF_21K.fullmatch(path) is not None)


def as_published(listing: Listing) -> Listing:
    """The listing as the published dataset that its names show, or as it is where they show none."""
    if listing.dataset is not None or not listing.keys:
        return listing
    paths = _paths_of(listing)
    known: tuple[tuple[re.Pattern[str], Callable[[Listing, _Paths], Listing | None]], ...] = (
        (_NUMBERED, _v2), (_CORRUPTED, _corrupted), (_IN_WNID, _in_wnids), (_OF_21K, _of_21k),
    )  # fmt: skip
    for pattern, recognised in known:
        if pattern.fullmatch(paths[0]) and (found := recognised(listing, paths)):
            return found
    return as_imagenet(listing) or listing


def _paths_of(listing: Listing) -> _Paths:
    """Names of a listing's files with what is above the source in front."""
    # A source may be a folder inside the dataset: what its path ends in is part of the names. An archive's members say
    # more than keys, which leave out a lone folder around everything.
    above = "/".join(next(iter(listing.roots.values()), "").rstrip("/").split("/")[-3:])
    container, members = listing.images.get("container"), listing.images.get("member")
    kind = container[0] if isinstance(container, list) else container
    is_archive = isinstance(members, list) and kind in ARCHIVES
    names: Sequence[str] = members if isinstance(members, list) and is_archive else listing.keys
    return _Paths(above, names)


class _Paths:
    """Names of files with the folders above the source in front, made when asked for: there may be millions."""

    def __init__(self, above: str, names: Sequence[str]) -> None:
        self._above, self._names = above, names

    def __getitem__(self, i: int) -> str:
        return f"{self._above}/{self._names[i]}"

    def __iter__(self) -> Iterator[str]:
        return (f"{self._above}/{name}" for name in self._names)


def _v2(listing: Listing, paths: _Paths) -> Listing | None:
    """ImageNet-V2: folders 0 … 999 that are positions of the sorted wnids, not ids to be sorted as text."""
    found = _all(_NUMBERED, paths)
    wnids = listed(IMAGENET_1K)
    if found is None or not any("imagenetv2" in p.lower() for p in (paths[0], listing.name)):
        return None
    if {int(m[1]) for m in found} != set(range(len(wnids))):
        return None
    where = _VARIANT.search(f"{paths[0]} {listing.name}")
    variants = [_VARIANT.search(p) or where for p in paths]
    names = [v[0].replace("threshold0", "threshold-0") if v else "" for v in variants]
    keys = [f"test/{name + '/' if name else ''}{m[1]}/{m[2]}.jpeg" for name, m in zip(names, found, strict=True)]
    # The three variants are drawn from one pool of candidates and share images.
    return _tested(listing, "imagenet-v2", keys, [wnids[int(m[1])] for m in found],
                   groups=[[("image", m[2])] for m in found],
                   extra=[{"variant": n} if n else None for n in names])  # fmt: skip


def _corrupted(listing: Listing, paths: _Paths) -> Listing | None:
    """ImageNet-C: each val image up to 95 times, tied together by its number."""
    found = _all(_CORRUPTED, paths)
    if found is None or not {m[1] for m in found} <= CORRUPTIONS:
        return None
    stems = [f"ILSVRC2012_val_{m[4]}" for m in found]
    keys = [f"test/{m[1]}/{m[2]}/{m[3]}/{stem}.JPEG" for m, stem in zip(found, stems, strict=True)]
    return _tested(listing, "imagenet-c", keys, [m[3] for m in found], groups=[[("image", stem)] for stem in stems],
                   extra=[{"corruption": m[1], "severity": int(m[2])} for m in found],
                   notes=_misplaced([(int(m[4]), m[3]) for m in found]))  # fmt: skip


def _misplaced(found: Sequence[tuple[int, str]]) -> list[str]:
    """A note when val images lie in folders of other classes than published."""
    wnids, labels = listed(IMAGENET_1K), val_labels()
    odd = [(n, w) for n, w in found if not 1 <= n <= len(labels) or wnids[labels[n - 1]] != w]
    if not odd:
        return []
    number, wnid = odd[0]
    return [f"{len(odd):,} images lie in the folder of another class than published (first: number {number} in {wnid})"]


def _in_wnids(listing: Listing, paths: _Paths) -> Listing | None:
    """ImageNet-A, -R and -Sketch: folders of wnids, told apart by which they are and what the files are called."""
    if _OF_21K.fullmatch(paths[0]):
        return None
    found = _all(_IN_WNID, paths)
    if found is None:
        return None
    wnids, labels = {m[1] for m in found}, [m[1] for m in found]
    keys = [f"test/{m[1]}/{m[2]}" for m in found]
    if wnids == set(listed("imagenet_r")):
        styles = [m[1] if (m := _STYLED.fullmatch(f[2])) else None for f in found]
        if set(styles) <= STYLES:
            return _tested(listing, "imagenet-r", keys, labels, extra=[{"style": s} for s in styles])
    if wnids == set(listed("imagenet_a")):
        return _tested(listing, "imagenet-a", keys, labels)
    if wnids == set(listed(IMAGENET_1K)) and all(_SKETCH.fullmatch(f[2]) for f in found):
        return _tested(listing, "imagenet-sketch", keys, labels)
    return None


def _of_21k(listing: Listing, paths: _Paths) -> Listing | None:
    """ImageNet-21k: names as in ImageNet-1k, and more classes than that; no split, and no list that all agree on."""
    if len(listing.class_ids) <= len(listed(IMAGENET_1K)) or (found := _all(_OF_21K, paths)) is None:
        return None
    wnids = {m[1] for m in found} | set(listing.class_ids)
    if any(v != m[1] for v, m in zip(listing.labels, found, strict=True)):
        return None
    keys = [f"{m[1]}/{m[1]}_{m[2]}.JPEG" for m in found]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return replace(listing, keys=keys, class_ids=tuple(sorted(wnids)), policy="official",
                   dataset="imagenet-21k").take(order)  # fmt: skip


def _all(pattern: re.Pattern[str], paths: _Paths) -> list[re.Match[str]] | None:
    """The match of every path, or None as soon as one has none."""
    found = []
    for path in paths:
        match = pattern.fullmatch(path)
        if match is None:
            return None
        found.append(match)
    return found


def _tested(
    listing: Listing, dataset: str, keys: list[str], labels: list[str], *,
    groups: list[list[tuple[str, str]]] | None = None, extra: Sequence[dict[str, object] | None] | None = None,
    notes: Sequence[str] = (),
) -> Listing:  # fmt: skip
    """A set that is for testing only, with the classes of ImageNet-1k whatever part of them it has."""
    told = {} if extra is None else {"extra": [None if e is None else json.dumps(e) for e in extra]}
    missing = len(listed(IMAGENET_1K)) - len(set(labels))
    part = [f"{missing} of the 1,000 classes of ImageNet-1k have no image here"] if missing else []
    return replace(
        listing, keys=keys, splits=["test"] * len(keys), labels=labels, class_ids=listed(IMAGENET_1K), class_names={},
        policy="official", dataset=dataset, groups=groups, columns={**listing.columns, **told},
        notes=(*listing.notes, *part, *notes),
    ).take(sorted(range(len(keys)), key=lambda i: keys[i].encode()))  # fmt: skip
