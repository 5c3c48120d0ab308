"""CIFAR-100 as Parquet of the hub: the general reader, and the coarse classes that it has no place for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from sightline.catalog import cifar
from sightline.catalog.cifar_batches import coarse_entries
from sightline.errors import DataError
from sightline.formats import Attributes, Format, Listing, hub_parquet
from sightline.samples import Classes

NAMES = ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet", "train.parquet", "test.parquet")


def is_at(path: Path) -> bool:
    """Whether a path holds hub Parquet with CIFAR-100's two columns of labels."""
    # By the hub's own names, at the top or in its folder: a folder of a million files is not listed for this.
    named = [path / below / name for below in ("", "cifar100") for name in NAMES] if path.is_dir() else [path]
    file = next((f for f in named if f.suffix == ".parquet" and f.is_file()), None)
    return file is not None and set(_schema(file)) >= {"fine_label", "coarse_label"} and hub_parquet.is_at(path)


def read(path: Path, attributes: Attributes) -> Listing:
    """What the general reader lists, with the classes in official order and a label in the space `coarse`."""
    listing = hub_parquet.read(path, attributes)
    root, files = Path(listing.roots["source"]), list(dict.fromkeys(listing.images["path"]))
    coarse = [i for f in files for i in pq.ParquetFile(root / f).read(columns=["coarse_label"]).column(0).to_pylist()]
    names = cifar.COARSE
    if any(not isinstance(i, int) or not 0 <= i < len(names) for i in coarse):
        raise DataError(f"{path} has coarse labels beyond 0 … {len(names) - 1}; it is not CIFAR-100. Fetch it again.")
    ids = cifar.CIFAR100.class_ids
    known = {**{str(i): name for i, name in enumerate(ids)}, **{name: name for name in ids}}
    if len(listing.class_ids) == len(ids):  # the hub's names, which may be spelt in another way, in the same order
        known |= dict(zip(listing.class_ids, ids, strict=True))
    strange = sorted({label for label in listing.labels if label is not None and label not in known})
    if strange:
        raise DataError(f"{path} has the label {strange[0]!r}, which is none of CIFAR-100's classes. Fetch it again.")
    labels = [None if label is None else known[label] for label in listing.labels]
    is_official = cifar.CIFAR100.describes(listing.splits, labels)
    return replace(
        listing, labels=labels, class_ids=ids, policy="official", columns={"labels": coarse_entries(coarse)},
        spaces={"coarse": Classes(names, names, "official")}, dataset=cifar.CIFAR100.name if is_official else None,
    )  # fmt: skip


FORMAT = Format(name="CIFAR-100 Parquet", is_at=is_at, read=read, has_columns=True)


def _schema(file: Path) -> list[str]:
    try:
        return list(pq.read_schema(file).names)
    except (OSError, ValueError):
        return []
