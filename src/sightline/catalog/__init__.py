"""Cards of published datasets, and the verb `datasets`."""

from __future__ import annotations

from typing import overload

from sightline.catalog import (
    ade20k,
    ade20k_card,
    ade20k_full,
    cifar,
    cifar_arrays,
    cifar_batches,
    cifar_parquet,
    coco,
    coco_card,
    digits,
    emotic,
    emotic_card,
    imagenet_family,
    laion,
    laion_card,
    mnist,
    vqa,
)
from sightline.catalog.card import Card, Figure, PublishedFile, PublishedStatistics
from sightline.catalog.fetching import Fetched, fetch
from sightline.errors import DataError, did_you_mean
from sightline.formats import Format, Listing

CATALOG: tuple[Card, ...] = (
    digits.DIGITS, mnist.MNIST, mnist.QMNIST, mnist.FASHION_MNIST, *imagenet_family.CARDS,
    cifar.CIFAR10, cifar.CIFAR100, cifar.CIFAR10_1, cifar.CIFAR10_C,
    coco_card.COCO, ade20k_card.ADE20K, ade20k_card.ADE20K_FULL, emotic_card.EMOTIC, vqa.VQA,
    laion_card.LAION_400M, laion_card.RE_LAION_5B,
)  # fmt: skip

LAYOUTS: tuple[Format, ...] = (
    cifar_batches.FORMAT, cifar_parquet.FORMAT, cifar_arrays.VERSIONS, cifar_arrays.CORRUPTED,
    vqa.FORMAT, emotic.FORMAT, coco.FORMAT, ade20k.FORMAT, ade20k_full.FORMAT,
    laion.FORMAT,
    *imagenet_family.LAYOUTS,
)  # fmt: skip
"""Layouts that one dataset alone has, tried before the general ones: its own files say more than folders do."""

__all__ = ["CATALOG", "LAYOUTS", "Card", "Fetched", "Figure", "PublishedFile", "PublishedStatistics", "datasets",
           "fetch", "recognise"]  # fmt: skip


@overload
def datasets() -> tuple[Card, ...]: ...
@overload
def datasets(name: str) -> Card: ...
def datasets(name: str | None = None) -> Card | tuple[Card, ...]:
    """The cards of all datasets, or of one. Raises DataError for a name that is not in the catalog."""
    if name is None:
        return CATALOG
    for card in CATALOG:
        if card.name == name:
            return card
    raise DataError(f"The catalog has no dataset {name!r}.{did_you_mean(name, [c.name for c in CATALOG])}")


def recognise(listing: Listing) -> Card | None:
    """The card of a listing, known by its content: sizes and first labels of an array, class ids of a folder tree."""
    return next((card for card in CATALOG if _is(card, listing)), None)


def _is(card: Card, listing: Listing) -> bool:
    if listing.layout == "class folders":
        # Ten folders called 0 … 9 may be anything; folders called otherwise alike are no accident.
        is_telling = bool(card.class_ids) and not all(i.isdigit() for i in card.class_ids)
        return is_telling and set(card.class_ids) == set(listing.class_ids)
    if card is digits.DIGITS:
        return listing.layout == "scikit-learn's digits"
    return card.describes(listing.splits, listing.labels)
