"""A tiny set of images that a network can learn, and recipes that fit it in a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from sightline import augmentation
from sightline.recipes import Epochs, Model, Recipe, Sgd, WarmupCosine
from sightline.samples import Classes, SampleTable, sample_id_of, table_from_rows
from sightline.splits import Splits, split

NUM_CLASSES = 3
NUM_STEPS = 9  # 3 epochs of 3 batches of 16 out of 54


def stripes(folder: Path, n: int = 90, size: int = 8, unreadable: tuple[int, ...] = ()) -> SampleTable:
    """Noisy grey images of horizontal, vertical or diagonal stripes, stored raw in one file."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    patterns = [(y // 2) % 2, (x // 2) % 2, ((x + y) // 2) % 2]
    labels = np.arange(n) % NUM_CLASSES
    pixels = np.stack([(patterns[k] * 120 + rng.integers(0, 120, (size, size))).astype(np.uint8) for k in labels])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "images.bin").write_bytes(pixels.tobytes())
    rows = [
        {
            "sample_id": sample_id_of("", f"{i:04d}"), "key": f"{i:04d}", "dataset": "", "group_id": f"{i:04d}",
            "label": int(labels[i]), "status": "ok",
            "image": {
                "root": "data", "path": "images.bin", "container": "idx", "codec": "raw", "layout": f"u1:{size},{size}",
                "offset": i * size * size if i not in unreadable else 10**9, "length": size * size,
                "width": size, "height": size, "mode": "L", "bits": 8,
            },
        }
        for i in range(n)
    ]  # fmt: skip
    names = ("across", "down", "slanted")
    return SampleTable(table_from_rows(rows), Classes(names, names), "stripes", {"data": str(folder)})


def divided(samples: SampleTable, val: float | None = 0.2) -> Splits:
    return split(samples, val=val, test=0.2, seed=0)


def recipe(**changes: object) -> Recipe:
    """Two epochs of a small network on 8 px, with shifts and dropout; batches of 16 do not divide the train split."""
    small = Recipe(
        name="tests.stripes", model=Model(name="small_cnn", options={"width": 8}), size=(8, 8),
        augmentation=augmentation.small((8, 8), padding=1, flip=False), optimizer=Sgd(lr=0.05, nesterov=True),
        schedule=WarmupCosine(warmup=Epochs(0.5)), duration=Epochs(3), batch_size=16, seed=1,
    )  # fmt: skip
    return replace(small, **changes)  # type: ignore[arg-type]
