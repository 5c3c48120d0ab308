"""Features without a network: random patches, ridge regression with exact held-out answers, tables of embeddings.

What the audits ask of images beyond counting. Nothing here is trained with a gradient, nothing depends on the number
of threads, and every answer about a sample comes from a fit that has not seen it.
"""

from sightline.features.chances import Blend, blend, log_softmax
from sightline.features.design import Design
from sightline.features.embeddings import read_embeddings, write_embeddings
from sightline.features.handedness import best_design
from sightline.features.neighbours import Projection, nearest_of_class
from sightline.features.patches import Thumbnails, random_patch_features
from sightline.features.ridge import Ridge, chosen_ridge

__all__ = [
    "Blend", "Design", "Projection", "Ridge", "Thumbnails", "best_design", "blend", "chosen_ridge", "log_softmax",
    "nearest_of_class", "random_patch_features", "read_embeddings", "write_embeddings",
]  # fmt: skip
