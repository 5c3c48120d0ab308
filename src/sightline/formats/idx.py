"""IDX arrays (MNIST and its family): images and labels of a split in two files, gzipped or not."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import DataError
from sightline.formats.listing import SPLIT_ORDER, Attributes, Format, Listing, split_of

MAX_BYTES = 4 << 30
"""A compressed array that grows beyond this is refused."""

_FILE = re.compile(r"(?P<stem>.+)-(?P<what>images|labels)[-.]idx\d-ubyte(?P<gz>\.gz)?")
_COLUMNS = ("path", "offset", "length", "row", "layout", "width", "height", "mode")
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_at(path: Path) -> bool:
    """Whether `path`, or a `raw` folder below it, holds IDX files of images."""
    return path.is_dir() and bool(_folders(path))


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of an IDX folder: train, then val, then test, each by index. Raises DataError for damaged files."""
    folders = _folders(path)
    if len(folders) > 1:
        names = ", ".join(str(f) for f in folders)
        raise DataError(f"{path} holds more than one dataset of IDX files ({names}). Give one of these folders.")
    pairs = _pairs(folders[0])
    keys: list[str] = []
    splits: list[str | None] = []
    labels: list[str | None] = []
    columns: dict[str, list[Any]] = {f: [] for f in _COLUMNS}
    for split, stem, image_file, label_file in pairs:
        shape, start = _image_array(image_file)
        values = _label_array(label_file)
        if len(values) != shape[0]:
            raise DataError(
                f"{image_file.name} has {shape[0]} images but {label_file.name} has {len(values)} labels; they do not "
                "belong together. Fetch both again."
            )
        n, size = shape[0], int(np.prod(shape[1:]))
        keys += [f"{split or stem}/{i:05d}" for i in range(n)]
        splits += [split] * n
        labels += [str(v) for v in values.tolist()]
        columns["path"] += [image_file.name] * n
        columns["offset"] += range(start, start + n * size, size)
        columns["length"] += [size] * n
        columns["row"] += range(n)
        columns["layout"] += ["u1:" + ",".join(map(str, shape[1:]))] * n
        columns["height"] += [shape[1]] * n
        columns["width"] += [shape[2]] * n
        columns["mode"] += ["L" if len(shape) == 3 or shape[3] == 1 else "RGB"] * n
    return Listing(
        layout="IDX", name=path.resolve().name, roots={"source": str(folders[0].resolve())}, keys=keys, splits=splits,
        labels=labels, images={"root": "source", "container": "idx", "codec": "raw", "bits": 8, **columns},
    )  # fmt: skip


FORMAT = Format(name="IDX", is_at=is_at, read=read)


def _folders(path: Path) -> list[Path]:
    """The folder with the files: `path`, else `raw` below it or below its sub-folders (torchvision's layout)."""
    for candidates in ([path], [path / "raw"], sorted(path.glob("*/raw"))):
        found = [c for c in candidates if c.is_dir() and any(_images_in(c))]
        if found:
            return found
    return []


def _images_in(folder: Path) -> dict[str, Path]:
    return {m["stem"]: f for f, m in _named(folder) if m["what"] == "images"}


def _named(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    # Sorted so that the plain file comes after, and replaces, its gzipped twin: it needs no unpacking.
    files = sorted(folder.iterdir(), key=lambda f: (not f.name.endswith(".gz"), f.name))
    return [(f, m) for f in files if (m := _FILE.fullmatch(f.name)) and f.is_file()]


def _pairs(folder: Path) -> list[tuple[str | None, str, Path, Path]]:
    images = _images_in(folder)
    labels = {m["stem"]: f for f, m in _named(folder) if m["what"] == "labels"}
    for stem, file in images.items():
        if stem not in labels:
            raise DataError(f"{file} has no labels beside it; wanted {stem}-labels-idx1-ubyte or the same with .gz.")
    pairs = [(split_of(stem.split("-")[-1]), stem, file, labels[stem]) for stem, file in images.items()]
    named = [p[0] for p in pairs]
    if len(pairs) > 1 and (None in named or len(set(named)) < len(named)):
        raise DataError(
            f"{folder} has IDX files for {sorted(images)}; wanted one pair for each of train, val and test (t10k). "
            "Move the others to a folder of their own."
        )
    return sorted(pairs, key=lambda p: SPLIT_ORDER.index(p[0]))


def _image_array(path: Path) -> tuple[list[int], int]:
    """Shape and byte offset of the values in the unpacked file."""
    kind, shape, start, _ = _array(path)
    if kind != "u1" or len(shape) not in {3, 4} or (len(shape) == 4 and shape[3] not in {1, 3}) or 0 in shape:
        raise DataError(
            f"{path} holds {'×'.join(map(str, shape))} values of type {kind}; wanted images × height × width (× 3) of "
            "unsigned bytes."
        )
    return shape, start


def _label_array(path: Path) -> np.ndarray[Any, Any]:
    kind, shape, start, data = _array(path)
    if len(shape) != 1 or kind not in {"u1", "i1", ">i2", ">i4"}:
        raise DataError(f"{path} holds {'×'.join(map(str, shape))} values of type {kind}; wanted a list of integers.")
    return np.frombuffer(data, kind, shape[0], start)


def _array(path: Path) -> tuple[str, list[int], int, Any]:
    """Type, shape, start of the values, and the unpacked bytes, all checked against the length of the file."""
    data = _unpacked(path)
    if len(data) < 4 or bytes(data[:2]) != b"\0\0" or data[2] not in _TYPES or not 1 <= data[3] <= 4:
        raise DataError(f"{path} is not an IDX file: begins with {bytes(data[:4])!r}. Fetch it again.")
    kind, ndim = _TYPES[data[2]], int(data[3])
    start = 4 + 4 * ndim
    shape = [int(n) for n in np.frombuffer(data[:start], ">u4", offset=4)] if len(data) >= start else []
    wanted = start + int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
    if len(data) != wanted:
        raise DataError(f"{path} is damaged: {len(data):,} bytes unpacked, wanted {wanted:,}. Fetch it again.")
    return kind, shape, start, data


def _unpacked(path: Path) -> Any:
    if not path.name.endswith(".gz"):
        return np.memmap(path, np.uint8, "r") if path.stat().st_size else b""
    try:
        with gzip.open(path) as f:
            data = f.read(MAX_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as e:
        raise DataError(f"{path} is a damaged gzip file ({e}). Fetch it again.") from None
    if len(data) > MAX_BYTES:
        raise DataError(f"{path} unpacks to more than {MAX_BYTES:,} bytes; unpack it and give the plain file.")
    return data
