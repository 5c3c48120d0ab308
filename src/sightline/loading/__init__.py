"""From samples to batches of tensors: order, pixels, augmentation, normalization. torch begins here."""

from sightline.loading.loader import Batch, Loader

__all__ = ["Batch", "Loader"]
