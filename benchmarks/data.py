"""The images of a run: photographs laid out once for all contenders, CIFAR-10's arrays, levels compared."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.peers.files import labelled
from benchmarks.records import Levels


def photographs(source: Path, out: Path, count: int, copies: int) -> Path:
    """A folder of class folders with `copies` of the first `count` images of `source`, in steps over its classes.

    Copies make an epoch long enough for its start not to count, as it does not with a million images; with all of it in
    the page cache, a copy costs what another image would.
    """
    images = labelled(source)
    if not images:
        raise ValueError(f"{source} holds no class folders with images; give --photographs a folder of class folders.")
    chosen = images[:: max(len(images) // count, 1)][:count]
    place = out / f"photographs-{len(chosen)}x{copies}"
    done = place.with_suffix(".done")
    if not done.exists() or done.read_text() != str(source):
        shutil.rmtree(place, ignore_errors=True)
        for path, _ in chosen:
            folder = place / path.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            for copy in range(copies):
                shutil.copyfile(path, folder / f"{path.stem}-{copy}{path.suffix}")
        done.write_text(str(source))
    for path, _ in labelled(place):
        path.read_bytes()  # into the page cache
    return place


def cifar10(source: Path, out: Path, count: int) -> Path:
    """A folder with the first `count` training images as arrays (cifar10.npz) and the source's path (source.txt)."""
    place = out / f"cifar10-{count}"
    if not (place / "source.txt").exists():
        place.mkdir(parents=True, exist_ok=True)
        [file] = sorted(source.rglob("train-*.parquet"))
        table = pq.read_table(file).slice(0, count)
        column = next(n for n in ("img", "image") if n in table.column_names)
        images = [np.asarray(Image.open(io.BytesIO(row["bytes"])).convert("RGB")) for row in table[column].to_pylist()]
        np.savez(place / "cifar10.npz", images=np.stack(images), labels=np.asarray(table["label"], np.int64))
        (place / "source.txt").write_text(str(source))
    return place


def compared(levels: Path, reference: Path, copies: int) -> Levels:
    """How far the pixels in one file are from those in another, of one in `copies` neighbours, which are alike.

    Raises ValueError where the labels differ.
    """
    with np.load(levels) as a, np.load(reference) as b:
        if not np.array_equal(a["labels"], b["labels"]):
            raise ValueError("the evaluated labels differ from the reference's: another order, or images are missing")
        pairs = zip(a["images"][::copies], b["images"][::copies], strict=True)
        differences = [np.abs(x.astype(np.int16) - y) for x, y in pairs]
    return Levels(
        highest=int(max(d.max() for d in differences)), mean=float(np.mean([d.mean() for d in differences])),
        identical=sum(not d.any() for d in differences), images=len(differences),
    )  # fmt: skip
