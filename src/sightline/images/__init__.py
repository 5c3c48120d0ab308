"""Bytes to pixels: the only place where pixels are born. Needs numpy, Pillow and simplejpeg; never torch."""

from sightline.images.decoding import MAX_PIXELS, Header, Pixels, decode, pixels_of_pillow, sniff
from sightline.images.reading import PACKAGE, ImageReader, pixel_box, resolve_root

__all__ = [
    "MAX_PIXELS", "PACKAGE", "Header", "ImageReader", "Pixels", "decode", "pixel_box", "pixels_of_pillow",
    "resolve_root", "sniff",
]  # fmt: skip
