"""Sightline's Loader over a table of ImageNet's length whose rows all show one small image."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

import sightline as sl
from benchmarks.jobs import ORDER, ORDER_RANKS
from sightline.augmentation import none
from sightline.loading import Loader  # torch comes with it: its memory is not the loader's


def setup(folder: Path, work: Path, *, job: str, count: int) -> Callable[[], Iterator[Any]]:
    """The batches of rank 0; the table is made here, the Loader at the first call."""
    samples = table(work, count)
    # What making the table took would hide what the loader takes.
    pa.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)
    contract = sl.Preprocessing(
        size=(ORDER.size, ORDER.size), mean=ORDER.mean, std=ORDER.std, resize="none", crop="none"
    )
    made: list[Loader] = []
    counter = iter(range(1 << 30))

    def epoch() -> Iterator[Any]:
        if not made:
            made.append(
                Loader(
                    samples, preprocessing=contract, augmentation=none(), batch_size=ORDER.batch_size, cache_bytes=0,
                    rank=0, world_size=ORDER_RANKS,
                )
            )  # fmt: skip
        return ((b.images_bchw, b.labels_b) for b in made[0].epoch(next(counter)))

    return epoch


def table(work: Path, count: int) -> sl.SampleTable:
    """`count` rows with ids and keys of their own and the image of one file."""
    for name in ("a", "b"):
        (work / "two" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((ORDER.size, ORDER.size, 3), np.uint8)).save(work / "two" / name / "image.png")
    samples = sl.index(str(work / "two"))
    rows = samples.table.take(pa.array(np.zeros(count, np.int64)))
    ids = np.random.default_rng(0).bytes(16 * count)
    keys = pa.array([f"{i}.png" for i in range(count)])
    columns = {
        "sample_id": pa.array([ids[i : i + 16] for i in range(0, len(ids), 16)], pa.binary(16)), "key": keys,
        "group_id": keys, "ordinal": pa.array(np.arange(count)),
    }  # fmt: skip
    for name, values in columns.items():
        rows = rows.set_column(rows.schema.names.index(name), rows.schema.field(name), values)
    return replace(samples, table=rows)
