"""MDS, the shards that MosaicML's streaming writes: uncompressed ones, each image at its byte range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sightline.errors import DataError
from sightline.formats.columns import LABEL, find
from sightline.formats.json_files import read_json
from sightline.formats.listing import Attributes, Format, Listing
from sightline.formats.offset_shards import Column, Shard, indexes_of, path_below, records_of, scalars_of
from sightline.formats.records import listing_of, names_beside, split_in

_WORDS = (b'"shards"', b'"mds"')
"""What its index is known by."""


def is_at(path: Path) -> bool:
    """Whether a folder, or its folders for splits, hold an index of MDS shards."""
    return bool(indexes_of(path, _WORDS))


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of MDS shards in the order of their index. Raises DataError for compressed and damaged shards."""
    shards = [shard for index in indexes_of(path, _WORDS) for shard in _shards(index, path)]
    if not any(s.num_samples for s in shards):
        raise DataError(f"{path} holds MDS shards without a sample.")
    label = next((found for s in shards if (found := find(scalars_of(s.columns), LABEL))), None)
    parts = [records_of(s, "mds", label if label in scalars_of(s.columns) else None) for s in shards]
    return listing_of("MDS", path, parts, attributes, names_beside(path, parts))


FORMAT = Format(name="MDS", is_at=is_at, read=read, has_columns=True)


def _shards(index: Path, root: Path) -> list[Shard]:
    about = read_json(index)
    try:
        return [_shard(index, entry, root) for entry in about["shards"]]
    except (KeyError, TypeError, ValueError) as e:
        raise DataError(f"{index} does not describe MDS shards ({e!r}). Fetch it again.") from None


def _shard(index: Path, entry: Any, root: Path) -> Shard:
    if entry["format"] != "mds":
        raise DataError(f"{index} lists shards of the format {entry['format']!r}; only mds holds images.")
    file = index.parent / path_below(entry["raw_data"]["basename"], index)
    if not file.is_file() and entry.get("zip_data"):
        raise DataError(
            f"{file.parent} holds compressed shards ({entry['zip_data']['basename']}): no image in them can be "
            f"addressed. Unpack them beside the others ({entry['compression']}), or write them without compression."
        )
    if not file.is_file():
        raise DataError(f"{file} is missing, with {entry['samples']} samples. Fetch it again.")
    if file.stat().st_size != entry["raw_data"]["bytes"]:
        raise DataError(f"{file} has {file.stat().st_size:,} bytes, its index says {entry['raw_data']['bytes']:,}. "
                        "Fetch both again.")  # fmt: skip
    columns = [
        Column(str(name), str(encoding), None if size is None else int(size))
        for name, encoding, size in zip(
            entry["column_names"], entry["column_encodings"], entry["column_sizes"], strict=True
        )
    ]
    path = file.relative_to(root)
    # An index may be merged from those of folders below: train/shard.00000.mds, train/0/shard.00000.mds.
    return Shard(file, path.as_posix(), split_in(path.parent.as_posix()), tuple(columns), int(entry["samples"]))
