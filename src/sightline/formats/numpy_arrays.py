"""Images and labels as NumPy saves arrays: pairs of NPY files, or NPZ files with such pairs inside."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, NamedTuple

import numpy as np

from sightline.errors import DataError
from sightline.formats.array_pairs import Pair, bytes_of_one, image_fields, pairs_of, role_of, values_of
from sightline.formats.listing import Attributes, Format, Listing
from sightline.formats.records import Records, entries_of, listing_of, split_in
from sightline.images.parsing import ZIP_ERRORS

MAX_VALUES_BYTES = 1 << 30
"""Labels that take more are refused."""
_LOCAL_HEAD = 30
_NO_HEADER = (ValueError, EOFError, SyntaxError, TypeError, OverflowError, RecursionError, MemoryError, TokenError)
"""NumPy reads a header as Python's literals, and tries damaged ones as those of Python 2."""


class _Array(NamedTuple):
    """Where an array lies, and what it is."""

    source: str
    file: Path
    member: str | None
    kind: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    """First byte of the values: in the file, or in the unpacked member where `is_packed`."""
    is_packed: bool


def is_at(path: Path) -> bool:
    """Whether a path is, or a folder holds, arrays of images with labels, known by names such as x_train, y_train."""
    try:
        return any(pairs for _, pairs in _found(path))
    except DataError:
        if path.is_dir() and entries_of(path, _is_named)[1]:
            return False  # somebody's other arrays beside class folders
        raise


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of arrays: train, then val, then test, each by index.

    Raises DataError for damaged files, arrays of objects, and values that are no pixels or no classes.
    """
    root = path if path.is_dir() else path.parent
    parts: list[Records] = []
    class_names: list[str] = []
    for arrays, pairs in _found(path):
        parts += [_records(pair, arrays, path, root) for pair in pairs]
        for name, array in arrays.items():
            if role_of(name).what == "names" and len(_array(array).shape) == 1:
                class_names = [str(v) for v in _values(_array(array))]
    return listing_of("NumPy arrays", path, parts, attributes, class_names)


FORMAT = Format(name="NumPy arrays", is_at=is_at, read=read, has_columns=True)

_Place = tuple[Path, str | None]
"""A file, and the member of it."""
_Found = list[tuple[dict[str, _Place], list[Pair]]]


def _found(path: Path) -> _Found:
    """Arrays by name with their pairs: those of the NPY files together, those of each NPZ file on their own."""
    if path.is_file():
        if path.suffix == ".npz":
            return [_of_npz(path)]
        if path.suffix != ".npy":
            return []
        wanted = role_of(path.stem).rest
        files = entries_of(path.parent, _is_named)[0]
        beside = [f for f in files if f.suffix == ".npy" and role_of(f.stem).rest == wanted]
        return [_of_npy(beside)]
    if not path.is_dir():
        return []
    files = entries_of(path, _is_named)[0]
    found = [_of_npy([f for f in files if f.suffix == ".npy"]), *(_of_npz(f) for f in files if f.suffix == ".npz")]
    found = [(arrays, pairs) for arrays, pairs in found if pairs]
    if len(found) > 1 and any(split_in(_file(f).name) is None for f in found):
        names = ", ".join(_file(f).name for f in found)
        raise DataError(f"{path} holds arrays in several files ({names}), and not each names a split. Give one.")
    return found


def _is_named(name: str) -> bool:
    return name.endswith((".npy", ".npz"))


def _file(found: tuple[dict[str, _Place], list[Pair]]) -> Path:
    return next(iter(found[0].values()))[0]


def _of_npy(files: Sequence[Path]) -> tuple[dict[str, _Place], list[Pair]]:
    arrays: dict[str, _Place] = {f.stem: (f, None) for f in files}
    return arrays, pairs_of(list(arrays), str(files[0].parent)) if arrays else []


def _of_npz(file: Path) -> tuple[dict[str, _Place], list[Pair]]:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [i.filename for i in archive.infolist() if i.filename.endswith(".npy")]
    except ZIP_ERRORS as e:
        raise DataError(f"{file} is not a readable NPZ file ({e}). Fetch it again.") from None
    if len(set(names)) < len(names):
        raise DataError(f"{file} has an array twice. Save it again.")
    arrays: dict[str, _Place] = {n.removesuffix(".npy"): (file, n) for n in names}
    return arrays, pairs_of(list(arrays), str(file))


def _records(pair: Pair, arrays: dict[str, _Place], path: Path, root: Path) -> Records:
    images = _array(arrays[pair.images])
    n, size = (images.shape[0] if images.shape else 0), bytes_of_one(images.kind, images.shape)
    fields = image_fields(images.kind, images.shape, images.source)
    file_split = split_in(images.file.name) if path.is_dir() and images.member else None
    columns = {} if pair.labels is None else {"label": _values(_array(arrays[pair.labels]))}
    for name, place in arrays.items():
        role = role_of(name)
        other = _array(place) if role.what == "other" and role.split == pair.split and images.member else None
        if other is not None and other.shape == (n,) and other.kind.kind in "iuUS":
            columns["_".join(role.rest)] = _values(other)
    wrong = next((name for name, values in columns.items() if len(values) != n), None)
    if wrong is not None:
        raise DataError(f"{images.source} has {n} images but {len(columns[wrong])} labels beside it; they do not "
                        "belong together. Save both again.")  # fmt: skip
    place_fields: dict[str, Any] = {
        "path": images.file.relative_to(root).as_posix(), "member": images.member,
        "container": "npz" if images.is_packed else "npy" if images.member is None else "zip",
        "offset": list(range(images.begin, images.begin + n * size, size)), "length": size, "row": list(range(n)),
    }  # fmt: skip
    return Records(source=images.source, split=pair.split or file_split, images={**place_fields, **fields},
                   columns=columns, label="label" if pair.labels else None, reasons=[None] * n)  # fmt: skip


def _array(place: _Place) -> _Array:
    """What the header of an array says, checked against the length of its values."""
    file, member = place
    if member is None:
        with file.open("rb") as f:
            kind, shape, begin = _header(f, str(file))
        return _checked(_Array(str(file), file, None, kind, shape, begin, False), file.stat().st_size)
    source = f"{file}, array {member.removesuffix('.npy')},"
    try:
        with zipfile.ZipFile(file) as archive, archive.open(member) as f:
            kind, shape, begin = _header(f, source)
            info = archive.getinfo(member)
    except ZIP_ERRORS as e:
        raise DataError(f"{source} cannot be read ({e}). Save it again with np.savez.") from None
    array = _checked(_Array(source, file, member, kind, shape, begin, True), info.file_size)
    if info.compress_type != zipfile.ZIP_STORED:
        return array
    with file.open("rb") as raw:
        raw.seek(info.header_offset)
        head = raw.read(_LOCAL_HEAD)
    name, extra = struct.unpack("<HH", head[26:30])  # the local lengths: those of the central directory may differ
    return array._replace(begin=info.header_offset + _LOCAL_HEAD + name + extra + begin, is_packed=False)


def _header(f: IO[bytes], source: str) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Type, shape and first byte of the values."""
    reads = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(f)
        if version not in reads:
            raise ValueError(f"version {version}")
        shape, is_fortran, kind = reads[version](f)
    except _NO_HEADER as e:
        raise DataError(f"{source} is no array that NumPy saved ({e}). Fetch it again.") from None
    if kind.hasobject:
        raise DataError(f"{source} holds Python objects, which are pickles and can run any program. Save it with a "
                        "type of numbers or text.")  # fmt: skip
    if is_fortran and len(shape) > 1:
        raise DataError(f"{source} lies in Fortran order: no image in it is one piece. Save np.ascontiguousarray(it).")
    if any(n < 0 for n in shape):
        raise DataError(f"{source} is damaged: a shape of {shape}. Fetch it again.")
    return kind, shape, f.tell()


def _checked(array: _Array, num_bytes: int) -> _Array:
    wanted = array.begin + int(np.prod(array.shape, dtype=object)) * array.kind.itemsize
    if num_bytes != wanted:
        raise DataError(f"{array.source} is damaged: {num_bytes:,} bytes, wanted {wanted:,}. Fetch it again.")
    return array


def _values(array: _Array) -> list[Any]:
    size = int(np.prod(array.shape, dtype=object)) * array.kind.itemsize
    if size > MAX_VALUES_BYTES:
        raise DataError(f"{array.source} takes {size:,} bytes; no labels take so many.")
    try:
        if array.is_packed and array.member is not None:
            with zipfile.ZipFile(array.file) as archive, archive.open(array.member) as f:
                data = f.read()[array.begin :]
        else:
            with array.file.open("rb") as f:
                f.seek(array.begin)
                data = f.read(size)
        values = np.frombuffer(data, array.kind).reshape(array.shape)
    except ZIP_ERRORS as e:
        raise DataError(f"{array.source} is damaged ({e}). Fetch it again.") from None
    return values_of(values, array.source)
