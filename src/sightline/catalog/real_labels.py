"""ReaL: what raters later saw in the val images of ImageNet-1k, as further labels beside the original ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from sightline.catalog.imagenet_names import DATASET
from sightline.catalog.label_data import IMAGENET_1K, listed, real_labels
from sightline.errors import DataError
from sightline.samples import SCHEMA, SampleTable

SOURCE = "real"


def with_real_labels(samples: SampleTable) -> SampleTable:
    """The samples with the reassessed labels in the column `labels`, source "real"; `label` stays as it is.

    Every val image gets an entry for each class that it shows. Where raters agreed on nothing the original label gets
    an entry with state 0, not said: such images are left out of ReaL accuracy. Raises DataError without val images.
    """
    keys, datasets = samples.column("key"), samples.column("dataset")
    numbers = [int(k[-13:-5]) if d == DATASET and k.startswith("val/") else None
               for k, d in zip(keys, datasets, strict=True)]  # fmt: skip
    if not any(numbers):
        raise DataError(
            f"{samples.name} has no val images of ImageNet-1k, and ReaL's labels are for those alone. Index "
            "ImageNet-1k itself; copies under other names do not tell which image is which."
        )
    index = samples.classes.index
    ids = [index.get(wnid) for wnid in listed(IMAGENET_1K)]
    found, labels = real_labels(), samples.column("label")
    entries = [None if v is None else [e for e in v if e["source"] != SOURCE] for v in samples.column("labels")]
    for i, number in enumerate(numbers):
        if number is not None:
            shown = [c for j in found[number - 1] if (c := ids[j]) is not None]
            told = [_entry(c, 1) for c in shown] if found[number - 1] else [_entry(labels[i], 0)]
            entries[i] = (entries[i] or []) + told
    at = SCHEMA.get_field_index("labels")
    column = pa.array(entries, SCHEMA.field(at).type)
    return replace(samples, table=samples.table.set_column(at, SCHEMA.field(at), column))


def _entry(class_id: int, state: int) -> dict[str, Any]:
    return {"space": "", "id": class_id, "state": state, "score": None, "source": SOURCE}
