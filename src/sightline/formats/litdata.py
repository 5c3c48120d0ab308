"""Chunks that litdata's `optimize` writes: uncompressed ones, each image at its byte range."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sightline.errors import DataError
from sightline.formats.columns import LABEL, find
from sightline.formats.json_files import read_json
from sightline.formats.listing import Attributes, Format, Listing
from sightline.formats.litdata_rows import has_rows, rows_of
from sightline.formats.offset_shards import Column, Shard, image_of, indexes_of, path_below, records_of, scalars_of
from sightline.formats.records import listing_of, names_beside, split_in

_WORDS = (b'"chunks"', b'"data_format"')
"""What its index is known by."""


def is_at(path: Path) -> bool:
    """Whether a folder, or its folders for splits, hold an index of litdata chunks."""
    return bool(indexes_of(path, _WORDS))


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of chunks in the order of their index. Raises DataError for compressed, encrypted or damaged ones."""
    shards = [shard for index in indexes_of(path, _WORDS) for shard in _shards(index, path)]
    if not any(s.num_samples for s in shards):
        raise DataError(f"{path} holds litdata chunks without a sample.")
    parts = [rows_of(s) if has_rows(s.file) else records_of(s, "litdata", _label(s)) for s in shards]
    return listing_of("litdata", path, parts, attributes, names_beside(path, parts))


FORMAT = Format(name="litdata", is_at=is_at, read=read, has_columns=True)


def _shards(index: Path, root: Path) -> list[Shard]:
    about = read_json(index)
    try:
        config = about["config"]
        for name in ("compression", "encryption", "ipc_compression"):
            if config.get(name):
                raise DataError(f"{index.parent} holds chunks with {name} ({config[name]}): no image in them can be "
                                "addressed. Optimize the dataset again without it.")  # fmt: skip
        formats = [str(f) for f in config["data_format"]]
        named = list(_names(json.loads(config["data_spec"])[1], "")) if config.get("data_spec") else []
        # A bare leaf has no name; nor have the leaves of a tuple, which are numbered.
        names = named if len(named) == len(formats) and all(named) else [str(i) for i in range(len(formats))]
        columns = tuple(Column(name, kind, None) for name, kind in zip(names, formats, strict=True))
        split = split_in(index.parent.name) if index.parent != root else None
        return [_shard(index, chunk, root, split, columns) for chunk in about["chunks"]]
    except (KeyError, TypeError, ValueError, IndexError, RecursionError) as e:
        raise DataError(f"{index} does not describe litdata chunks ({e!r}). Fetch it again.") from None


def _shard(index: Path, chunk: Any, root: Path, split: str | None, columns: tuple[Column, ...]) -> Shard:
    file = index.parent / path_below(chunk["filename"], index)
    if not file.is_file():
        raise DataError(f"{file} is missing, with {chunk['chunk_size']} samples. Fetch it again.")
    return Shard(file, file.relative_to(root).as_posix(), split, columns, int(chunk["chunk_size"]))


def _names(spec: Any, above: str) -> Iterator[str]:
    """Names of the leaves of a tree as PyTorch writes it down: `image`, `meta/id`; numbers in tuples and lists."""
    below = spec["children_spec"]
    if spec["type"] is None:
        yield above
        return
    keys = json.loads(spec["context"]) if spec["type"].endswith(("dict", "Dict")) else range(len(below))
    for key, child in zip(keys, below, strict=True):
        yield from _names(child, f"{above}/{key}" if above else str(key))


def _label(shard: Shard) -> str | None:
    """The column named for labels; among numbered ones the only number or text beside the image."""
    scalars = scalars_of(shard.columns)
    found = find(scalars, LABEL)
    numbered = all(c.name.isdecimal() for c in shard.columns)
    image = image_of(shard.columns, shard.file)
    others = [n for n in scalars if n != image.name]
    return found or (others[0] if numbered and len(others) == 1 else None)
