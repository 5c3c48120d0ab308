"""A network's penultimate features of samples: what its classifier is given."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from sightline.distributed import World
from sightline.errors import ContractError, DataError
from sightline.inference.arithmetic import environment, exact_arithmetic
from sightline.inference.classifier import BATCH_PIXELS, Classifier
from sightline.loading import Loader
from sightline.models import head_of
from sightline.progress import progress
from sightline.samples import SampleTable

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Embedded:
    """Features of the samples that could be read."""

    ids: list[bytes]
    """Sample ids, in the order of the table."""
    values: Array
    """float32 (n, d)."""
    meta: Mapping[str, Any]
    """Digests of weights, preprocessing and of what the weights were fitted to, and the environment."""


def embed(classifier: Classifier, samples: SampleTable, *, batch_size: int | None = None) -> Embedded:
    """What the classifier's last layer is given for each sample; positions of a map are averaged.

    Samples that cannot be read have no row. Labels of the samples are not looked at. Raises ContractError for a network
    without a last layer that can be told apart, DataError when no sample can be read.
    """
    head = head_of(classifier.module)
    if head is None:
        raise ContractError("the network has no last linear layer, and names none by get_classifier(); its features "
                            "cannot be told from its answers.")
    size = batch_size or int(np.clip(BATCH_PIXELS // math.prod(classifier.preprocessing.size), 8, 512))
    pixels_alone = replace(classifier.preprocessing, classes=())
    loader = Loader(samples, preprocessing=pixels_alone, batch_size=size, shuffle=False)
    positions: list[int] = []
    rows: list[Array] = []
    classifier.module.eval()
    with exact_arithmetic(), _inputs_of(head) as given, progress("features", len(samples)) as advance:
        made = environment(classifier.device, World(), exact_resize=False)
        for batch in loader:
            if len(batch.positions):
                classifier.module(batch.images_bchw.to(classifier.device, non_blocking=True))
                rows.append(_flat(given.pop()))
                given.clear()
            positions += batch.positions.tolist()
            advance(len(batch.positions) + len(batch.unreadable))
    if not rows:
        raise DataError(f"No sample of {samples.name} can be read, so there are no features.")
    order = np.argsort(positions, kind="stable")
    ids = samples.column("sample_id")
    digests = {"samples": samples.digest, "preprocessing": classifier.preprocessing.digest, **classifier.digests}
    return Embedded([ids[positions[i]] for i in order.tolist()], np.concatenate(rows)[order],
                    {"digests": digests, "environment": made})  # fmt: skip


@contextmanager
def _inputs_of(head: nn.Module) -> Iterator[list[Tensor]]:
    """A list to which the layer's inputs are added while the block runs."""
    seen: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        yield seen
    finally:
        handle.remove()


def _flat(given: Tensor) -> Array:
    """Channels of images (b, c, h, w), or of tokens (b, n, c), averaged over positions; (b, d) as it is."""
    if given.ndim == 4:
        given = given.mean((2, 3))
    elif given.ndim == 3:
        given = given.mean(1)
    return np.asarray(given.float().cpu().numpy())
