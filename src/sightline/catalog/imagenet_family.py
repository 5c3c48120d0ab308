"""The cards and layouts of ImageNet and of what was made after it."""

from sightline.catalog import (
    ilsvrc_cards,
    ilsvrc_detection,
    ilsvrc_video,
    imagenet,
    imagenet_archives,
    imagenet_downsampled,
    imagenet_folders,
    imagenet_tests,
    objectnet,
    tiny_imagenet,
)
from sightline.formats import Format

CARDS = (
    imagenet.IMAGENETTE, imagenet.IMAGENET_1K, imagenet.IMAGENET_21K, imagenet.TINY_IMAGENET, imagenet.DOWNSAMPLED,
    imagenet_tests.IMAGENET_V2, imagenet_tests.IMAGENET_A, imagenet_tests.IMAGENET_R, imagenet_tests.IMAGENET_SKETCH,
    imagenet_tests.IMAGENET_C, imagenet_tests.OBJECTNET, imagenet_tests.REAL,
    ilsvrc_cards.ILSVRC_DET, ilsvrc_cards.ILSVRC_VID,
)  # fmt: skip

LAYOUTS: tuple[Format, ...] = (
    imagenet_archives.FORMAT, imagenet_folders.FORMAT, tiny_imagenet.FORMAT, objectnet.FORMAT,
    ilsvrc_detection.FORMAT, ilsvrc_video.FORMAT, imagenet_downsampled.FORMAT,
)  # fmt: skip
"""The others lie in layouts that are not theirs alone; see `published`."""
