"""Kinds of unusual image: how each is told from the rest, and what is said of it.

Where a threshold divides by degree it was set on 500 originals of ImageNet, of which all kinds together may call at
most 2 % odd, and on copies of them that were made odd on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sightline.audits.appearance import Appearance
from sightline.audits.evidence import Array
from sightline.images.containers import ARCHIVES

BLANK_STD = 0.012
"""Three levels of 255: more than an encoder leaves of one colour."""

BLANK_SPREAD = 0.04
"""From the first to the last hundredth of the pixels. One colour with noise stays below it; photographs darkened to 6 %
may deviate as little, but have a range of 15 levels."""

DARK_P99, LIGHT_P5 = 0.32, 0.75
"""The originals lie between 0.43 and 1, and between 0 and 0.63."""

BLURRED, SOFT = 0.3, 0.4
"""Sharpness. Of 500 originals of ImageNet none lies below 0.3 and six below 0.4; of 5,000 photographs of Imagenette 22
do, most of them enlarged. Copies of originals blurred by a Gaussian of 1.5 pixels lie below 0.28 but for one in twenty,
those blurred by 3 below 0.19; of copies moved by 7 pixels in any direction 66 of 100 lie below 0.3, by 15 pixels 90, by
25 pixels 94."""

HEAVY = 0.03

LOW_SHARE = 0.3
"""Of the entropy that is usual: of 500 originals of ImageNet the lowest has 0.45."""

COARSE_QUALITY, COARSE_BLOCKS = 15, 3.0

FLAT_BLOCKS = 0.018
"""None of 500 originals of ImageNet has flatter blocks, and two of 5,000 photographs of Imagenette do. Of 100 originals
saved as WebP 86 do at quality 0, 21 at 5, 7 at 20 and none from 50 on; as AVIF 72 at 0 and 30 at 10."""

ODD_SIZE, ODD_ASPECT = 5.0, 3.6
"""The originals lie between 1/4.3 and 3.7 of their median, and reach 3.4 to 1."""

BAR_SHARE, BAR_STEP = 0.05, 0.75
"""Of 125 originals of ImageNet put between black bars and saved as JPEG 94 % end in a larger step; of 5,000 photographs
of Imagenette 1 % do, nearly all of them boxed or framed, while things on a plain ground stay below it."""

GREY_CHROMA = 0.03
"""Eight levels: more than JPEG's chroma rounding leaves in a grey picture."""

CODECS = {
    ".jpg": "jpeg", ".jpeg": "jpeg", ".jpe": "jpeg", ".jfif": "jpeg", ".png": "png", ".gif": "gif", ".bmp": "bmp",
    ".tif": "tiff", ".tiff": "tiff", ".webp": "webp", ".jp2": "jp2", ".j2k": "jp2", ".ppm": "ppm", ".pgm": "ppm",
    ".pbm": "ppm", ".avif": "avif",
}  # fmt: skip
NAMES = {"jpeg": "JPEG", "png": "PNG", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF", "webp": "WebP", "jp2": "JPEG 2000",
         "ppm": "PPM", "avif": "AVIF"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way of being unusual."""

    name: str
    level: str
    """warning: worth a look before training; info: a fact that tools treat in different ways."""
    is_in: Callable[[Appearance], Array]
    """Boolean per row."""
    says: Callable[[Appearance, int], str]
    """What is said of row i."""
    score: float
    unless: tuple[str, ...] = ()
    """Kinds that say it better; they stand before this one."""
    usual: str = "info"
    """Level of the one finding that is left when much of the table is so."""


def _plainly(text: str) -> Callable[[Appearance, int], str]:
    return lambda seen, i: text


def _with_share(name: str, text: str) -> Callable[[Appearance, int], str]:
    return lambda seen, i: text.format(f"{100 * float(seen.column(name)[i]):.0f} %")


def _each(condition: Callable[[str, str], bool]) -> Callable[[Appearance], Array]:
    """Files, also of archives, whose suffix and codec meet a condition: what a table holds has no name tools go by."""

    def is_in(seen: Appearance) -> Array:
        rows = zip(seen.text("container"), seen.text("member"), seen.column("suffix"), seen.text("codec"), strict=True)
        return np.array([(box == "file" or (box in ARCHIVES and member is not None)) and codec in NAMES
                         and condition(suffix, codec) for box, member, suffix, codec in rows], bool)  # fmt: skip

    return is_in


def _in_mode(*modes: str) -> Callable[[Appearance], Array]:
    return lambda seen: np.isin(seen.text("mode").astype(str), modes)


def _has_frames(*beginnings: str) -> Callable[[Appearance], Array]:
    def is_in(seen: Appearance) -> Array:
        return (seen.column("num_frames") > 1) & np.isin(seen.column("begins_as").astype(str), beginnings)

    return is_in


def _complained(seen: Appearance) -> Array:
    """Of 100 originals with ten bytes changed, 78 are decoded with such a complaint, most often of bytes too many, and
    7 not at all; with one byte changed 25 and 1. The others decode to other pixels, which nothing in a JPEG tells."""
    return np.array([c is not None for c in seen.column("complaint")], bool)


def _is_lost(seen: Appearance) -> Array:
    is_named = np.array([c is not None for c in seen.text("container")], bool)
    return np.asarray(seen.evidence.samples.is_ok & ~seen.is_seen & is_named)


def _is_blank(seen: Appearance) -> Array:
    is_even = (seen.column("luminance_std") < BLANK_STD) & (seen.column("colour_std") < BLANK_STD)
    return np.asarray(is_even & (seen.column("luminance_p99") - seen.column("luminance_p1") < BLANK_SPREAD))


def _is_grey(seen: Appearance) -> Array:
    return np.asarray(seen.column("chroma_max") < GREY_CHROMA)


def _is_coarse(seen: Appearance) -> Array:
    is_blocky = (seen.column("jpeg_quality") <= COARSE_QUALITY) | (seen.column("blockiness") > COARSE_BLOCKS)
    return np.asarray(is_blocky | (seen.column("flatness") > FLAT_BLOCKS))


def _coarse_said(seen: Appearance, i: int) -> str:
    quality, blocks = seen.column("jpeg_quality")[i], float(seen.column("blockiness")[i])
    if not (quality <= COARSE_QUALITY or blocks > COARSE_BLOCKS):
        return "heavily compressed, as by WebP or AVIF: its blocks of 16 × 16 pixels are flat"
    how = f"JPEG quality {quality:.0f}" if quality <= COARSE_QUALITY else "so before it was saved again"
    return f"heavily compressed, {how}" + (f": steps between blocks {blocks:.1f} × those inside" if blocks > 1 else "")


def _size_said(word: str) -> Callable[[Appearance, int], str]:
    return lambda seen, i: (f"{word}: {seen.size[1][i]:.0f} × {seen.size[0][i]:.0f} pixels, sides "
                            f"{seen.size_ratio[i]:.2g} × the median")  # fmt: skip


def _barred_said(seen: Appearance, i: int) -> str:
    top, bottom, left, right = (int(seen.column(f"bars_{side}")[i]) for side in ("top", "bottom", "left", "right"))
    return f"letterboxed: bars of {top} rows above and {bottom} below, {left} columns left and {right} right"


BLANK = ("blank",)
LEVELS_ODD = ("blank", "dark", "light")

KINDS: tuple[Kind, ...] = (
    Kind(name="lost", level="warning", score=1.0, is_in=_is_lost, usual="warning",
         says=lambda seen, i: f"was readable and is no longer: {seen.column('unread')[i]}"),
    Kind(name="damaged", level="warning", score=0.9, is_in=_complained, usual="warning",
         says=lambda seen, i: f"damaged, and decoded by guessing: {seen.column('complaint')[i]}"),
    Kind(name="wrong-extension", level="warning", score=0.4, usual="warning",
         is_in=_each(lambda suffix, codec: suffix != "" and CODECS.get(suffix) != codec),
         says=lambda seen, i: f"named {seen.column('suffix')[i]}, but its bytes are {NAMES[seen.text('codec')[i]]}: "
                              "tools that go by the name cannot read it"),
    Kind(name="blank", level="warning", score=0.9,
         is_in=_is_blank,
         says=_with_share("luminance_mean", "blank: one colour, at {} of full brightness")),
    Kind(name="dark", level="warning", score=0.6, unless=BLANK,
         is_in=lambda seen: seen.column("luminance_p99") < DARK_P99,
         says=_with_share("luminance_p99", "dark: 99 of 100 pixels are below {} of full brightness")),
    Kind(name="light", level="warning", score=0.6, unless=BLANK,
         is_in=lambda seen: seen.column("luminance_p5") > LIGHT_P5,
         says=_with_share("luminance_p5", "light: 95 of 100 pixels are above {} of full brightness")),
    Kind(name="low-information", level="warning", score=0.5, unless=LEVELS_ODD,
         is_in=lambda seen: seen.entropy_share < LOW_SHARE,
         says=lambda seen, i: f"low information: {float(seen.column('entropy')[i]):.1f} bits in its histogram of 8"),
    Kind(name="blurred", level="warning", score=0.6, unless=BLANK,
         is_in=lambda seen: seen.column("sharpness") < BLURRED,
         says=lambda seen, i: f"{'heavily ' if seen.column('sharpness')[i] < HEAVY else ''}blurred: sharpness "
                              f"{float(seen.column('sharpness')[i]):.2f}"),
    Kind(name="soft", level="info", score=0.3, unless=(*BLANK, "blurred"),
         is_in=lambda seen: seen.column("sharpness") < SOFT,
         says=lambda seen, i: f"soft, perhaps enlarged: sharpness {float(seen.column('sharpness')[i]):.2f}"),
    Kind(name="coarse", level="warning", score=0.5, unless=BLANK, is_in=_is_coarse, says=_coarse_said),
    Kind(name="letterboxed", level="warning", score=0.5, unless=BLANK, says=_barred_said,
         is_in=lambda seen: (seen.bar_share > BAR_SHARE) & (seen.column("bars_step") > BAR_STEP)),
    Kind(name="small", level="warning", score=0.5, says=_size_said("small"),
         is_in=lambda seen: seen.size_ratio < 1 / ODD_SIZE),
    Kind(name="large", level="warning", score=0.3, says=_size_said("large"),
         is_in=lambda seen: seen.size_ratio > ODD_SIZE),
    Kind(name="elongated", level="warning", score=0.4, is_in=lambda seen: seen.aspect > ODD_ASPECT,
         says=lambda seen, i: f"elongated: {seen.size[1][i]:.0f} × {seen.size[0][i]:.0f} pixels, "
                              f"{seen.aspect[i]:.1f} to 1"),
    Kind(name="no-extension", level="info", score=0.2, is_in=_each(lambda suffix, codec: suffix == ""),
         says=lambda seen, i: f"its name has no extension; its bytes are {NAMES[seen.text('codec')[i]]}"),
    Kind(name="cmyk", level="info", score=0.3, is_in=_in_mode("CMYK"),
         says=_plainly("CMYK, converted to RGB without its profile")),
    Kind(name="alpha", level="info", score=0.3,
         is_in=lambda seen: _in_mode("RGBA", "LA", "PA", "La")(seen) | (seen.column("transparent_share") > 0),
         says=_with_share("transparent_share", "has transparency: {} of its pixels are more than half transparent")),
    Kind(name="palette", level="info", score=0.2, is_in=_in_mode("P", "PA"),
         says=_plainly("palette: at most 256 colours")),
    Kind(name="one-bit", level="info", score=0.2, is_in=_in_mode("1"), says=_plainly("1 bit: black and white alone")),
    Kind(name="sixteen-bit", level="info", score=0.3, is_in=lambda seen: seen.number("bits") == 16,
         says=_plainly("16 bits: tools that cut to 8 see another picture")),
    Kind(name="animated", level="info", score=0.3, is_in=_has_frames("gif", "png", "webp", "avif"),
         says=lambda seen, i: f"animated: {seen.column('num_frames')[i]:.0f} frames, of which the first counts"),
    Kind(name="pages", level="info", score=0.3,
         is_in=lambda seen: (seen.column("num_frames") > 1) & ~_has_frames("gif", "png", "webp", "avif")(seen),
         says=lambda seen, i: f"one of the {seen.column('num_frames')[i]:.0f} pages of its file"),
    Kind(name="exif-rotated", level="info", score=0.3, is_in=lambda seen: seen.number("exif_orientation") > 1,
         says=lambda seen, i: f"stored turned or mirrored (EXIF orientation {seen.number('exif_orientation')[i]:.0f}): "
                              "tools that ignore EXIF see another picture"),
    Kind(name="grey-as-colour", level="info", score=0.2, unless=BLANK,
         is_in=lambda seen: _in_mode("RGB", "RGBA", "P", "YCbCr", "CMYK")(seen) & _is_grey(seen),
         says=_plainly("a grey picture stored in colour")),
)  # fmt: skip
"""All kinds, the gravest first."""
