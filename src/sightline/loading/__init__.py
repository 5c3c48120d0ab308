"""From samples to batches of tensors: order, pixels, augmentation, normalization. torch begins here."""

from sightline.loading import adapters
from sightline.loading.batch import Batch
from sightline.loading.loader import Loader, State
from sightline.loading.stages import Stages

__all__ = ["Batch", "Loader", "Stages", "State", "adapters"]
