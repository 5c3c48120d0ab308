"""Files that hold several images, or none: each frame of a DICOM object and each page of a TIFF stack is a sample."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.errors import DataError, DecodeError
from sightline.formats.class_tree import suffix_of, suffixes_of
from sightline.formats.frames import Frames
from sightline.formats.headers import FIELDS, read_headers
from sightline.formats.listing import Listing
from sightline.images import Header, resolve_root
from sightline.images.remote import is_address
from sightline.progress import progress
from sightline.samples import IMAGE

PLAIN = frozenset([".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".jp2", ".j2k", ".ppm", ".pgm",
                   ".pbm", ".heic", ".avif"])  # fmt: skip
"""Names of files that are one image; others are looked into. DICOM files are often called `IM0001` or `1.2.840.113`."""

VIEWS = {
    "whole-range": "DICOM: the whole range of values, not the window that each file suggests",
    "ct-lung": "DICOM: Hounsfield units in the window -600, 1500",
    "ct-bone": "DICOM: Hounsfield units in the window 400, 1800",
    "ct-brain": "DICOM: Hounsfield units in the window 40, 80",
    "ct-soft-tissue": "DICOM: Hounsfield units in the window 40, 400",
}
"""Words behind `#` in a source's address: how grey levels of DICOM are shown."""

LAYOUTS = {"whole-range": "range", "ct-lung": "window:-600,1500", "ct-bone": "window:400,1800",
           "ct-brain": "window:40,80", "ct-soft-tissue": "window:40,400"}  # fmt: skip


def with_frames(listing: Listing, views: Sequence[str] = ()) -> Listing:
    """A listing of files where each frame is a sample, tied to what it must not be parted from; else as it was.

    The key of a frame is that of its file, with `#` and its number from 0 where the file has several. Raises DataError
    when class folders are patients, MissingExtraError without the extra `medical` or `tiff` where it is needed.
    """
    if len(views) > 1:
        raise DataError(f"DICOM is shown in one way, got {', '.join(views)}. Choose one.")
    found = _looked_into(listing, LAYOUTS[views[0]] if views else "window")
    if not any(found):
        return listing
    positions, images, reasons = _expanded(listing, found)
    taken = listing.take(positions)
    frames = [found[i] for i in positions]
    numbers = [image.get("frame") if (f := found[i]) and len(f.images) > 1 else None
               for i, image in zip(positions, images, strict=True)]  # fmt: skip
    keys = [key if n is None else f"{key}#{n}" for key, n in zip(taken.keys, numbers, strict=True)]
    groups = _groups(taken, frames)
    extra = [f.extra if f else None for f in frames]
    result = replace(
        taken, keys=keys, images={f.name: [image.get(f.name) for image in images] for f in IMAGE},
        reasons=reasons if any(reasons) else None, groups=groups, notes=(*listing.notes, *_notes(found, groups)),
        columns={**taken.columns, **({"extra": extra} if any(extra) and "extra" not in taken.columns else {})},
    )  # fmt: skip
    _refuse_patients_as_classes(result)
    return result


def _looked_into(listing: Listing, layout: str) -> list[Frames | None]:
    """What each file holds; None for one that is a single image."""
    found: list[Frames | None] = [None] * len(listing.keys)
    is_elsewhere = any(is_address(address) for address in listing.roots.values())
    if listing.images["container"] != "file" or "codec" in listing.images or is_elsewhere:
        return found
    paths, roots = listing.images["path"], {a: resolve_root(address) for a, address in listing.roots.items()}
    alias = listing.images["root"]
    if suffixes_of(paths) <= PLAIN:
        return found
    doubtful = [i for i, path in enumerate(paths) if suffix_of(path) not in PLAIN]
    files = [roots[alias if isinstance(alias, str) else alias[i]] / paths[i] for i in doubtful]
    with ThreadPoolExecutor(min(16, 4 * (os.cpu_count() or 1))) as pool, progress("frames", len(files)) as advance:
        for start in range(0, len(files), 1024):
            block = slice(start, start + 1024)
            results = pool.map(lambda file: _looked_at(file, layout), files[block])
            for i, result in zip(doubtful[block], results, strict=True):
                found[i] = result
            advance(len(files[block]))
    return found


def _looked_at(file: Path, layout: str) -> Frames | None:
    try:
        with file.open("rb") as f:
            head = f.read(132)
        if head[128:132] == b"DICM":
            from sightline.formats import dicom

            return dicom.frames_of(file, layout)
        if head[:2] in {b"II", b"MM"}:
            from sightline.formats import tiff_stack

            return tiff_stack.frames_of(file)
    except DecodeError as e:
        return Frames(images=[{}], reason=str(e))
    except OSError:
        return None  # reading its header says why
    return None


def _expanded(
    listing: Listing, found: Sequence[Frames | None]
) -> tuple[list[int], list[dict[str, Any]], list[str | None]]:
    """For each sample the position of its file, its image's fields, and why it has none."""
    plain = [i for i, frames in enumerate(found) if frames is None]
    headers = dict(zip(plain, read_headers(listing.take(plain)) if plain else [], strict=True))
    alias = listing.images["root"]
    positions, images, reasons = [], [], []
    for i, frames in enumerate(found):
        place = {"root": alias if isinstance(alias, str) else alias[i], "path": listing.images["path"][i],
                 "container": "file"}  # fmt: skip
        known: Sequence[dict[str, Any]] = [_fields(headers[i])] if frames is None else frames.images
        header = headers.get(i)
        reason = frames.reason if frames else header if isinstance(header, str) else None
        for fields in known:
            positions.append(i)
            images.append(place | fields)
            reasons.append(reason)
    return positions, images, reasons


def _fields(header: Header | str) -> dict[str, Any]:
    return {name: getattr(header, name) for name in FIELDS} if isinstance(header, Header) else {}


def _groups(listing: Listing, frames: Sequence[Frames | None]) -> list[list[tuple[str, str]]] | None:
    groups = []
    for i, f in enumerate(frames):
        told = [] if listing.groups is None else listing.groups[i]
        read = () if f is None else f.groups
        # Frames of one file belong together, whatever else is known of it.
        tied = [("file", listing.images["path"][i])] if f is not None and len(f.images) > 1 and not read else []
        groups.append(list(dict.fromkeys([*told, *read, *tied])))
    return groups if any(groups) else None


def _notes(found: Sequence[Frames | None], groups: Sequence[Sequence[tuple[str, str]]] | None) -> list[str]:
    files = [f for f in found if f is not None]
    notes = [f"{n} {what} passed over" for what, n in Counter(f.passed_over for f in files if f.passed_over).items()]
    notes += [f"{note}: {n} files" for note, n in Counter(note for f in files for note in f.notes).items()]
    kinds = sorted({kind for f in files for kind, _ in f.groups})
    notes += [f"grouped by {', '.join(kinds)}"] if kinds else []
    patients = {group for own in groups or () for group in own if group[0] == "patient"}
    return [*notes, "all samples are of one patient"] if len(patients) == 1 else notes


def _refuse_patients_as_classes(listing: Listing) -> None:
    """Raise DataError when each class folder is one patient, as archives lay them out: labels would be names."""
    if listing.layout != "class folders" or listing.groups is None:
        return
    patients: dict[str | None, set[str]] = defaultdict(set)
    labels: dict[str, set[str | None]] = defaultdict(set)
    for label, groups in zip(listing.labels, listing.groups, strict=True):
        for kind, name in groups:
            if kind == "patient":
                patients[label].add(name)
                labels[name].add(label)
    if len(patients) > 1 and max(map(len, patients.values())) == max(map(len, labels.values())) == 1:
        raise DataError(
            f"{listing.name} has one patient in each folder: the folders are patients, not classes. Write a CSV with "
            "the columns path and label, and index that; patients are read from the files."
        )
