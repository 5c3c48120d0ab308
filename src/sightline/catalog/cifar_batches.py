"""CIFAR-10 and CIFAR-100 as their authors publish them: pickles of Python, or records of bytes; unpacked or as tar.gz.

Pixels are addressed where they lie, in a pickle too: its array is one run of bytes. Every form, and the Parquet of
the hub, gives the same keys, labels and pixels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from sightline.catalog import cifar
from sightline.catalog.bundles import Bundle, Content, top_folder
from sightline.catalog.card import Card
from sightline.errors import DataError
from sightline.formats import Attributes, Format, Listing
from sightline.formats.restricted_pickle import load, text
from sightline.samples import Classes

PIXELS = 3 * 32 * 32


@dataclass(frozen=True, kw_only=True)
class Form:
    """One of the forms in which a dataset is published."""

    card: Card
    name: str
    folder: str
    """Name of the folder in the archive."""
    archive: str
    files: tuple[tuple[str, str], ...]
    """Split and file name, in official order."""
    names: tuple[str, ...]
    """Files that name the classes, the fine ones first."""
    label_bytes: int
    """Labels of a sample: one, or a coarse and a fine one."""


_TEN = [("train", f"data_batch_{i}") for i in range(1, 6)] + [("test", "test_batch")]
FORMS = (
    Form(card=cifar.CIFAR10, name="binary", folder="cifar-10-batches-bin", archive="cifar-10-binary.tar.gz",
         files=tuple((s, f"{f}.bin") for s, f in _TEN), names=("batches.meta.txt",), label_bytes=1),
    Form(card=cifar.CIFAR10, name="python", folder="cifar-10-batches-py", archive="cifar-10-python.tar.gz",
         files=tuple(_TEN), names=("batches.meta",), label_bytes=1),
    Form(card=cifar.CIFAR100, name="binary", folder="cifar-100-binary", archive="cifar-100-binary.tar.gz",
         files=(("train", "train.bin"), ("test", "test.bin")), names=("fine_label_names.txt", "coarse_label_names.txt"),
         label_bytes=2),
    Form(card=cifar.CIFAR100, name="python", folder="cifar-100-python", archive="cifar-100-python.tar.gz",
         files=(("train", "train"), ("test", "test")), names=("meta",), label_bytes=2),
)  # fmt: skip


@dataclass(frozen=True)
class _Part:
    """The samples of one file."""

    content: Content
    labels: np.ndarray[Any, Any]
    """One column, or two: fine and coarse."""
    offsets: range
    """Of the pixels, in the content's path."""
    filenames: Sequence[str] | None = None


def is_at(path: Path) -> bool:
    """Whether a path is, or a folder directly holds, one of the published forms."""
    return bool(_found(path))


def read(path: Path, _: Attributes) -> Listing:
    """All samples, train before test, each by its official number. Raises DataError for missing and damaged files."""
    found = _found(path)
    if len({form.card.name for form, _ in found}) > 1:
        raise DataError(f"{path} holds CIFAR-10 and CIFAR-100. Give one of them: {', '.join(str(p) for _, p in found)}")
    form, place = found[0]
    bundle = Bundle(place)
    names = bundle.names()
    missing = [name for _, name in form.files if name not in names]
    if missing:
        raise DataError(f"{place} lacks {', '.join(missing)}; wanted all of {', '.join(n for _, n in form.files)}. "
                        "Fetch it again.")  # fmt: skip
    parts = [(split, _part(form, bundle.content(name))) for split, name in form.files]
    aside = tuple(f"{place.name} is read, {other.name} beside it is not" for _, other in found[1:])
    return replace(_listing(form, bundle, parts), name=path.resolve().name.partition(".")[0], notes=aside)


FORMAT = Format(name="CIFAR batches", is_at=is_at, read=read)


def _found(path: Path) -> list[tuple[Form, Path]]:
    """Forms at a path with their places: unpacked before packed, so that nothing is unpacked without need."""
    if not path.is_dir():
        top = top_folder(path) if path.is_file() else None
        return [(form, path) for form in FORMS if form.folder == top]
    here = [(form, path) for form in FORMS if _holds(path, form)]
    unpacked = [(form, path / form.folder) for form in FORMS if (path / form.folder / form.files[0][1]).is_file()]
    packed = [(form, path / form.archive) for form in FORMS if (path / form.archive).is_file()]
    found: dict[tuple[str, str], tuple[Form, Path]] = {}
    for form, place in [*here, *unpacked, *packed]:
        found.setdefault((form.card.name, form.name), (form, place))
    return list(found.values())


def _holds(folder: Path, form: Form) -> bool:
    """Whether a folder is that of a form. Files called `train` and `test` lie about for many reasons."""
    is_known = form.label_bytes == 1 or folder.name == form.folder or (folder / form.names[0]).is_file()
    return is_known and (folder / form.files[0][1]).is_file()


def _listing(form: Form, bundle: Bundle, parts: Sequence[tuple[str, _Part]]) -> Listing:
    splits = [split for split, part in parts for _ in part.offsets]
    labels = np.concatenate([part.labels for _, part in parts])
    is_official = form.card.describes(splits, [str(v) for v in labels[: len(form.card.first_labels), 0]])
    fine, coarse = _names(form, bundle, is_official)
    _check_range(parts, 0, len(fine))
    columns: dict[str, Sequence[Any]] = {}
    if labels.shape[1] == 2:
        _check_range(parts, 1, len(coarse))
        columns["labels"] = coarse_entries(labels[:, 1].tolist())
    if any(part.filenames is not None for _, part in parts):
        # They begin with the noun that the image was searched for.
        columns["extra"] = [told for _, part in parts for told in _extra(part)]
    numbers = {split: iter(range(splits.count(split))) for split in dict.fromkeys(splits)}
    return Listing(
        layout=f"CIFAR {form.name}", name="", roots={"source": str(bundle.root.resolve())},
        keys=[f"{split}/{next(numbers[split]):05d}" for split in splits], splits=splits,
        labels=[fine[v] for v in labels[:, 0].tolist()],
        images={
            "root": "source", "container": [part.content.container for _, part in parts for _ in part.offsets],
            "path": [part.content.path for _, part in parts for _ in part.offsets],
            "offset": [offset for _, part in parts for offset in part.offsets], "length": PIXELS, "codec": "raw",
            "layout": "u1:chw:3,32,32", "width": 32, "height": 32, "mode": "RGB", "bits": 8,
        },
        class_ids=tuple(fine), policy="official", columns=columns,
        spaces={"coarse": Classes(tuple(coarse), tuple(coarse), "official")} if labels.shape[1] == 2 else {},
        dataset=form.card.name if is_official else None,
    )  # fmt: skip


def coarse_entries(ids: Sequence[int]) -> list[list[dict[str, Any]]]:
    """Entries of the column `labels` that name the coarse class of each sample."""
    entry = {"space": "coarse", "state": 1, "score": None, "source": "dataset"}
    return [[{**entry, "id": i}] for i in ids]


def _extra(part: _Part) -> list[str | None]:
    if part.filenames is None:
        return [None] * len(part.offsets)
    return [json.dumps({"file": f}) for f in part.filenames]


def _check_range(parts: Sequence[tuple[str, _Part]], column: int, n: int) -> None:
    for _, part in parts:
        bad = np.flatnonzero((part.labels[:, column] < 0) | (part.labels[:, column] >= n))
        if len(bad):
            got = int(part.labels[bad[0], column])
            raise DataError(f"{part.content.path}: {part.content.name} has the label {got} in record {bad[0]}; there "
                            f"are {n} classes. It is damaged, or not CIFAR's: fetch it again.")  # fmt: skip


def _names(form: Form, bundle: Bundle, is_official: bool) -> tuple[Sequence[str], Sequence[str]]:
    """Fine and coarse class names: CIFAR's own, or those that the files of somebody else's data in this form tell."""
    official: list[Sequence[str]] = [form.card.class_ids, cifar.COARSE]
    present = [name for name in form.names if name in bundle.names()]
    if is_official or not present:
        return official[0], official[1]
    told: list[Sequence[str]]
    if form.name == "binary":
        told = [_lines(bundle.content(name)) for name in present]
    else:
        meta = _pickled(bundle.content(form.names[0]))
        fields = ("label_names", "fine_label_names", "coarse_label_names")
        told = [[text(n) for n in meta[f]] for f in fields if isinstance(meta.get(f), list)]
        told = [names for names in told if names]
    for names in told:
        if len(set(names)) < len(names):
            raise DataError(f"{bundle.place} names a class twice: {', '.join(names)}. Class names must be unique.")
    told += official[len(told) :]
    return told[0], told[1]


def _lines(content: Content) -> list[str]:
    return [line.strip() for line in content.data.tobytes().decode("utf-8", "replace").splitlines() if line.strip()]


def _part(form: Form, content: Content) -> _Part:
    return _of_records(form, content) if form.name == "binary" else _of_pickle(content)


def _of_records(form: Form, content: Content) -> _Part:
    size = form.label_bytes + PIXELS
    n, rest = divmod(len(content.data), size)
    if rest or not n:
        raise DataError(f"{content.path}: {content.name} has {len(content.data):,} bytes, which are no whole records "
                        f"of {size:,}. Fetch it again.")  # fmt: skip
    labels = np.asarray(content.data).reshape(n, size)[:, : form.label_bytes].astype(np.int64)
    # CIFAR-100's records begin with the coarse label.
    return _Part(content, labels[:, ::-1], range(content.start + form.label_bytes, content.start + n * size, size))


def _pickled(content: Content) -> dict[str, Any]:
    where = f"{content.path}: {content.name}"
    found = load(content.data.tobytes(), where)
    if not isinstance(found, dict):
        raise DataError(f"{where} holds a {type(found).__name__}; wanted a dict. Fetch it again.")
    return {text(k): v for k, v in found.items()}


def _of_pickle(content: Content) -> _Part:
    found, where = _pickled(content), f"{content.path}: {content.name}"
    pixels = found.get("data")
    columns = [found[f] for f in ("labels", "fine_labels", "coarse_labels") if f in found]
    if not _is_pixels(pixels) or not columns:
        raise DataError(f"{where} has {', '.join(found)}; wanted data (N × {PIXELS} bytes) and labels, or fine_labels "
                        "and coarse_labels.")  # fmt: skip
    if any(len(column) != len(pixels) for column in columns):
        counts = ", ".join(str(len(column)) for column in columns)
        raise DataError(f"{where} has {len(pixels)} images but {counts} labels. Fetch it again.")
    begin = _position(content.data, pixels)
    if begin is None:
        raise DataError(f"{where} was written anew by Python 3 for Python 2, which stores pixels as text. Give the "
                        "published file, or write it with protocol 4.")  # fmt: skip
    labels = np.array(columns, np.int64).T
    names = found.get("filenames")
    named = [text(n) for n in names] if isinstance(names, list) and len(names) == len(pixels) else None
    start = content.start + begin
    return _Part(content, labels, range(start, start + pixels.size, PIXELS), named)


def _is_pixels(found: Any) -> TypeGuard[np.ndarray[Any, Any]]:
    return isinstance(found, np.ndarray) and found.dtype == np.uint8 and found.shape[1:] == (PIXELS,) and len(found) > 0


def _position(data: np.ndarray[Any, Any], pixels: np.ndarray[Any, Any]) -> int | None:
    """Where an array's bytes lie in the pickle that it was read from; None where they are not there as they are."""
    whole, first, begin = data.tobytes(), pixels[0].tobytes(), -1
    while (begin := whole.find(first, begin + 1)) >= 0:
        run = data[begin : begin + pixels.size]
        if len(run) == pixels.size and np.array_equal(run, pixels.ravel()):
            return begin
    return None
