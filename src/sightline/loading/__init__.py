"""From samples to batches of tensors: order, pixels, augmentation, normalization. torch begins here."""

from sightline.loading import adapters
from sightline.loading.batch import Batch
from sightline.loading.loader import Loader

__all__ = ["Batch", "Loader", "adapters"]
