"""Annotation files that name images: read as data, checked, and joined with the images that are there."""

from __future__ import annotations

import json
import os
import posixpath
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.errors import DataError
from sightline.formats import Listing, read_headers
from sightline.formats.headers import FIELDS
from sightline.images import Header
from sightline.images.parsing import ZIP_ERRORS

MAX_BYTES = 4 << 30
"""A text file beyond this is refused; the largest of a published dataset has half a gigabyte."""

TextFile = Path | zipfile.Path
"""An annotation file, on the disk or in the zip that it is downloaded in."""

OUTSIDE = "its name leads out of the dataset's folder"


def read_json(path: TextFile, hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The value of a JSON file, each object in it replaced by what `hook` makes of it. Raises DataError."""
    return parsed(decoded(read_bytes(path), str(path)), str(path), hook)


def read_bytes(path: TextFile) -> bytes:
    """What an annotation file holds. Raises DataError where it cannot be read or is far too large."""
    try:
        # Of a zip no more is unpacked than its directory says that there is.
        size = path.root.getinfo(path.at).file_size if isinstance(path, zipfile.Path) else path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"{path} has more than {MAX_BYTES:,} bytes; that is no annotation file.")
        return path.read_bytes()
    except OSError as e:
        raise DataError(f"{path} cannot be read: {e.strerror or e}.") from None
    except ZIP_ERRORS as e:
        raise DataError(f"{path} cannot be unpacked: {e}. Fetch the archive again.") from None


def decoded(data: bytes, what: str) -> str:
    """UTF-8 text, with or without a mark in front. Raises DataError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise DataError(f"{what} is not readable JSON ({e.reason} at byte {e.start}). Fetch it again.") from None


def parsed(text: str, what: str, hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The value of JSON text, as `read_json`."""
    try:
        return json.loads(text, object_hook=hook)
    except (ValueError, RecursionError) as e:  # not JSON, a number of a million digits, a tower of brackets
        raise DataError(f"{what} is not readable JSON ({e}). Fetch it again.") from None


def read_object(path: TextFile, hook: Callable[[dict[str, Any]], Any] | None = None) -> dict[str, Any]:
    """The object of a JSON file, each object in it replaced by what `hook` makes of it.

    A hook that drops what is not needed keeps memory small: most of COCO's file is outlines. Raises DataError.
    """
    found = read_json(path, hook)
    if not isinstance(found, dict):
        raise DataError(f"{path} holds a JSON {type(found).__name__}; wanted an object.")
    return found


def records(document: Mapping[str, Any], name: str, fields: Mapping[str, Any], path: TextFile) -> list[dict[str, Any]]:
    """The list `name` of a document, whose items have the fields of these types. Raises DataError for any other."""
    items = document.get(name)
    if not isinstance(items, list):
        raise DataError(f"{path} has no list {name!r}; it has: {', '.join(map(str, document)) or 'nothing'}.")
    for i, item in enumerate(items):
        if not isinstance(item, dict):
            raise DataError(f"{path}: {name}[{i}] is {item!r:.80}; wanted an object.")
        for field, kind in fields.items():
            value = item.get(field)
            if not isinstance(value, kind) or isinstance(value, bool):
                wanted = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
                raise DataError(f"{path}: {name}[{i}] has {field} = {value!r:.80}; wanted {wanted}.")
    return items


def inside(*names: str) -> str | None:
    """Names joined to a normal POSIX path below a folder, or None where they lead out of it."""
    given = [name.replace("\\", "/") for name in names if name]
    path = posixpath.normpath("/".join(given))
    leads_out = any(name.startswith("/") for name in given) or path == ".." or path.startswith("../")
    return None if leads_out or path == "." or "\0" in path or clean(path) != path else path


def file_images(paths: Sequence[str | None]) -> dict[str, Any]:
    """Image references to files below the root "source"; None stands for a sample without one."""
    return {"root": "source", "container": "file", "path": list(paths)}


def repeated(images: Listing, positions: Sequence[int]) -> Listing:
    """Images at positions, several samples of one image: its header is read once, and it is unreadable for all."""
    reasons: list[str | None] = list(images.reasons or [None] * len(images.keys))
    wanted = sorted({i for i in positions if reasons[i] is None})
    headers: list[Header | None] = [None] * len(reasons)
    for i, found in zip(wanted, read_headers(images.take(wanted)) if wanted else (), strict=True):
        headers[i], reasons[i] = (None, found) if isinstance(found, str) else (found, None)
    known = {f: [None if h is None else getattr(h, f) for h in headers] for f in FIELDS}
    return replace(images, images={**images.images, **known}, reasons=reasons).take(positions)


def label_of(class_id: int, *, space: str = "", state: int = 1, score: float | None = None, source: str = "dataset"
             ) -> dict[str, Any]:  # fmt: skip
    """An entry of the column `labels`."""
    return {"space": space, "id": class_id, "state": state, "score": score, "source": source}


def files_in(folder: Path, ending: str) -> list[Path]:
    """The files of a folder whose names have an ending, hidden ones left out, in byte order."""
    with os.scandir(folder) as entries:  # a folder of a million images is asked too: no object for each of them
        names = [e.name for e in entries if e.name.endswith(ending) and not e.name.startswith(".")]
    return [f for name in sorted(names, key=os.fsencode) if (f := folder / name).is_file()]


def counted(number: int, what: str) -> tuple[str, ...]:
    """A note on so many of something, or none at all where there are none."""
    return (f"{number:,} {what}",) if number else ()


def words(found: Iterable[str], most: int = 3) -> str:
    """The first few words, for a message."""
    every = sorted(found)
    return ", ".join(every[:most]) + (", …" if len(every) > most else "")


def extra(**values: Any) -> str:
    """JSON for the column `extra`, without what is None."""
    return clean(json.dumps({k: v for k, v in values.items() if v is not None}, ensure_ascii=False))


def clean(text: str) -> str:
    """Text that can be stored: half characters, which JSON can spell, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
