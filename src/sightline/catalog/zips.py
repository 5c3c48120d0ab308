"""The zips that a dataset is downloaded as, read in place: its texts, and its images as byte ranges."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sightline.catalog.annotations import OUTSIDE, TextFile, file_images, files_in, inside
from sightline.errors import DataError
from sightline.formats.zip_folders import members_of
from sightline.images.parsing import ZIP_ERRORS


def texts_in(folder: Path, names: re.Pattern[str], archives: re.Pattern[str]) -> list[TextFile]:
    """Files of a folder, and of the zips in it, whose names match; in byte order, those in the folder first."""
    found: list[TextFile] = [file for file in files_in(folder, ".json") if names.fullmatch(file.name)]
    for archive in files_in(folder, ".zip"):
        if archives.fullmatch(archive.name):
            found += _texts_of(archive, names)
    there: dict[str, TextFile] = {}
    for file in found:
        there.setdefault(file.name, file)  # unpacked beside its zip: one and the same
    return list(there.values())


def _texts_of(archive: Path, names: re.Pattern[str]) -> list[TextFile]:
    try:
        opened = zipfile.ZipFile(archive)
    except ZIP_ERRORS as e:
        raise DataError(f"{archive} is not a readable zip file ({e}): cut off, or damaged. Fetch it again.") from None
    members = sorted(m for m in opened.namelist() if names.fullmatch(PurePosixPath(m).name) and "__MACOSX" not in m)
    return [zipfile.Path(opened, member) for member in members]


def place_of(source: Path, *names: str) -> str | None:
    """The first of these folders that is there, or a zip called like it; relative to the source."""
    for name in names:
        if (source / name).is_dir():
            return name
        if (source / f"{name}.zip").is_file():
            return f"{name}.zip"
    return None


def images_in(source: Path, place: str, names: Sequence[str]) -> tuple[dict[str, Any], list[str | None]]:
    """References to images by name in a folder or a zip, and why those that are not there are not."""
    if not place.endswith(".zip"):
        paths = [inside(place, name) for name in names]
        return file_images(paths), [None if path else OUTSIDE for path in paths]
    archive = members_of(source / place)
    at = {name: i for i, name in enumerate(archive.names)}
    folder = PurePosixPath(place).stem
    rows = [at.get(f"{folder}/{name}", at.get(name)) for name in names]
    shown = [0 if i is None else i for i in rows]
    reasons = [f"not in {place}: {name}" if i is None else archive.reasons.get(i)
               for i, name in zip(rows, names, strict=True)]  # fmt: skip
    if not archive.names:
        return file_images([None] * len(names)), reasons
    return {
        "root": "source", "path": [place] * len(names), "container": [archive.container(i) for i in shown],
        "member": [archive.names[i] for i in shown], "offset": [archive.offsets[i] for i in shown],
        "length": [archive.lengths[i] for i in shown],
    }, reasons  # fmt: skip
