"""Tables that ship with the package: WordNet's nouns behind the ImageNet family, its label lists, its val labels.

`scripts/derive_label_data.py` makes them; the licences of what they come from lie beside them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

DATA = Path(__file__).parent / "data"

IMAGENET_1K = "imagenet_1k"
"""The list of the 1,000 classes, as `listed` calls it."""


@cache
def listed(name: str) -> tuple[str, ...]:
    """wnids of a label list (a column of synsets.parquet), in byte order."""
    table = pq.read_table(DATA / "synsets.parquet", columns=["wnid", name])
    return tuple(table.filter(table[name])["wnid"].to_pylist())


@cache
def devkit_order() -> tuple[str, ...]:
    """The 1,000 wnids as the development kit of ILSVRC 2012 numbers them; its id 1 comes first."""
    table = pq.read_table(DATA / "synsets.parquet", columns=["wnid", "devkit_id"])
    rows = table.filter(pc.is_valid(table["devkit_id"])).sort_by("devkit_id")
    return tuple(rows["wnid"].to_pylist())


@cache
def val_labels() -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Class of each of the 50,000 val images in the order of their names, as position among the sorted wnids."""
    column = pq.read_table(DATA / "imagenet_1k_val.parquet", columns=["label"])["label"]
    return np.asarray(column.combine_chunks().to_numpy())


@cache
def real_labels() -> tuple[tuple[int, ...], ...]:
    """What raters later found in each of the 50,000 val images (Beyer et al. 2020); () where they agreed on nothing."""
    column = pq.read_table(DATA / "imagenet_1k_val.parquet", columns=["real"])["real"]
    return tuple(tuple(v) for v in column.to_pylist())
