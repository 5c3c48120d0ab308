"""Whether predictions at chance level would be far better if the model's outputs stood in another known order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sightline.catalog.class_orders import known_orders
from sightline.metrics.estimates import wilson
from sightline.predictions import Predictions

Array = np.ndarray[tuple[int], np.dtype[np.int64]]

NEAR = 0.02
"""How much of the way from chance to perfect still counts as chance: a wrong order leaves a few classes in place."""

FAR = 0.1
"""How much of the way from chance to perfect another order must reach, with its interval, to be named."""


@dataclass(frozen=True, kw_only=True)
class MistakenOrder:
    """Another order of the classes under which predictions are far better than under the given one."""

    order: str
    """Name of the order that the outputs seem to have."""
    meant: tuple[int, ...]
    """Class id that output j then means."""
    top1: float
    """Top-1 of the predictions under it."""
    top1_as_given: float
    chance: float
    """Top-1 that predictions with these frequencies have when they know nothing of the images."""
    n: int

    def __str__(self) -> str:
        return (
            f"top-1 is {100 * self.top1_as_given:.1f} %, chance level, but {100 * self.top1:.1f} % if the model's "
            f"outputs are taken as {self.order} ({self.n:,} samples): the class order is probably wrong. Give the "
            "model the classes in its own order."
        )


def mistaken_order(predictions: Predictions, orders: Mapping[str, Array] | None = None) -> MistakenOrder | None:
    """The best other order if predictions are at chance level and far better under it, else None.

    `orders` maps names to the class id that output j means; the default is what is known of the predictions' classes.
    """
    rows = predictions.is_valid & (predictions.labels >= 0)
    labels, guessed = predictions.labels[rows], predictions.logits[rows].argmax(1)
    n, k = len(labels), len(predictions.classes)
    if n == 0 or k < 2:
        return None

    def right(order: Array) -> int:
        return int((order[guessed] == labels).sum())

    chance = float(np.bincount(labels, minlength=k) @ np.bincount(guessed, minlength=k)) / n**2
    given = right(np.arange(k))
    floor = max(chance, 1 / k)
    if wilson(given, n)[0] > floor + NEAR * (1 - floor):
        return None
    chosen = known_orders(predictions.classes) if orders is None else orders
    best, count = max(((name, right(o)) for name, o in chosen.items()), key=lambda found: found[1], default=("", 0))
    # Chance under another order differs where frequencies do; the most frequent class bounds it.
    ceiling = max(floor, float(np.bincount(labels).max()) / n)
    if wilson(count, n)[0] < ceiling + FAR * (1 - ceiling):
        return None
    return MistakenOrder(order=best, meant=tuple(chosen[best].tolist()), top1=count / n, top1_as_given=given / n,
                         chance=chance, n=n)  # fmt: skip
