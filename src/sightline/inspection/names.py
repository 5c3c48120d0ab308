"""What a sample table tells of its files before any is opened: the names they have, and what lies together in one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.images.containers import ARCHIVES
from sightline.samples import SampleTable


@dataclass(frozen=True, eq=False, kw_only=True)
class Told:
    """One entry for each sample."""

    suffixes: list[str]
    """".jpg" of `cat/1.JPG`, "" of a name without one."""
    frames: np.ndarray[Any, Any] | None
    """Samples that are frames or pages of the same file, int32; None where the table has no frames."""


def told_of(samples: SampleTable) -> Told:
    """Names and frames of all samples."""
    image = samples.table["image"].combine_chunks()
    paths = image.field("path").to_pylist()
    places = zip(image.field("container").cast(pa.string()).to_pylist(), paths, image.field("member").to_pylist(),
                 samples.column("key"), strict=True)  # fmt: skip
    suffixes = [suffix_of((path if box == "file" else member if box in ARCHIVES else None) or key)
                for box, path, member, key in places]  # fmt: skip
    if image.field("frame").null_count == len(image):
        return Told(suffixes=suffixes, frames=None)
    pages = list(zip(image.field("root").to_pylist(), paths, image.field("frame").to_pylist(), strict=True))
    count = Counter((root, path) for root, path, frame in pages if frame is not None)
    frames = [count[root, path] if frame is not None else 0 for root, path, frame in pages]
    return Told(suffixes=suffixes, frames=np.array(frames, np.int32))


def suffix_of(name: str) -> str:
    """The last suffix of a file's name in small letters, with its dot; "" for a name without one."""
    name = name.rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem and suffix and len(suffix) <= 8 else ""
