"""What `convert` wrote for other tools: their files, and a table beside them that says what they have no words for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from sightline.artifacts import read_json, require_known
from sightline.errors import DataError
from sightline.formats.class_folders import IMAGE_SUFFIXES
from sightline.formats.listing import Attributes, Format, Listing
from sightline.samples import SampleTable

VERSION = 1
"""Version of the description; a newer one is refused."""
DESCRIPTION = "sightline.json"
"""What the folder holds: version, target, and the bytes of every file that is not an image by itself."""
SAMPLES = "sightline.parquet"
CLASSES = "sightline-classes.parquet"
OWN = (DESCRIPTION, SAMPLES, CLASSES)
ROOT = "source"
CONTAINERS = frozenset(["file", "tar", "parquet range", "tfrecord", "lmdb", "mds"])
"""How the table calls the files that images are in; all but `file` are byte ranges."""

_SHARDS = frozenset([".tar", ".parquet", ".tfrecord", ".mds", ".mdb"])
_REFERENCE = ("path", "container", "member", "offset", "length")
_FURTHER = ("sample_id", "group_id", "labels", "boxes", "captions", "scalars", "extra")
"""Columns that a listing takes as they are; ids too, and the components of groups, which a part has from its whole."""


def is_at(path: Path) -> bool:
    """Whether `path` is a folder that `convert` wrote for other tools."""
    return (path / DESCRIPTION).is_file() and (path / SAMPLES).is_file()


def read(path: Path, attributes: Attributes) -> Listing:
    """The samples as they were when they were converted: keys, ids, order, labels, groups. Images are read anew.

    Raises DataError when shards went or changed, or images came, since: the table would tell of others.
    """
    about = _description(path)
    try:
        samples = SampleTable.read(path / SAMPLES, path / CLASSES)
    except (KeyError, TypeError, ValueError) as e:
        raise DataError(f"{path / SAMPLES} is no table that `convert` wrote ({e!r}). {_advice()}") from None
    if samples.digest != about["samples"]:
        raise DataError(f"{path / SAMPLES} is not the table that {DESCRIPTION} was written with. {_advice()}")
    table = samples.table
    images = table["image"].combine_chunks()
    paths = images.field("path").to_pylist()
    _refuse_other_places(path, set(paths), set(images.field("container").to_pylist()))
    _refuse_changes(path, about["files"], {p for p in paths if p is not None})
    dataset = table["dataset"][0].as_py()
    ids = samples.classes.ids
    groups = samples.column("groups")
    has_groups = table["groups"].null_count < len(samples)
    return Listing(
        layout=f"converted to {about['to']}", name=samples.name, roots={ROOT: str(path.resolve())},
        keys=samples.column("key"), splits=samples.column("split"),
        labels=[None if v is None else ids[v] for v in samples.column("label")],
        images={"root": ROOT, **{name: _field(images, name) for name in _REFERENCE}},
        class_ids=ids, class_names=dict(zip(ids, samples.classes.names, strict=True)), policy=samples.classes.policy,
        groups=[[(g["kind"], g["id"]) for g in of or ()] for of in groups] if has_groups else None,
        times=samples.column("time") if table["time"].null_count < len(samples) else None,
        reasons=[r if p is None else None for r, p in zip(samples.column("reason"), paths, strict=True)],
        columns={name: samples.column(name) for name in _FURTHER if table[name].null_count < len(samples)},
        spaces=samples.spaces, dataset=dataset, notes=samples.notes,
    )  # fmt: skip


FORMAT = Format(name="a converted folder", is_at=is_at, read=read)


def _description(folder: Path) -> dict[str, Any]:
    about = read_json(folder / DESCRIPTION)
    if isinstance(about, dict) and isinstance(about.get("version"), int):
        require_known(about["version"], VERSION, folder)
    kinds = {"to": str, "samples": str, "files": dict}
    if not isinstance(about, dict) or any(not isinstance(about.get(name), kind) for name, kind in kinds.items()):
        raise DataError(f"{folder / DESCRIPTION} is not what `convert` writes; wanted {', '.join(kinds)}. {_advice()}")
    return about


def _advice() -> str:
    return f"Fetch the folder again, or delete {', '.join(OWN)} to index it without them."


def _refuse_other_places(folder: Path, paths: set[str | None], containers: set[str | None]) -> None:
    """Raise DataError for images that lie outside the folder, or in files that `convert` does not write."""
    outside = [p for p in paths if p is not None and (p.startswith("/") or ".." in p.split("/") or "\0" in p)]
    if outside or not containers <= CONTAINERS:
        what = f"{outside[0]!r}, outside of it" if outside else f"{sorted(map(str, containers - CONTAINERS))[0]!r}"
        raise DataError(f"{folder / SAMPLES} refers to {what}, as no table of `convert` does. {_advice()}")


def _field(images: pa.StructArray, name: str) -> Any:
    """The values of a field, or the one value that all have."""
    values = images.field(name).to_pylist()
    return values[0] if name != "path" and len(set(values)) == 1 else values


def _refuse_changes(folder: Path, files: dict[str, int], images: set[str]) -> None:
    """Raise DataError when other images or shards lie below the folder than `convert` wrote."""
    found = dict(_files(folder))
    for name, size in files.items():
        if found.get(name) != size:
            got = f"{found[name]:,} bytes" if name in found else "is gone"
            raise DataError(f"{folder / name} {got}; {size:,} bytes were written. Fetch it again, or convert again.")
    known = {*files, *images, *OWN}
    strange = [name for name in found if name not in known and Path(name).suffix.lower() in IMAGE_SUFFIXES | _SHARDS]
    if strange:
        raise DataError(
            f"{folder} holds {len(strange)} files that are not in its table {SAMPLES} ({sorted(strange)[0]}). To index "
            f"the folder as it is now, delete {', '.join(OWN)}."
        )


def _files(folder: Path, below: str = "") -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _files(Path(entry.path), f"{below}{entry.name}/")
            elif entry.is_file():
                yield below + entry.name, entry.stat().st_size
