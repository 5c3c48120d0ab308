"""ILSVRC VID: frames of videos with several classes each; frames of one video are never parted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sightline.catalog import voc
from sightline.catalog.annotations import label_of
from sightline.catalog.label_data import listed
from sightline.errors import DataError
from sightline.formats.class_tree import is_hidden
from sightline.formats.listing import Attributes, Format, Listing
from sightline.progress import track

VIEWS = {"every-10": "every tenth frame of a snippet: those between are almost the same"}

_SNIPPET = re.compile(r"(ILSVRC20\d\d_(?:train|val|test)_\d{5})\d{3}")
"""Five digits of the video, then three of the snippet that was cut from it."""
_FRAME = re.compile(r"(\d{6})\.JPEG")


def is_at(path: Path) -> bool:
    """Whether `path`, or ILSVRC in it, has the folder of VID's frames."""
    return path.is_dir() and _root(path) is not None


def read(path: Path, attributes: Attributes) -> Listing:
    """Every frame by path, train, val, test; `label` is null, the column `labels` tells which of 30 classes are there.

    Interpolated boxes bear their flag. Raises DataError for a folder whose names are not VID's.
    """
    root = _root(path)
    assert root is not None
    step = 10 if "every-10" in attributes.views else 1
    frames = [frame for split in ("train", "val", "test") for frame in _frames(root / "Data" / "VID", split, step)]
    if not frames:
        raise DataError(f"{root / 'Data' / 'VID'} has no frames in train, val or test. Unpack it whole.")
    index = {wnid: i for i, wnid in enumerate(listed("ilsvrc_vid"))}
    labels: list[list[dict[str, Any]] | None] = []
    boxes: list[list[dict[str, Any]] | None] = []
    broken: list[str] = []
    for frame, _ in track(frames, "boxes", len(frames)):
        found = _boxes(root / "Annotations" / "VID" / f"{frame.removesuffix('.JPEG')}.xml", index, broken)
        boxes.append(found)
        labels.append(None if found is None else [label_of(c) for c in sorted({b["id"] for b in found})])
    without = labels.count(None) - len(broken)
    notes = [f"{without:,} frames without an annotation"] if without else []
    notes += [f"{len(broken):,} annotations cannot be read (first: {broken[0]})"] if broken else []
    return Listing(
        layout="ILSVRC VID", name="ilsvrc-vid", roots={"source": str((root / "Data" / "VID").resolve())},
        keys=[f for f, _ in frames], splits=[f.split("/")[0] for f, _ in frames], labels=[None] * len(frames),
        class_ids=listed("ilsvrc_vid"), policy="official", dataset="ilsvrc-vid",
        images={"root": "source", "path": [f for f, _ in frames], "container": "file"},
        groups=[[("video", video)] for _, video in frames], columns={"labels": labels, "boxes": boxes},
        notes=tuple(notes),
    )  # fmt: skip


FORMAT = Format(name="ILSVRC VID", is_at=is_at, read=read, views=VIEWS)


def _root(path: Path) -> Path | None:
    return next((r for r in (path, path / "ILSVRC") if (r / "Data/VID").is_dir()), None)


def _frames(data: Path, split: str, step: int) -> Iterator[tuple[str, str]]:
    """Path and video of each frame of a split, in the order of their names; train has folders around its snippets."""
    places = [split] if (data / split).is_dir() else []
    if split == "train" and places:
        # An address may hold one year's four parts, or snippets directly.
        places = [f"{split}/{p}" for p in _folders(data / split) if not _SNIPPET.fullmatch(p)] or places
    for place in places:
        for snippet in _folders(data / place):
            named = _SNIPPET.fullmatch(snippet)
            if named is None:
                raise DataError(f"{data / place} has the folder {snippet!r}, which is no snippet of VID (wanted a name "
                                "such as ILSVRC2015_train_00139005). Move it away.")  # fmt: skip
            for name in sorted(os.listdir(data / place / snippet)):
                frame = _FRAME.fullmatch(name)
                if frame is not None and int(frame[1]) % step == 0:
                    yield f"{place}/{snippet}/{name}", named[1]


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not is_hidden(e.name))


def _boxes(file: Path, index: dict[str, int], broken: list[str]) -> list[dict[str, Any]] | None:
    try:
        found = voc.parse(file.read_bytes(), file.name)
    except FileNotFoundError:
        return None
    except (DataError, OSError) as e:
        broken.append(str(e))
        return None
    return [o.entry(index[o.name], found.width, found.height) for o in found.objects if o.name in index]
