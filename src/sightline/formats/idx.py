"""IDX arrays (MNIST and its family): images and labels of a split in two files, gzipped or not.

QMNIST's label files, which name the writers, may lie beside MNIST's images: then writers are groups. EMNIST's images
are stored with rows and columns exchanged and are read upright; its mapping file names the classes.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import DataError
from sightline.formats.class_tree import is_folder
from sightline.formats.listing import SPLIT_ORDER, Attributes, Format, Listing, split_of

MAX_BYTES = 4 << 30
"""A compressed array that grows beyond this is refused."""

_FILE = re.compile(r"(?P<stem>.+)-(?P<what>images|labels)[-.]idx\d-(ubyte|int)(?P<gz>\.gz)?")
_WRITERS = "qmnist-{}-labels"
_HSF, _WRITER = 1, 2
"""QMNIST's columns: which of NIST's collections, and the writer's number in it."""
_COLUMNS = ("path", "offset", "length", "row", "layout", "width", "height", "mode")
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_at(path: Path) -> bool:
    """Whether `path` is an IDX file of images, or a folder with some, or with some in a `raw` folder below it."""
    if path.is_file():
        return _stem(path) is not None
    return path.is_dir() and bool(_folders(path))


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of an IDX folder: train, then val, then test, each by index. Raises DataError for damaged files.

    Of a folder with several datasets, such as EMNIST's, a file's path takes the one that the file belongs to.
    """
    folders = [path.parent] if path.is_file() else _folders(path)
    if len(folders) > 1:
        names = ", ".join(str(f) for f in folders)
        raise DataError(f"{path} holds more than one dataset of IDX files ({names}). Give one of these folders.")
    folder = folders[0]
    stem = _stem(path) if path.is_file() else None
    prefix = None if stem is None else _prefix(stem)
    parts = [_part(*pair, folder) for pair in _pairs(folder, prefix)]
    groups = [g for part in parts for g in part.groups] if any(any(part.groups) for part in parts) else None
    columns = {name: [v for part in parts for v in part.images[name]] for name in _COLUMNS}
    names_of = _mapping(folder, prefix if prefix is not None else _prefix(parts[0].stem))
    return Listing(
        layout="IDX", name=prefix or path.resolve().name, roots={"source": str(folder.resolve())},
        keys=[f"{part.split or part.stem}/{i:05d}" for part in parts for i in range(len(part.labels))],
        splits=[part.split for part in parts for _ in part.labels],
        labels=[str(v) for part in parts for v in part.labels],
        images={"root": "source", "container": "idx", "codec": "raw", "bits": 8, **columns},
        class_names=names_of, groups=groups,
        notes=("grouped by writer, as QMNIST names them",) if groups is not None else (),
    )  # fmt: skip


FORMAT = Format(name="IDX", is_at=is_at, read=read)


@dataclass(frozen=True)
class _Part:
    """The samples of one split."""

    split: str | None
    stem: str
    labels: list[int]
    groups: list[list[tuple[str, str]]]
    images: dict[str, list[Any]]


def _part(split: str | None, stem: str, image_file: Path, label_file: Path, folder: Path) -> _Part:
    shape, start = _image_array(image_file)
    values = _label_array(label_file)
    if len(values) != shape[0]:
        raise DataError(
            f"{image_file.name} has {shape[0]} images but {label_file.name} has {len(values)} labels; they do not "
            "belong together. Fetch both again."
        )
    n, size = shape[0], int(np.prod(shape[1:]))
    is_turned = stem.startswith("emnist-")
    height, width = (shape[2], shape[1]) if is_turned else (shape[1], shape[2])
    layout = ("u1:wh:" if is_turned else "u1:") + ",".join(map(str, shape[1:]))
    images: dict[str, list[Any]] = {
        "path": [image_file.name] * n, "offset": list(range(start, start + n * size, size)), "length": [size] * n,
        "row": list(range(n)), "layout": [layout] * n, "height": [height] * n, "width": [width] * n,
        "mode": ["L" if len(shape) == 3 or shape[3] == 1 else "RGB"] * n,
    }  # fmt: skip
    labels = values[:, 0] if values.ndim == 2 else values
    writers = values if values.ndim == 2 else _writers(split, labels, folder)
    groups = [] if writers is None else [[("writer", f"{hsf}-{w}")] for hsf, w in writers[:, [_HSF, _WRITER]].tolist()]
    return _Part(split, stem, labels.tolist(), groups or [[]] * n, images)


def _writers(split: str | None, labels: np.ndarray[Any, Any], folder: Path) -> np.ndarray[Any, Any] | None:
    """QMNIST's rows for MNIST's samples, whose order is the same; its test goes on where MNIST's ends."""
    stem = _WRITERS.format(split)
    file = next((f for f, m in reversed(_named(folder)) if f"{m['stem']}-{m['what']}" == stem), None)
    if file is None or split not in {"train", "test"}:
        return None
    rows = _label_array(file)
    # A corrected label is no reason to refuse; another dataset, or another order, agrees by chance alone.
    if rows.ndim != 2 or len(rows) < len(labels) or (rows[: len(labels), 0] == labels).mean() < 0.99:
        raise DataError(f"{file} does not belong to the images beside it: its digits differ from their labels. Move "
                        "one of them to another folder.")  # fmt: skip
    return rows[: len(labels)]


def _folders(path: Path) -> list[Path]:
    """The folder with the files: `path`, else `raw` below it or below its sub-folders (torchvision's layout)."""
    for folder in (path, path / "raw"):
        if folder.is_dir() and _images_in(folder):
            return [folder]
    with os.scandir(path) as entries:
        below = sorted(Path(entry.path, "raw") for entry in entries if is_folder(entry))
    return [folder for folder in below if folder.is_dir() and _images_in(folder)]


def _images_in(folder: Path) -> dict[str, Path]:
    return {m["stem"]: f for f, m in _named(folder) if m["what"] == "images"}


def _named(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    # Sorted so that the plain file comes after, and replaces, its gzipped twin: it needs no unpacking.
    # Names alone are looked at first: a folder may hold a million images of another layout.
    names = sorted((name for name in os.listdir(folder) if "idx" in name), key=lambda n: (not n.endswith(".gz"), n))
    found = [(folder / name, m) for name in names if (m := _FILE.fullmatch(name))]
    return [(file, m) for file, m in found if file.is_file()]


def _stem(file: Path) -> str | None:
    """What a file of images is called before `-images`; None for any other file."""
    found = _FILE.fullmatch(file.name)
    return found["stem"] if found and found["what"] == "images" else None


def _prefix(stem: str) -> str:
    """What a stem says beside the split: `emnist-letters` of `emnist-letters-train`, nothing of `train`."""
    return stem.rpartition("-")[0]


def _pairs(folder: Path, prefix: str | None) -> list[tuple[str | None, str, Path, Path]]:
    images = _images_in(folder)
    labels = {m["stem"]: f for f, m in _named(folder) if m["what"] == "labels"}
    if prefix is not None:
        images = {stem: file for stem, file in images.items() if _prefix(stem) == prefix}
    for stem, file in images.items():
        if stem not in labels:
            raise DataError(f"{file} has no labels beside it; wanted {stem}-labels-idx1-ubyte or the same with .gz.")
    pairs = [(split_of(stem.split("-")[-1]), stem, file, labels[stem]) for stem, file in images.items()]
    named = [p[0] for p in pairs]
    if len(pairs) > 1 and (None in named or len(set(named)) < len(named)):
        raise DataError(
            f"{folder} has IDX files for {', '.join(sorted(images))}; wanted one pair for each of train, val and test "
            f"(t10k). Give one of the files of images, such as {next(iter(images.values()))}."
        )
    return sorted(pairs, key=lambda p: SPLIT_ORDER.index(p[0]))


def _mapping(folder: Path, prefix: str) -> dict[str, str]:
    """Label → character, from EMNIST's mapping file: in each line a label and one or two character codes."""
    file = folder / f"{prefix}-mapping.txt"
    if not prefix or not file.is_file():
        return {}
    rows = [line.split() for line in file.read_text("ascii", "replace").splitlines() if line.strip()]
    if not all(len(row) >= 2 and all(v.isdigit() and int(v) < 0x110000 for v in row) for row in rows):
        raise DataError(f"{file} is no mapping of labels to characters; wanted lines such as '10 65'. Fetch it again.")
    return {str(int(row[0])): "/".join(chr(int(code)) for code in row[1:]) for row in rows}


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
    """One label for each sample, or QMNIST's rows of eight numbers."""
    kind, shape, start, data = _array(path)
    is_rows = len(shape) == 2 and shape[1] == 8
    if not (len(shape) == 1 or is_rows) or kind not in {"u1", "i1", ">i2", ">i4"}:
        raise DataError(f"{path} holds {'×'.join(map(str, shape))} values of type {kind}; wanted a list of integers.")
    return np.frombuffer(data, kind, int(np.prod(shape)), start).reshape(shape)


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
