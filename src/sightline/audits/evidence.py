"""What a check may look at: samples after the first full read, their pictures, and the split each is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from sightline.audits.edits import Trial
from sightline.features import random_patch_features
from sightline.inspection import Inspection, inspect
from sightline.predictions import Predictions
from sightline.preprocessing import Preprocessing
from sightline.samples import SampleTable
from sightline.similarity import NearPairs
from sightline.splits import Splits
from sightline.splits.labelling import labelling

Array = np.ndarray[Any, Any]

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Evidence:
    """Samples and their splits, in table order."""

    samples: SampleTable
    splits: Splits | None
    """None: the official splits of the source are looked at."""
    inspected: Inspection | Callable[[], Inspection] | None = None
    """What a look at the images found, or what gives it when a check asks for it."""
    embeddings: Array | None = None
    """A person's own features of the samples, float32 [n, d] in table order."""
    predictions: Predictions | None = None
    """A run's own predictions of samples that it was not fitted to; never of test."""
    contracts: Mapping[str, Preprocessing] = field(default_factory=dict)
    """Preprocessing contracts whose normalization is compared with the splits' statistics, by what to call them."""
    trial: Trial | None = None
    """A trained model that answers edited images of val."""

    @cached_property
    def inspection(self) -> Inspection:
        """A row of facts and a thumbnail for each image; looks at the images when nobody has. Needs the extra audit."""
        found = self.inspected if self.inspected is not None else inspect(self.samples)
        return found() if callable(found) else found

    @cached_property
    def near_pairs(self) -> NearPairs:
        """Pairs of images that show the same photograph, within and across the splits."""
        from sightline.similarity.search import near_pairs

        return near_pairs(self.inspection)

    def take(self, which: Array) -> Evidence:
        """The evidence on some of the samples, by a boolean mask or positions."""
        return replace(
            self, samples=self.samples.take(which), inspected=lambda: self.inspection.take(which),
            embeddings=None if self.embeddings is None else self.embeddings[which],
        )  # fmt: skip

    @cached_property
    def features(self) -> Array:
        """The embeddings where there are any, else random-patch features of the thumbnails: [n, d], table order.

        Rows of samples without `has_features` mean nothing.
        """
        if self.embeddings is not None:
            return self.embeddings
        return random_patch_features(self.inspection, self.inspection.is_seen)

    @cached_property
    def has_features(self) -> Array:
        """Boolean per row: the embeddings name the sample, or its image was seen."""
        return self.inspection.is_seen if self.embeddings is None else np.asarray(np.isfinite(self.embeddings).all(1))

    @cached_property
    def assigned(self) -> Array:
        """Name of the split of each sample, an object array; None for a sample in none."""
        if self.splits is None:
            return np.array([s if s in SPLITS else None for s in self.samples.column("split")], object)
        # The splits may be of more samples: dropped ones are no evidence.
        of = dict(zip(*(self.splits.table[name].to_pylist() for name in ("sample_id", "split")), strict=True))
        return np.array([of.get(i) for i in self.ids], object)

    @cached_property
    def ids(self) -> list[bytes]:
        """Sample ids."""
        return self.samples.column("sample_id")

    @cached_property
    def keys(self) -> list[str]:
        """The source's own name of each sample."""
        return self.samples.column("key")

    @cached_property
    def labels(self) -> list[int | None]:
        """Class id of each sample; None where it has no label."""
        return self.samples.column("label")

    def class_name(self, i: int) -> str | None:
        """Class of sample number `i` for people, None where it has no label."""
        label = self.labels[i]
        return None if label is None else self.samples.classes.title(label)

    @cached_property
    def counts(self) -> dict[str, Array]:
        """Samples that show each class (int64) in each split that holds any; all in "all" where nothing is split."""
        is_split = any(n is not None for n in self.assigned)
        names = self.assigned if is_split else np.full(len(self.samples), "all", object)
        shown = labelling(self.samples)
        return {s: shown.counts(names == s) for s in (*SPLITS, "all") if (names == s).any()}
