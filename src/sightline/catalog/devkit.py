"""The development kit of ILSVRC: class numbers and the labels of the val images, from its folder or its archive."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

from sightline.catalog.label_data import IMAGENET_1K, devkit_order, listed, val_labels
from sightline.errors import DataError
from sightline.formats.matlab import read_matlab

GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
MAX_BYTES = 64 << 20
"""A file of the kit beyond this is refused; the largest real one has a megabyte."""


def val_wnids(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """wnid of each val image in the order of their numbers, and notes.

    From the kit in or beside `folder`, whose class numbers are its own; without a kit the labels that ship with the
    package, which are the same. Raises DataError for a kit that is damaged.
    """
    ids = listed(IMAGENET_1K)
    published = tuple(ids[i] for i in val_labels().tolist())
    text = member(folder, GROUND_TRUTH)
    if text is None:
        return published, ()
    numbers = text.decode("ascii", "replace").split()
    order = class_numbers(folder)
    if len(numbers) != len(published) or not all(n.isdecimal() and 1 <= int(n) <= len(order) for n in numbers):
        raise DataError(
            f"{GROUND_TRUTH} in {folder} has {len(numbers):,} entries, wanted 50,000 class numbers from 1 to 1000, one "
            "in a line. Fetch the development kit again."
        )
    found = tuple(order[int(n) - 1] for n in numbers)
    differing = sum(a != b for a, b in zip(found, published, strict=True))
    note = f"{differing:,} val labels of the development kit are others than the published ones; the kit's are taken"
    return found, (note,) if differing else ()


def class_numbers(folder: Path) -> tuple[str, ...]:
    """wnids in the kit's numbering, its 1 first: of map_clsloc.txt or meta.mat, else as published."""
    text = member(folder, "map_clsloc.txt")
    if text is not None:
        return numbered(text.decode("utf-8", "replace"), "map_clsloc.txt", 1_000)
    meta = member(folder, "meta.mat")
    return synsets_of(meta)[:1_000] if meta is not None else devkit_order()


def numbered(text: str, name: str, count: int | None = None) -> tuple[str, ...]:
    """wnids of a map file with lines `n02119789 1 kit_fox`, by number. Raises DataError for any other."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    by_number = {int(r[1]): r[0] for r in rows if len(r) >= 2 and r[1].isdecimal() and re.fullmatch(r"n\d{8}", r[0])}
    if not rows or sorted(by_number) != list(range(1, len(rows) + 1)) or count not in {None, len(rows)}:
        wanted = f"{count:,} lines" if count else "lines"
        raise DataError(f"{name} is no list of classes: wanted {wanted} such as `n02119789 1 kit_fox`, numbered from "
                        "1. Fetch the development kit again.")  # fmt: skip
    return tuple(by_number[i] for i in range(1, len(rows) + 1))


def synsets_of(meta: bytes) -> tuple[str, ...]:
    """wnids of `meta.mat` in the order of ILSVRC2012_ID: the 1,000 classes, then their ancestors."""
    rows = read_matlab(meta, ["synsets"], "meta.mat of the development kit").get("synsets", [])
    try:
        by_number = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in rows}
    except (KeyError, ValueError, TypeError) as e:
        raise DataError(f"meta.mat of the development kit lists no synsets ({e}). Fetch the kit again.") from None
    if sorted(by_number) != list(range(1, len(by_number) + 1)) or len(by_number) < 1_000:
        raise DataError(f"meta.mat of the development kit has {len(by_number):,} synsets, wanted the 1,000 classes and "
                        "their ancestors, numbered from 1. Fetch the kit again.")  # fmt: skip
    return tuple(by_number[i] for i in sorted(by_number))


def member(folder: Path, name: str) -> bytes | None:
    """A file of the kit in `folder`: unpacked, up to two folders down, or in its archive; None where there is none."""
    places = [folder / name, folder / "data" / name, folder / "devkit" / "data" / name]
    places += [kit / "data" / name for kit in sorted(folder.glob("ILSVRC20*_devkit*")) if kit.is_dir()]
    for place in places:
        if place.is_file():
            if place.stat().st_size > MAX_BYTES:
                raise DataError(f"{place} has more than {MAX_BYTES:,} bytes; that is no file of the development kit.")
            return place.read_bytes()
    for archive in sorted(folder.glob("ILSVRC20*_devkit*.tar.gz")):
        found = _packed(archive, name)
        if found is not None:
            return found
    return None


def _packed(archive: Path, name: str) -> bytes | None:
    try:
        with tarfile.open(archive) as kit:
            for info in kit:
                if info.isreg() and info.name.rpartition("/")[2] == name:
                    if info.size > MAX_BYTES:
                        raise DataError(f"{archive}: {info.name} claims {info.size:,} bytes. Fetch the kit again.")
                    content = kit.extractfile(info)
                    return None if content is None else content.read()
    except (tarfile.TarError, OSError, EOFError) as e:
        raise DataError(f"{archive} cannot be read: {e}. Fetch the development kit again.") from None
    return None
