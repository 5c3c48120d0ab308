"""The cards and layouts of ImageNet and of what was made after it."""

from sightline.catalog import imagenet, imagenet_archives, imagenet_folders
from sightline.formats import Format

CARDS = (imagenet.IMAGENETTE, imagenet.IMAGENET_1K)

LAYOUTS: tuple[Format, ...] = (imagenet_archives.FORMAT, imagenet_folders.FORMAT)
"""The others lie in layouts that are not theirs alone; see `published`."""
