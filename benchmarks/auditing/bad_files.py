"""Files that break pipelines, made from healthy photographs: damaged, misnamed, unusual, and plainly bad."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

HEALTHY = 40
"""Photographs beside them, so that a usual size is known."""


def write_bad_files(folder: Path, photographs: Path) -> dict[str, set[str]]:
    """Write the files into two class folders; file name → kinds that the audit must tell, at the least."""
    paths = sorted(photographs.rglob("*.JPEG"))
    places = folder / "one", folder / "two"
    for place in places:
        place.mkdir(parents=True)
    for k, path in enumerate(paths[40 : 40 + HEALTHY]):
        (places[k % 2] / f"healthy{k:02d}.jpg").write_bytes(path.read_bytes())
    source = paths[3].read_bytes()
    photo = Image.open(io.BytesIO(source)).convert("RGB")
    wanted: dict[str, set[str]] = {}
    for k, (name, data, kinds) in enumerate((*_damaged(source), *_encoded(photo), *_looks(photo))):
        (places[k % 2] / name).write_bytes(data)
        wanted[name] = kinds
    return wanted


def _bytes(image: Image.Image, codec: str = "JPEG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, codec, **({"quality": 92} if codec == "JPEG" else {}) | options)
    return stream.getvalue()


def _damaged(source: bytes) -> list[tuple[str, bytes, set[str]]]:
    rotten = bytearray(source)
    rng = np.random.default_rng(0)
    for at in rng.integers(len(rotten) // 3, len(rotten) - 64, 40):
        rotten[at] = 0x5A
    other = Image.Exif()
    other[0x010F] = "Another"
    tagged = source[:2] + b"\xff\xe1" + (len(other.tobytes()) + 2).to_bytes(2, "big") + other.tobytes() + source[2:]
    return [
        ("truncated.jpg", source[: len(source) // 2], {"truncated"}),
        ("bit_rotted.jpg", bytes(rotten), {"damaged"}),
        ("zero_byte.jpg", b"", {"empty"}),
        ("page.jpg", b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>", {"html"}),
        ("text.png", b"this file holds words and nothing else\n", {"text"}),
        ("no_extension", source[:-2] + b"\xff\xd9", {"no-extension"}),
        ("copy.jpg", source, {"exact-duplicates"}),
        ("copy_other_metadata.jpg", tagged, {"exact-duplicates"}),
    ]


def _encoded(photo: Image.Image) -> list[tuple[str, bytes, set[str]]]:
    rgba = photo.convert("RGBA")
    rgba.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, photo.width, dtype=np.uint8), (photo.height, 1))))
    grey = photo.convert("L")
    frames = [photo.resize((200, 150)).rotate(5 * k) for k in range(5)]
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    return [
        ("png_named.jpg", _bytes(photo.resize((300, 240)), "PNG"), {"wrong-extension"}),
        ("named.txt", _bytes(photo.resize((320, 260))), {"wrong-extension"}),
        ("cmyk.jpg", _bytes(photo.convert("CMYK")), {"cmyk"}),
        ("alpha.png", _bytes(rgba, "PNG"), {"alpha"}),
        ("palette.png", _bytes(photo.convert("P"), "PNG"), {"palette"}),
        ("one_bit.png", _bytes(photo.convert("1"), "PNG"), {"one-bit"}),
        ("sixteen_bit.png", _bytes(deep, "PNG"), {"sixteen-bit"}),
        ("animated.gif", _bytes(frames[0], "GIF", save_all=True, append_images=frames[1:]), {"animated"}),
        ("pages.tif", _bytes(frames[0], "TIFF", save_all=True, append_images=frames[1:]), {"pages"}),
        ("exif_rotated.jpg", _bytes(photo, exif=exif), {"exif-rotated"}),
        ("grey_as_rgb.jpg", _bytes(grey.convert("RGB")), {"grey-as-colour"}),
    ]


def _looks(photo: Image.Image) -> list[tuple[str, bytes, set[str]]]:
    size = photo.size
    boxed = Image.new("RGB", (size[0], size[1] + 160))
    boxed.paste(photo, (0, 80))
    return [
        ("white.jpg", _bytes(Image.new("RGB", size, (255, 255, 255))), {"blank"}),
        ("grey.png", _bytes(Image.new("RGB", size, (127, 127, 127)), "PNG"), {"blank"}),
        ("dark.jpg", _bytes(photo.point(lambda v: v * 0.12)), {"dark"}),
        ("light.jpg", _bytes(photo.point(lambda v: 230 + v * 0.1)), {"light"}),
        ("blurred_3.jpg", _bytes(photo.filter(ImageFilter.GaussianBlur(3))), {"blurred"}),
        ("blurred_8.jpg", _bytes(photo.filter(ImageFilter.GaussianBlur(8))), {"blurred"}),
        ("quality_5.jpg", _bytes(photo, quality=5), {"coarse"}),
        ("letterboxed.jpg", _bytes(boxed), {"letterboxed"}),
        ("aspect.jpg", _bytes(photo.resize((1200, 100))), {"elongated"}),
        ("tiny.png", _bytes(photo.resize((16, 16)), "PNG"), {"small"}),
        ("huge.jpg", _bytes(photo.resize((6000, 4500)), quality=80), {"large"}),
    ]
