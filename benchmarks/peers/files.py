"""The photographs that every contender reads: one order, one labelling."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

NUM_SHARDS = 8


def labelled(folder: Path) -> list[tuple[Path, int]]:
    """Path and class id of each image in a folder of class folders, sorted as ImageFolder does."""
    classes = sorted(d for d in folder.iterdir() if d.is_dir())
    return [(path, label) for label, d in enumerate(classes) for path in sorted(d.iterdir())]


def mixed(folder: Path) -> list[tuple[Path, int]]:
    """The same in random order, always the same one: what is written for streaming should be shuffled before."""
    images = labelled(folder)
    return random.Random(0).sample(images, len(images))


def shards(folder: Path) -> Iterator[list[tuple[Path, int]]]:
    """`mixed`, cut into parts of nearly equal length."""
    images = mixed(folder)
    for i in range(NUM_SHARDS):
        yield images[i * len(images) // NUM_SHARDS : (i + 1) * len(images) // NUM_SHARDS]
