"""Loaders over small arrays and photographs, and digests of what they give."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from sightline import augmentation
from sightline.augmentation import (
    Augmentation,
    PadCrop,
    RandomAffine,
    RandomHorizontalFlip,
)
from sightline.loading import Batch
from sightline.preprocessing import Preprocessing
from sightline.samples import SampleTable, table_from_rows
from tests.conftest import save_photo
from tests.loading.tables import table_of_files

N = 50
TINY = Preprocessing(size=(12, 10), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), resize_to=10)
PHOTO = Preprocessing(size=(24, 20), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), resize_to=26, interpolation="bicubic")
SHIFT = Augmentation(transforms=(PadCrop(padding=2), RandomHorizontalFlip()))
CASES: dict[str, tuple[str, Augmentation]] = {
    "tiny, none": ("arrays", augmentation.none()),
    "tiny, shifted": ("arrays", SHIFT),
    "tiny, turned": ("arrays", Augmentation(transforms=(RandomAffine(), PadCrop(padding=1)))),
    "photographs": ("files", augmentation.photograph(24, jitter=0.3)),
    "photographs, framed": ("files", SHIFT),
}


def bytes_of(batches: Iterable[Batch]) -> list[str]:
    """A digest of everything in each batch."""
    parts = [(b.images_bchw.permute(0, 2, 3, 1).contiguous().numpy(), b.labels_b.numpy(), b.positions) for b in batches]
    return [hashlib.sha256(b"".join(p.tobytes() for p in arrays)).hexdigest() for arrays in parts]


def by_sample(batches: Iterable[Batch]) -> dict[int, bytes]:
    return {
        int(p): image.permute(1, 2, 0).contiguous().numpy().tobytes() + int(label).to_bytes(2, "little", signed=True)
        for b in batches for p, image, label in zip(b.positions, b.images_bchw, b.labels_b, strict=True)
    }  # fmt: skip


def with_losses(folder: Path) -> SampleTable:
    """20 photographs: 3 and 4 vanish and 5 rots after indexing; 6 was unreadable then already."""
    for i in range(20):
        save_photo(folder / f"{i:02d}.jpg", i)
    rows = table_of_files(folder, [f"{i:02d}.jpg" for i in range(20)]).table.to_pylist()
    rows[6] |= {"status": "unreadable", "reason": "empty file (0 bytes)"}
    (folder / "03.jpg").unlink()
    (folder / "04.jpg").unlink()
    (folder / "05.jpg").write_bytes((folder / "05.jpg").read_bytes()[:200])
    made = table_of_files(folder, ["00.jpg"])
    return SampleTable(table_from_rows(rows), made.classes, "losses", made.roots)
