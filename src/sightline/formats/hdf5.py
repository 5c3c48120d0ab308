"""HDF5: arrays of images with arrays of labels, or a group for each class with one dataset for each image."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import DataError, MissingExtraError
from sightline.formats.array_pairs import Pair, bytes_of_one, image_fields, pairs_of, role_of, values_of
from sightline.formats.listing import Attributes, Format, Listing, split_of
from sightline.formats.records import Records, entries_of, listing_of, split_in

SUFFIXES = (".h5", ".hdf5", ".he5", ".hdf")
MAX_VALUES_BYTES = 1 << 30
"""Labels that take more are refused."""
MAX_CHUNK_BYTES = 256 << 20
"""Compressed pieces that are larger are refused: each image would unpack one of them."""
_MAX_DEPTH = 8
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CLASS_NAMES = ("class_names", "classes", "label_names")

Dataset = Any
"""`h5py.Dataset`; the library is an extra."""


def is_at(path: Path) -> bool:
    """Whether a path is, or the top of a folder holds, HDF5 files; a folder with class folders beside them is not."""
    return bool(_files(path)) and not (path.is_dir() and entries_of(path, _is_named)[1])


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of HDF5 files: train, then val, then test, each by index or by name.

    Plain and chunked images are byte ranges of the file; compressed ones, and those of variable length, are read by the
    library. Raises DataError for damaged files, and for values that are no pixels or no classes; MissingExtraError
    without h5py.
    """
    if importlib.util.find_spec("h5py") is None:
        raise MissingExtraError("h5py", "hdf5", "Reading HDF5")
    import h5py

    root = path if path.is_dir() else path.parent
    with ExitStack() as stack:
        datasets: dict[str, Dataset] = {}
        class_names: list[str] = []
        for file in _files(path):
            try:
                opened = stack.enter_context(h5py.File(file, "r"))
                found = dict(_datasets(opened, ""))
            except (OSError, RuntimeError, KeyError, ValueError) as e:
                raise DataError(f"{file} is not a readable HDF5 file ({e}). Fetch it again.") from None
            # In a folder the name of a file tells the split, or images from labels: pcam_train_x.h5.
            datasets |= {f"{file.stem}/{name}" if path.is_dir() else name: d for name, d in found.items()}
            class_names = class_names or _class_names(opened, found)
        pairs = pairs_of([n for n, d in datasets.items() if d.shape], str(path))
        if pairs:
            parts = [_of_pair(pair, datasets, root) for pair in pairs]
        else:
            parts = [_of_groups(file, datasets, path, root) for file in _files(path)]
        return listing_of("HDF5", path, parts, attributes, class_names)


FORMAT = Format(name="HDF5", is_at=is_at, read=read, has_columns=True)


def _files(path: Path) -> list[Path]:
    files = [path] if path.is_file() else entries_of(path, _is_named)[0] if path.is_dir() else []
    return [f for f in files if _is_named(f.name) and _is_hdf5(f)]


def _is_named(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _is_hdf5(file: Path) -> bool:
    """Whether the signature stands at the start, or behind a user block of 512 · 2ⁿ bytes."""
    with file.open("rb") as f:
        for place in (0, *(512 << n for n in range(8))):
            f.seek(place)
            if f.read(len(_SIGNATURE)) == _SIGNATURE:
                return True
    return False


def _datasets(group: Any, above: str, depth: int = 0) -> Iterator[tuple[str, Dataset]]:
    """Datasets in and below a group by name, in byte order. Links to elsewhere are not followed."""
    import h5py

    if depth > _MAX_DEPTH:
        raise DataError(f"{group.file.filename} has groups more than {_MAX_DEPTH} deep; no dataset of images has.")
    for name in sorted(group, key=str.encode):
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        entry, below = group[name], f"{above}{name}"
        if isinstance(entry, h5py.Group):
            yield from _datasets(entry, f"{below}/", depth + 1)
        elif isinstance(entry, h5py.Dataset):
            if entry.is_virtual or entry.external:
                raise DataError(f"{entry.file.filename}: {below} keeps its values in other files, which are not "
                                "followed. Copy it into one file (h5repack).")  # fmt: skip
            yield below, entry


def _class_names(opened: Any, datasets: Mapping[str, Dataset]) -> list[str]:
    """Names of integer labels: an attribute of the file or of the labels, or an array beside them."""
    holders = [opened, *(d for n, d in datasets.items() if role_of(n).what == "labels")]
    told = [h.attrs[n] for h in holders for n in _CLASS_NAMES if n in h.attrs]
    told += [_values(d) for n, d in datasets.items() if role_of(n).what == "names" and len(d.shape) == 1]
    values = np.atleast_1d(told[0]) if told else ()
    names = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values]
    return names if len(names) > 1 else []


def _of_pair(pair: Pair, datasets: Mapping[str, Dataset], root: Path) -> Records:
    """An array of images with its labels."""
    images = datasets[pair.images]
    n = int(images.shape[0])
    columns = {} if pair.labels is None else {"label": _values(datasets[pair.labels])}
    for name, d in datasets.items():
        role = role_of(name)
        is_column = role.what == "other" and role.split == pair.split and d.shape == (n,) and d.file == images.file
        if is_column and (d.dtype.kind in "iuS" or _is_text(d)):
            columns[name.rpartition("/")[2]] = _values(d)
    wrong = next((name for name, values in columns.items() if len(values) != n), None)
    if wrong is not None:
        raise DataError(f"{_source(images)} has {n} images but {len(columns[wrong])} labels beside it; they do not "
                        "belong together. Save both again.")  # fmt: skip
    file = Path(images.file.filename)
    fields: dict[str, Any] = {"path": file.relative_to(root).as_posix(), "member": images.name.lstrip("/"),
                              "row": list(range(n))}  # fmt: skip
    if _is_encoded(images):
        fields["container"] = "hdf5.packed"
    else:
        fields |= image_fields(images.dtype, images.shape, _source(images)) | _ranges(images)
    return Records(source=str(file), split=pair.split, images=fields, columns=columns,
                   label="label" if pair.labels else None, reasons=[None] * n)  # fmt: skip


def _ranges(images: Dataset) -> dict[str, Any]:
    """Where the images of an array lie: byte ranges, or entries that the library unpacks."""
    n, size = int(images.shape[0]), bytes_of_one(images.dtype, images.shape)
    start = images.id.get_offset()
    if images.chunks is None and start is not None:
        return {"container": "hdf5", "offset": list(range(start, start + n * size, size)), "length": size}
    if images.chunks is not None:
        per_chunk = int(images.chunks[0])
        if per_chunk * size > MAX_CHUNK_BYTES and images.compression is not None:
            raise DataError(f"{_source(images)} is compressed in pieces of {per_chunk} images: each image would unpack "
                            "them all. Store it with chunks of one image.")  # fmt: skip
        if images.chunks[1:] == images.shape[1:] and images.id.get_create_plist().get_nfilters() == 0:
            chunks: dict[int, int] = {}
            images.id.chunk_iter(lambda chunk: chunks.update({chunk.chunk_offset[0]: chunk.byte_offset}))
            if len(chunks) == -(-n // per_chunk):  # a piece that was never written has no place
                offsets = [chunks[i - i % per_chunk] + i % per_chunk * size for i in range(n)]
                return {"container": "hdf5", "offset": offsets, "length": size}
    return {"container": "hdf5.packed"}


def _of_groups(file: Path, datasets: Mapping[str, Dataset], path: Path, root: Path) -> Records:
    """A group for each class, and in it one dataset for each image: its encoded bytes, or its pixels."""
    mine = {d.name.strip("/"): d for d in datasets.values() if Path(d.file.filename) == file}
    if not mine or not all("/" in name for name in mine):
        seen = ", ".join(f"{n} {'×'.join(map(str, d.shape or ()))}" for n, d in list(mine.items())[:6]) or "nothing"
        raise DataError(
            f"{file} holds {seen}. Wanted: an array of images and one of labels (images and labels, x_train and "
            "y_train), or a group for each class with a dataset for each image."
        )
    parts = [name.split("/") for name in mine]
    splits = [split_of(p[0]) if len(p) > 2 else None for p in parts]
    has_splits = None not in splits
    columns: dict[str, list[Any]] = {"key": list(mine), "label": [p[1 if has_splits else 0] for p in parts]}
    if has_splits:
        columns["split"] = splits
    is_encoded = _is_bytes(next(iter(mine.values())))
    reasons: list[str | None] = []
    rows = [_single(d, is_encoded, reasons) for d in mine.values()]
    images: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    images |= {"path": file.relative_to(root).as_posix(), "container": "hdf5", "member": list(mine)}
    if not is_encoded:
        images |= {"codec": "raw"}
    split = split_in(file.name) if path.is_dir() else None
    return Records(source=str(file), split=split, images=images, columns=columns, label="label", reasons=reasons)


def _single(d: Dataset, is_encoded: bool, reasons: list[str | None]) -> dict[str, Any]:
    """Fields of an image that is a dataset of its own; why it cannot be read is added to the reasons."""
    start, size = d.id.get_offset(), int(d.id.get_storage_size())
    empty: dict[str, Any] = {"offset": 0, "length": 0}
    fields = empty if is_encoded else {**empty, "layout": "u1:0,0", "height": 0, "width": 0, "mode": "L", "bits": 8}
    if start is None:
        reasons.append("compressed or empty: only plain datasets can be images of their own")
    elif _is_bytes(d) != is_encoded:
        reasons.append("pixels, unlike the others" if is_encoded else "encoded, unlike the others")
    elif is_encoded:
        reasons.append(None)
        return {"offset": start, "length": size}
    else:
        try:
            told = image_fields(d.dtype, (1, *d.shape), _source(d))
            reasons.append(None)
            return {"offset": start, "length": size, **{n: told[n] for n in fields if n in told}}
        except DataError as e:
            reasons.append(str(e))
    return fields


def _is_bytes(d: Dataset) -> bool:
    """Whether one dataset is the bytes of one encoded image."""
    return (d.dtype == np.uint8 and d.ndim == 1) or (d.dtype.kind == "V" and d.dtype.names is None and not d.shape)


def _is_encoded(d: Dataset) -> bool:
    """Whether each entry of an array is the bytes of one encoded image."""
    import h5py

    kind = h5py.check_vlen_dtype(d.dtype)
    return d.ndim == 1 and kind is not None and np.dtype(kind) == np.uint8


def _is_text(d: Dataset) -> bool:
    import h5py

    return h5py.check_string_dtype(d.dtype) is not None


def _values(d: Dataset) -> list[Any]:
    if d.dtype.kind == "O" and not _is_text(d):
        raise DataError(f"{_source(d)} holds values of variable length; wanted one number or text for each sample.")
    if int(np.prod(d.shape, dtype=object)) * d.dtype.itemsize > MAX_VALUES_BYTES:
        raise DataError(f"{_source(d)} takes more than {MAX_VALUES_BYTES:,} bytes; no labels take so many.")
    try:
        return values_of(np.asarray(d[()]), _source(d))
    except OSError as e:
        raise DataError(f"{_source(d)} is damaged ({e}). Fetch it again.") from None


def _source(d: Dataset) -> str:
    return f"{d.file.filename}, dataset {d.name.lstrip('/')},"
