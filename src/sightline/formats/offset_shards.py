"""Shards that begin with the offsets of their samples, as MDS and litdata write them; columns are found by their sizes.

A shard is the number of samples n, n + 1 offsets, perhaps a description, and the samples; all numbers in front are
little-endian uint32. A sample is the sizes of its columns of variable size, then the columns one behind the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sightline.errors import DataError
from sightline.formats.columns import find
from sightline.formats.records import Records, entries_of, split_in

IMAGE = ("image", "img", "jpg", "jpeg", "png", "x", "data", "0")
_ENCODED = frozenset(["bytes", "jpeg", "png", "image", "tifffile", "file"])
_TEXT = frozenset(["str", "text", "str_int", "str_float"])
_NUMBERS = {"int": "<i8", "float": "<f8", "bool": "u1", "float16": "<f2", "float32": "<f4", "float64": "<f8",
            **{f"{sign}int{bits}": f"<{sign[:1] or 'i'}{bits // 8}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
            }  # fmt: skip
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4, "LA": 2}
_PIL_HEAD = 12
_LOOK = 1 << 16
INDEX = "index.json"
"""Beside the shards of a folder."""

Places = npt.NDArray[np.int64]


class Column(NamedTuple):
    """One value of every sample."""

    name: str
    encoding: str
    size: int | None
    """Bytes; None = told in front of each sample."""


class Shard(NamedTuple):
    """A file, and what its index says about it."""

    file: Path
    path: str
    """Relative to the source, POSIX."""
    split: str | None
    columns: tuple[Column, ...]
    num_samples: int


def records_of(shard: Shard, container: str, label: str | None) -> Records:
    """The samples of a shard. Raises DataError when it is damaged as a whole or holds no images.

    A sample whose sizes do not add up is a record with a reason.
    """
    data = _mapped(shard.file)
    starts, sizes, is_whole = _places(shard, data)
    names = [c.name for c in shard.columns]
    image = image_of(shard.columns, shard.file)
    at = names.index(image.name)
    columns = {
        c.name: _values(data, c.encoding, starts[:, i], sizes[:, i], is_whole)
        for i, c in enumerate(shard.columns)
        if c.encoding in _TEXT or c.encoding in _NUMBERS
    }
    reasons = [None if ok else "the sizes of its columns do not add up" for ok in is_whole.tolist()]
    where = np.where(is_whole, starts[:, at], 0), np.where(is_whole, sizes[:, at], 0)
    images: dict[str, Any] = {"path": shard.path, "container": container, "member": image.name,
                              "row": list(range(len(starts)))}  # fmt: skip
    if image.encoding == "pil":
        images |= _of_pil(data, *where, reasons)
    else:
        images |= {"offset": where[0].tolist(), "length": where[1].tolist(), **_of_array(image.encoding)}
    return Records(source=str(shard.file), split=shard.split, images=images, columns=columns, label=label,
                   reasons=reasons)  # fmt: skip


def indexes_of(path: Path, words: Sequence[bytes]) -> list[Path]:
    """The index of a folder, or those of its folders for splits, as far as they have all the words.

    Other tools have an index.json too; of a long one the ends are looked at.
    """
    if not path.is_dir():
        return []
    is_here = (path / INDEX).is_file()
    folders = [path] if is_here else [f for f in entries_of(path, lambda _: False)[1] if split_in(f.name)]
    return [f / INDEX for f in folders if (f / INDEX).is_file() and _speaks_of(f / INDEX, words)]


def _speaks_of(index: Path, words: Sequence[bytes]) -> bool:
    with index.open("rb") as f:
        ends = f.read(_LOOK)
        f.seek(max(0, index.stat().st_size - _LOOK))
        ends += f.read()
    return all(word in ends for word in words)


def image_of(columns: Sequence[Column], source: Path) -> Column:
    """The column with the images. Raises DataError when there is none, or no telling which."""
    able = {c.name: c for c in columns
            if c.encoding.partition(":")[0] in _ENCODED or c.encoding == "pil" or _of_array(c.encoding)}  # fmt: skip
    name = find(list(able), IMAGE) or (next(iter(able)) if len(able) == 1 else None)
    if name is None:
        seen = ", ".join(f"{c.name} ({c.encoding})" for c in columns)
        raise DataError(
            f"{source} has {len(able) or 'no'} columns that could be the image; its columns: {seen}. Wanted: one named "
            "image with the encoding bytes, jpeg, png, pil or ndarray:uint8:HEIGHT,WIDTH."
        )
    return able[name]


def scalars_of(columns: Sequence[Column]) -> list[str]:
    """Names of the columns with one number or text: what may be a label, a key or a group."""
    return [c.name for c in columns if c.encoding in _TEXT or c.encoding in _NUMBERS]


def path_below(name: Any, source: Path) -> str:
    """A file's name from an index, as a path below the folder. Raises DataError for one that leads out of it."""
    path = PurePosixPath(str(name))
    if not isinstance(name, str) or path.is_absolute() or ".." in path.parts or not path.parts:
        raise DataError(f"{source} names the file {name!r}, which lies outside its folder. Do not use this source.")
    return path.as_posix()


def _mapped(file: Path) -> npt.NDArray[np.uint8]:
    try:
        return np.memmap(file, np.uint8, "r") if file.stat().st_size else np.empty(0, np.uint8)
    except OSError as e:
        raise DataError(f"{file} cannot be read: {e.strerror}. Fetch it again.") from None


def _places(shard: Shard, data: npt.NDArray[np.uint8]) -> tuple[Places, Places, npt.NDArray[np.bool_]]:
    """Start and size of each column (second axis) of each sample, and whether they add up to the sample."""
    n = int(data[:4].view("<u4")[0]) if len(data) >= 4 else -1
    if n != shard.num_samples:
        raise DataError(f"{shard.file} is damaged: {max(n, 0)} samples, its index says {shard.num_samples}. "
                        "Fetch both again.")  # fmt: skip
    head = 4 * (n + 2)
    offsets = data[4:head].view("<u4").astype(np.int64) if len(data) >= head else np.zeros(0, np.int64)
    if len(offsets) != n + 1 or offsets[0] < head or (np.diff(offsets) < 0).any() or offsets[-1] > len(data):
        raise DataError(f"{shard.file} is damaged: its offsets lead out of its {len(data):,} bytes. Fetch it again.")
    variable = [i for i, c in enumerate(shard.columns) if c.size is None]
    sizes = np.tile(np.array([c.size or 0 for c in shard.columns], np.int64), (n, 1))
    front = 4 * len(variable)
    is_whole = np.diff(offsets) >= front
    if variable:
        told = _gathered(data, np.where(is_whole, offsets[:-1], 0), front).view("<u4")
        sizes[:, variable] = told
    starts = offsets[:-1, None] + front + np.cumsum(sizes, axis=1) - sizes
    is_whole &= starts[:, -1] + sizes[:, -1] == offsets[1:]
    return starts, sizes, is_whole


def _gathered(data: npt.NDArray[np.uint8], starts: Places, size: int) -> npt.NDArray[np.uint8]:
    """`size` bytes from each start, one row for each."""
    return np.ascontiguousarray(data[starts[:, None] + np.arange(size)])


def _values(
    data: npt.NDArray[np.uint8], encoding: str, starts: Places, sizes: Places, is_whole: npt.NDArray[np.bool_]
) -> list[Any]:
    """Texts or numbers; None for samples that are not whole."""
    values: list[Any] = [None] * len(starts)
    rows = np.flatnonzero(is_whole)
    if encoding in _TEXT:
        for i in rows.tolist():
            values[i] = data[starts[i] : starts[i] + sizes[i]].tobytes().decode("utf-8", "replace")
        return values
    kind = np.dtype(_NUMBERS[encoding])
    rows = rows[sizes[rows] == kind.itemsize]
    found = _gathered(data, starts[rows], kind.itemsize).view(kind).ravel().tolist() if len(rows) else []
    for i, value in zip(rows.tolist(), found, strict=True):
        values[i] = value
    return values


def _of_array(encoding: str) -> dict[str, Any]:
    """Fields of images that are arrays of one shape; empty for other encodings."""
    name, _, rest = encoding.partition(":")
    kind, _, shape = rest.partition(":")
    if name != "ndarray" or kind != "uint8" or not shape.replace(",", "").isdecimal():
        return {}
    dims = [int(n) for n in shape.split(",") if n]
    if len(dims) not in (2, 3) or dims[2:] not in ([], [1], [3], [4]) or 0 in dims:
        return {}
    mode = {(): "L", (1,): "L", (3,): "RGB", (4,): "RGBA"}[tuple(dims[2:])]
    return {"codec": "raw", "bits": 8, "layout": "u1:" + ",".join(map(str, dims)), "height": dims[0],
            "width": dims[1], "mode": mode}  # fmt: skip


def _of_pil(
    data: npt.NDArray[np.uint8], starts: Places, sizes: Places, reasons: list[str | None]
) -> dict[str, list[Any] | Any]:
    """Fields of images stored as Pillow has them in memory: width, height, length of the mode, mode, pixels."""
    fields: dict[str, list[Any]] = {n: [] for n in ("offset", "length", "layout", "height", "width", "mode")}
    for i, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
        head = data[start : start + _PIL_HEAD].view("<u4").tolist() if size >= _PIL_HEAD else [0, 0, 0]
        width, height, length = head
        mode = data[start + _PIL_HEAD : start + _PIL_HEAD + min(length, 8)].tobytes().decode("ascii", "replace")
        begin, channels = _PIL_HEAD + length, _CHANNELS.get(mode, 0)
        if reasons[i] is None and not channels:
            reasons[i] = f"pixels of the mode {mode!r}; only {', '.join(_CHANNELS)} can be read in place"
        elif reasons[i] is None and (begin + width * height * channels != size or size == begin):
            reasons[i] = f"{size - begin:,} bytes for an image of {height} × {width} × {channels}"
        good = reasons[i] is None
        shape = (height, width) if channels == 1 else (height, width, channels)
        values = (start + begin, size - begin, "u1:" + ",".join(map(str, shape)), height, width, mode)
        for name, value, empty in zip(fields, values, (0, 0, "u1:0,0", 0, 0, "L"), strict=True):
            fields[name].append(value if good else empty)
    return {"codec": "raw", "bits": 8, **fields}
