"""How images come to one shape: as the contract frames them, or as leading Resize and CenterCrop say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.augmentation import Augmentation, Resize
from sightline.errors import ContractError
from sightline.loading.resizing import framed, resized
from sightline.preprocessing import Preprocessing

Array = npt.NDArray[Any]


def framing_of(contract: Preprocessing, augmentation: Augmentation, is_exact: bool) -> Callable[[Array], Array]:
    """A function from levels at native size to levels of the contract's size; `is_exact`: by Pillow.

    Raises ContractError where the augmentation's own framing leaves another size.
    """
    if not augmentation.framing:
        return contract.framed if is_exact else lambda levels: framed(levels, contract)
    if augmentation.framed_size != contract.size:
        raise ContractError(
            f"augmentation: Resize and CenterCrop leave images of {augmentation.framed_size}, and {contract.size} are "
            "to be fed. Give the last of them that size, or leave them out: the contract resizes and crops."
        )
    steps = [_step(t, contract, is_exact) for t in augmentation.framing]

    def apply(levels: Array) -> Array:
        for step in steps:
            levels = step(levels)
        return levels

    return apply


def _step(transform: Any, contract: Preprocessing, is_exact: bool) -> Callable[[Array], Array]:
    if is_exact or not isinstance(transform, Resize):
        nothing = np.empty(0)
        return lambda levels: transform.apply(levels, nothing)
    way = replace(contract, interpolation=transform.interpolation, antialias=True)
    return lambda levels: resized(levels, *transform.shape(*levels.shape[:2]), way)
