"""Arrow IPC files with the images inside, as `datasets` writes them with `save_to_disk` and into its cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from sightline.errors import DataError, DecodeError
from sightline.formats.columns import LABEL, find
from sightline.formats.hub_features import class_label_names, image_column, is_small
from sightline.formats.json_files import read_json
from sightline.formats.listing import Attributes, Format, Listing
from sightline.formats.offset_shards import path_below
from sightline.formats.records import KEY, Records, entries_of, listing_of, split_in, split_of_shard
from sightline.images.containers.arrow import batches_of

STATE = "state.json"
"""Beside the files of a saved dataset: which of them are its data, and which somebody's cache."""
_SUFFIXES = (".arrow", ".feather")
_END = b"\xff\xff\xff\xff\0\0\0\0"
"""How a stream ends that was written to its end."""


def is_at(path: Path) -> bool:
    """Whether a path is, or a folder holds, Arrow files with a column of encoded images."""
    files = _files(path)
    return bool(files) and image_column(_schema(files[0])) is not None


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of Arrow files: train, then val, then test, each in file and row order. Raises DataError for damage."""
    root = path if path.is_dir() else path.parent
    parts, names = [], []
    for file in _files(path):
        part, class_names = _records(file, root)
        parts.append(part)
        names.append(class_names)
    return listing_of("Arrow", path, parts, attributes, max(names, key=len))


FORMAT = Format(name="Arrow", is_at=is_at, read=read, has_columns=True)


def _files(path: Path) -> list[Path]:
    """The file itself, or those of a folder, else of its folders that are named for a split."""
    if path.is_file():
        return [path] if path.suffix in _SUFFIXES else []
    if not path.is_dir():
        return []
    folders = [path, *(f for f in entries_of(path, _is_named)[1] if split_in(f.name))]
    found = [files for folder in folders if (files := _of_folder(folder))]
    return found[0] if found and found[0][0].parent == path else [f for files in found for f in files]


def _is_named(name: str) -> bool:
    return name.endswith(_SUFFIXES)


def _of_folder(folder: Path) -> list[Path]:
    if not (folder / STATE).is_file():
        return entries_of(folder, _is_named)[0]
    state = read_json(folder / STATE)
    listed = state.get("_data_files")
    if not isinstance(listed, list):
        return []  # another tool's state.json
    if state.get("_indices_data_files"):
        raise DataError(f"{folder} holds a choice of rows of its files; save it with a newer `datasets`, which writes "
                        "the chosen rows alone.")  # fmt: skip
    files = [folder / path_below(entry.get("filename") if isinstance(entry, dict) else None, folder / STATE)
             for entry in listed]  # fmt: skip
    missing = next((f for f in files if not f.is_file()), None)
    if missing is not None:
        raise DataError(f"{missing} is missing; {STATE} lists it. Fetch it again.")
    return files


def _batches(file: Path) -> Sequence[pa.RecordBatch]:
    try:
        return batches_of(str(file))
    except (DecodeError, OSError) as e:
        raise DataError(f"{file} is not a readable Arrow file ({e}). Fetch it again.") from None


def _schema(file: Path) -> pa.Schema:
    try:
        with pa.memory_map(str(file)) as mapped:
            if mapped.read(6) == b"ARROW1":
                return pa.ipc.open_file(mapped).schema
            mapped.seek(0)
            schema = pa.ipc.open_stream(mapped).schema
            mapped.seek(mapped.size() - len(_END))
            if mapped.read() != _END:  # rows that were never written are missed by nobody else
                raise pa.ArrowInvalid("it ends without its mark")
            return schema
    except (pa.ArrowInvalid, OSError) as e:
        raise DataError(f"{file} is not a readable Arrow file ({e}). Fetch it again.") from None


def _records(file: Path, root: Path) -> tuple[Records, list[str]]:
    """The rows of a file, and the names of its integer labels."""
    schema, batches = _schema(file), _batches(file)
    image = image_column(schema)
    if image is None:
        raise DataError(f"{file} has no column of images; its columns: {', '.join(schema.names)}.")
    kind = schema.field(image).type
    small = [f.name for f in schema if f.name != image and is_small(f.type)]
    try:
        for values in (b.column(n) for b in batches for n in small):
            values.validate(full=True)  # offsets beyond the file would be read unseen
        columns: dict[str, list[Any]] = {n: [v for b in batches for v in b.column(n).to_pylist()] for n in small}
        if KEY[0] not in small and pa.types.is_struct(kind) and kind.get_field_index("path") >= 0:
            # Only the end of a path that leads through somebody's machine.
            found = [b.column(image).field("path") for b in batches]
            for values in found:
                values.validate(full=True)
            paths = [p for values in found for p in values.to_pylist()]
            columns[KEY[0]] = [p.rpartition("/")[2] if p and p.startswith("/") else p for p in paths]
    except (pa.ArrowInvalid, UnicodeDecodeError) as e:
        raise DataError(f"{file} is damaged: its labels cannot be read ({e}). Fetch it again.") from None
    label = find(small, LABEL)
    images = {
        "path": file.relative_to(root).as_posix(), "container": "arrow",
        "member": f"{image}.bytes" if pa.types.is_struct(kind) else image,
        "row_group": [i for i, b in enumerate(batches) for _ in range(b.num_rows)],
        "row": [r for b in batches for r in range(b.num_rows)],
    }  # fmt: skip
    part = Records(source=str(file), split=split_of_shard(file, root), images=images, columns=columns, label=label,
                   reasons=[None] * len(images["row"]))  # fmt: skip
    return part, class_label_names(schema, label) if label else []
