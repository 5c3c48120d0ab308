"""Edits that people make to a photograph before they publish it again."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """The picture after JPEG of this quality."""
    memory = io.BytesIO()
    picture.save(memory, "JPEG", quality=quality)
    return Image.open(io.BytesIO(memory.getvalue())).convert("RGB")


def crop(picture: Image.Image, share: float, rng: np.random.Generator | None) -> Image.Image:
    """A part with `share` of both sides: the middle, or a random one."""
    width, height = round(picture.width * share), round(picture.height * share)
    free = picture.width - width, picture.height - height
    left, top = (f // 2 for f in free) if rng is None else (int(rng.integers(0, f + 1)) for f in free)
    return picture.crop((left, top, left + width, top + height))


def turn(picture: Image.Image, degrees: float) -> Image.Image:
    """The picture turned, less what lies outside: the largest part of its own shape that is covered."""
    turned = picture.rotate(degrees, Image.Resampling.BICUBIC)
    sine, cosine = abs(np.sin(np.radians(degrees))), abs(np.cos(np.radians(degrees)))
    ratio = max(picture.size) / min(picture.size)
    return crop(turned, 1 / (cosine + ratio * sine), None)


def text_bar(picture: Image.Image) -> Image.Image:
    """A dark bar with text over the lowest 18 %."""
    edited = picture.copy()
    draw, top = ImageDraw.Draw(edited), round(picture.height * 0.82)
    draw.rectangle((0, top, picture.width, picture.height), fill=(20, 20, 20))
    for line in range(3):
        draw.text((8, top + 4 + 14 * line), "breaking news: a caption over the picture " * 3, fill=(240, 240, 240))
    return edited


def combined(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A random part of 85 %, mirrored, brighter, JPEG 60."""
    return jpeg(ImageEnhance.Brightness(ImageOps.mirror(crop(picture, 0.85, rng))).enhance(1.3), 60)


EDITS: dict[str, Edit] = {
    "resize 50 %": lambda p, _: p.resize((max(1, p.width // 2), max(1, p.height // 2)), Image.Resampling.BICUBIC),
    "JPEG 50": lambda p, _: jpeg(p, 50),
    "JPEG 10": lambda p, _: jpeg(p, 10),
    "squash to 224 × 224": lambda p, _: p.resize((224, 224), Image.Resampling.BICUBIC),
    "flip": lambda p, _: ImageOps.mirror(p),
    "greyscale": lambda p, _: ImageOps.grayscale(p).convert("RGB"),
    "brightness × 1.5": lambda p, _: ImageEnhance.Brightness(p).enhance(1.5),
    "brightness × 0.5": lambda p, _: ImageEnhance.Brightness(p).enhance(0.5),
    "channels exchanged": lambda p, _: Image.merge("RGB", [p.split()[c] for c in (1, 2, 0)]),
    "text bar": lambda p, _: text_bar(p),
    "crop 80 %, centre": lambda p, _: crop(p, 0.8, None),
    "crop 80 %, random": lambda p, rng: crop(p, 0.8, rng),
    "crop 60 %, random": lambda p, rng: crop(p, 0.6, rng),
    "rotation 5°": lambda p, _: turn(p, 5),
    "rotation −8°": lambda p, _: turn(p, -8),
    "crop 85 % + flip + brightness × 1.3 + JPEG 60": combined,
}
"""By name; each takes a picture and a generator, whose draws are those of one picture and one edit."""
