"""Which class of one label space is which of another: numberings of ImageNet-1k, the lists of 21k, A and R."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.catalog.label_data import IMAGENET_1K, devkit_order, listed
from sightline.errors import DataError, did_you_mean

BACKGROUND = "background"
"""Id of class 0 where the 1,000 classes count from 1 (labels of TFRecords, models with 1,001 outputs)."""

_LISTS = {
    "imagenet-1k": IMAGENET_1K,
    "imagenet-12k": "imagenet_12k",
    "imagenet-21k/fall11": "imagenet_21k_fall11",
    "imagenet-21k/google": "imagenet_21k_google",
    "imagenet-21k/miil-fall11": "imagenet_21k_miil_fall11",
    "imagenet-21k/miil-winter21": "imagenet_21k_miil_winter21",
    "imagenet-a": "imagenet_a",
    "imagenet-r": "imagenet_r",
    "ilsvrc-vid": "ilsvrc_vid",
}

SPACES = (*_LISTS, "imagenet-1k/devkit", "imagenet-1k/background", "imagenet-21k/microsoft")
"""Label spaces that `label_space` knows. The number of classes alone does not tell which one a model has."""


@dataclass(frozen=True, kw_only=True)
class LabelMap:
    """Which classes of the target each class of the source corresponds to."""

    source: str
    target: str
    targets: tuple[tuple[int, ...], ...]
    """For each class id of the source the class ids of the target; () = it has none there."""
    num_targets: int
    """Classes of the target."""

    def inverted(self) -> LabelMap:
        """The map in the other direction."""
        back: list[list[int]] = [[] for _ in range(self.num_targets)]
        for i, found in enumerate(self.targets):
            for j in found:
                back[j].append(i)
        return LabelMap(source=self.target, target=self.source, targets=tuple(map(tuple, back)),
                        num_targets=len(self.targets))  # fmt: skip

    def single(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Target id of each source id, -1 = none. Raises DataError where a class has several targets."""
        several = [i for i, found in enumerate(self.targets) if len(found) > 1]
        if several:
            raise DataError(
                f"{len(several)} classes of {self.source} have several counterparts in {self.target} (class "
                f"{several[0]} has {self.targets[several[0]]}). Count any of them as right, by `targets`."
            )
        return np.array([found[0] if found else -1 for found in self.targets], np.int64)

    def __repr__(self) -> str:
        mapped = sum(bool(found) for found in self.targets)
        return f"{self.source} → {self.target}: {mapped:,} of {len(self.targets):,} classes, to {self.num_targets:,}"


def label_space(name: str) -> tuple[str, ...]:
    """Native ids (wnids) of a label space, in the order of its class ids. Raises DataError for an unknown name.

    `imagenet-1k/devkit` begins with what the development kit calls 1; `imagenet-1k/background` has `background` as 0.
    """
    if name in _LISTS:
        return listed(_LISTS[name])
    if name == "imagenet-1k/devkit":
        return devkit_order()
    if name == "imagenet-1k/background":
        return (BACKGROUND, *listed(IMAGENET_1K))
    if name == "imagenet-21k/microsoft":
        first = listed(IMAGENET_1K)
        taken = set(first)
        return (*first, *(w for w in listed("imagenet_21k_fall11") if w not in taken))
    raise DataError(f"There is no label space {name!r}.{did_you_mean(name, SPACES)}")


def label_map(source: str, target: str) -> LabelMap:
    """Which class of `target` each class of `source` is, by wnid. Raises DataError for an unknown space."""
    return map_by_id(source, label_space(source), target, label_space(target))


def map_by_id(source: str, source_ids: Sequence[str], target: str, target_ids: Sequence[str]) -> LabelMap:
    """The map between two spaces that use the same native ids."""
    index = {native: i for i, native in enumerate(target_ids)}
    targets = tuple((index[native],) if native in index else () for native in source_ids)
    return LabelMap(source=source, target=target, targets=targets, num_targets=len(target_ids))
