"""Orders in which other software is known to number the same classes."""

from __future__ import annotations

import re

import numpy as np

from sightline.catalog.label_data import IMAGENET_1K, devkit_order, listed
from sightline.samples import Classes

Order = np.ndarray[tuple[int], np.dtype[np.int64]]


def known_orders(classes: Classes) -> dict[str, Order]:
    """Name of an order → the class id that output j would mean, if a model's outputs were in that order.

    Only orders that differ from the classes' own. They are the usual mistakes: ids sorted as text or by number, the
    development kit's numbers of ImageNet-1k, names sorted, and a background class counted or not.
    """
    ids, n = classes.ids, len(classes)
    orders = {
        "ids sorted as text (0, 1, 10, 100, …)": sorted(range(n), key=lambda i: ids[i].encode()),
        "ids sorted as people sort (2 before 10)": sorted(range(n), key=lambda i: _natural(ids[i])),
        "names sorted": sorted(range(n), key=lambda i: (classes.names[i].lower(), i)),
        "numbers one too low (a background class was taken away)": [*range(1, n), 0],
        "numbers one too high (a background class was counted)": [n - 1, *range(n - 1)],
    }
    if n == len(listed(IMAGENET_1K)) and set(ids) in ({*listed(IMAGENET_1K)}, {*map(str, range(n))}):
        # Numbered folders stand for the sorted wnids.
        wnids = [listed(IMAGENET_1K)[int(i)] for i in ids] if ids[0].isdigit() else list(ids)
        index = {wnid: i for i, wnid in enumerate(wnids)}
        orders["the ILSVRC development kit's numbers"] = [index[w] for w in devkit_order()]
        orders["wnids sorted"] = [index[w] for w in listed(IMAGENET_1K)]
    own = list(range(n))
    return {name: np.array(order, np.int64) for name, order in orders.items() if order != own}


def _natural(text: str) -> list[tuple[int, str]]:
    """Key that sorts runs of digits by their number."""
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split(r"(\d+)", text)]
