"""What a model can be asked about: a sample table, image files, or arrays of pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import DataError, DecodeError
from sightline.images import sniff
from sightline.samples import Classes, SampleTable, sample_id_of, table_from_rows

Array = np.ndarray[Any, Any]
Image = str | PathLike[str] | Array
"""A file, or pixels as height × width × channels (height × width for grey): uint8, uint16, or floats in [0, 1]."""

HEADER = ("codec", "width", "height", "mode", "bits", "exif_orientation")


def listed(images: Image | Iterable[Image]) -> list[Image]:
    """The images asked about, one alone included. Raises DataError for none, or files and arrays together."""
    several = [images] if isinstance(images, str | PathLike | np.ndarray) else list(images)
    if not several:
        raise DataError("There is no image to predict: the list is empty.")
    kinds = {isinstance(i, np.ndarray) for i in several}
    strange = [i for i in several if not isinstance(i, str | PathLike | np.ndarray)]
    if len(kinds) > 1 or strange:
        got = type(strange[0]).__name__ if strange else "both"
        raise DataError(f"Images to predict are paths, or arrays of pixels, in one list; got {got}. Ask for one kind.")
    return several


def table_of_files(paths: Sequence[str | PathLike[str]], classes: Classes) -> SampleTable:
    """Unlabelled samples of image files, the path as it was given for key; what cannot be read is a row with a reason.

    Raises DataError for a path given twice.
    """
    rows = []
    for path in [fspath(p) for p in paths]:
        header, reason = _header(Path(path))
        image = {"root": "/", "path": Path(path).absolute().as_posix().lstrip("/"), "container": "file", **header}
        status = "ok" if reason is None else "unreadable"
        rows.append(_row(path) | {"image": image, "status": status, "reason": reason})
    return SampleTable(table_from_rows(rows), classes, "the images", {"/": "/"})


def table_of_arrays(count: int, classes: Classes) -> SampleTable:
    """Unlabelled samples named "array 0", "array 1", …, whose pixels are nowhere on disk."""
    rows = [_row(f"array {i}") | {"image": {}} for i in range(count)]
    return SampleTable(table_from_rows(rows), classes, "the arrays")


def _row(key: str) -> dict[str, Any]:
    return {"sample_id": sample_id_of("", key), "key": key, "dataset": "", "group_id": key, "status": "ok"}


def _header(path: Path) -> tuple[dict[str, Any], str | None]:
    try:
        with path.open("rb") as f:
            header = sniff(f)
    except DecodeError as e:
        return {}, str(e)
    except FileNotFoundError:
        return {}, "file is missing"
    except OSError as e:
        return {}, f"cannot be read: {e.strerror or e}"
    return {name: getattr(header, name) for name in HEADER}, None
