"""Parquet files that hold the images themselves, as dataset hubs publish them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import DataError
from sightline.formats.columns import LABEL, groups_of, labels_of, need, times_of
from sightline.formats.hub_features import class_label_names, image_column, is_small
from sightline.formats.listing import SPLIT_ORDER, Attributes, Format, Listing, split_of, split_of_file
from sightline.formats.records import entries_of, own_names


def is_at(path: Path) -> bool:
    """Whether `path` is, or a folder holds, Parquet files with a column of encoded images."""
    files = [path] if path.is_file() and path.suffix == ".parquet" else _files(path) if path.is_dir() else []
    return bool(files) and image_column(_opened(files[0]).schema_arrow) is not None


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of hub Parquet: train, then val, then test, each in file and row order."""
    root = path if path.is_dir() else path.parent
    shards = [_Shard(file, root, attributes) for file in (_files(path) if path.is_dir() else [path])]
    named = {shard.split for shard in shards}
    if None in named and len(named) > 1:
        odd = next(s for s in shards if s.split is None)
        raise DataError(f"{odd.path} names no split but other files beside it do. Rename it train-, val- or test-….")
    shards.sort(key=lambda s: SPLIT_ORDER.index(s.split))  # stable: files stay in byte order inside a split
    keys: list[str] = []
    for split in SPLIT_ORDER:
        names = [name for s in shards if s.split == split for name in s.names]
        keys += [f"{split}/{name}" if split else name for name in own_names(names)]
    ids, names_of, policy = _classes(shards)
    groups = [g for s in shards for g in s.groups] if any(s.has_groups for s in shards) else None
    times = [t for s in shards for t in s.times] if any(s.has_times for s in shards) else None
    return Listing(
        layout="hub Parquet", name=path.resolve().name.removesuffix(".parquet"), roots={"source": str(root.resolve())},
        keys=keys, splits=[s.split for s in shards for _ in s.names],
        labels=[names_of.get(v, v) if v else None for s in shards for v in s.labels],
        images={
            "root": "source", "container": "parquet", "path": [s.name for s in shards for _ in s.names],
            "member": [s.member for s in shards for _ in s.names],
            "row_group": [g for s in shards for g in s.row_groups], "row": [r for s in shards for r in s.rows],
        },
        class_ids=ids, policy=policy, groups=groups, times=times,
        notes=tuple(dict.fromkeys(note for s in shards for note in s.notes)),
    )  # fmt: skip


FORMAT = Format(name="hub Parquet", is_at=is_at, read=read, has_columns=True)


class _Shard:
    """One file: everything but the images."""

    def __init__(self, path: Path, root: Path, attributes: Attributes) -> None:
        self.path, self.name = path, path.relative_to(root).as_posix()
        self.split = split_of_file(path.stem) or split_of(path.parent.name)
        file = _opened(path)
        schema = file.schema_arrow
        image = image_column(schema)
        if image is None:
            raise DataError(f"{path} has no column of images; its columns: {', '.join(schema.names)}.")
        is_struct = pa.types.is_struct(schema.field(image).type)
        self.member = f"{image}.bytes" if is_struct else image
        label = need([n for n in schema.names if n != image], LABEL, "label", str(path))
        small = [f.name for f in schema if f.name != image and is_small(f.type)]
        has_path = is_struct and schema.field(image).type.get_field_index("path") >= 0
        table = _read(file, [*small, f"{image}.path"] if has_path else small, path)
        columns = {n: table[n].to_pylist() for n in small}
        self.class_names = class_label_names(schema, label)
        # Hubs write -1 for "no label".
        self.labels = [None if v == "-1" else v for v in labels_of(columns[label], str(path))]
        self.names: list[str | None] = (
            table[image].combine_chunks().field("path").to_pylist() if has_path else [None] * table.num_rows
        )
        sizes = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
        self.row_groups = [g for g, n in enumerate(sizes) for _ in range(n)]
        self.rows = [r for n in sizes for r in range(n)]
        groups, group_notes = groups_of(columns, attributes, str(path))
        times, time_notes = times_of(columns, attributes, str(path))
        self.has_groups, self.has_times = groups is not None, times is not None
        self.groups = groups or [[] for _ in self.rows]
        self.times = times or [None] * len(self.rows)
        self.notes = group_notes + time_notes


def _files(folder: Path) -> list[Path]:
    """Parquet files of one configuration, in byte order of their paths.

    They lie in the folder itself or in one folder below it, and there perhaps in a folder for each split. Raises
    DataError when there are several configurations.
    """
    found, tops = _parquet_in(folder)
    if found:
        return found
    places: dict[Path, list[Path]] = {}
    for top in tops:
        files, below = _parquet_in(top)
        # Only folders named for a split are looked into: this runs on trees of a million images too.
        files += [file for sub in below if split_of(sub.name) for file in _parquet_in(sub)[0]]
        if files:
            places.setdefault(folder if split_of(top.name) else top, []).extend(files)
    with_images = {p: files for p, files in places.items() if image_column(_opened(files[0]).schema_arrow) is not None}
    if len(with_images) > 1:
        names = ", ".join(p.name for p in with_images)
        raise DataError(f"{folder} holds several datasets ({names}). Give one of them.")
    return next(iter(with_images.values()), [])


def _parquet_in(folder: Path) -> tuple[list[Path], list[Path]]:
    return entries_of(folder, lambda name: name.endswith(".parquet"))


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as e:
        raise DataError(f"{path} is not a readable Parquet file ({e}). Fetch it again.") from None


def _read(file: pq.ParquetFile, columns: list[str], path: Path) -> pa.Table:
    try:
        return file.read(columns=columns)
    except (pa.ArrowInvalid, OSError) as e:
        raise DataError(f"{path} is damaged: its labels cannot be read ({e}). Fetch it again.") from None


def _classes(shards: list[_Shard]) -> tuple[tuple[str, ...], dict[str, str], str | None]:
    """Class ids in official order, number → id, and the policy; all empty where the files name no classes."""
    names: list[Any] = max((s.class_names for s in shards), key=len)
    if not names or len(set(names)) < len(names):
        return (), {}, None
    known = {str(i): name for i, name in enumerate(names)}
    for shard in shards:
        strange = sorted({v for v in shard.labels if v is not None} - set(known))
        if strange:
            raise DataError(f"{shard.path} has the label {strange[0]}, but names only {len(names)} classes.")
    return tuple(names), known, "official"
