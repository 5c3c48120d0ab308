"""Pages of TIFF files that hold a stack. A file of one image is left to be read as any other image file."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any

import numpy as np

from sightline.errors import DecodeError, MissingExtraError
from sightline.formats.frames import Frames
from sightline.images import MAX_PIXELS
from sightline.images.parsing import parsing

_DESCRIPTION, _MAX_ENTRIES = 270, 4096
_MAX_PAGES = 1 << 20
"""A few bytes can claim any number of pages."""


def frames_of(path: Path) -> Frames | None:
    """Pages of the first series of a stack, or None for a file of one image. Raises DecodeError, OSError."""
    with path.open("rb") as f:
        if not _may_be_a_stack(f):
            return None
    try:
        import tifffile
    except ModuleNotFoundError as e:
        raise MissingExtraError("tifffile", "tiff", f"Reading the pages of {path.name}") from e
    # Not as OME: its XML may name other files, and nothing in a file says what else is opened.
    with parsing("tiff"), tifffile.TiffFile(path, is_ome=False) as file:
        return _frames(file)


def _may_be_a_stack(f: IO[bytes]) -> bool:
    """Whether a TIFF has a second page, is written by ImageJ (which may leave pages out), or is a BigTIFF."""
    head = f.read(8)
    end = "<" if head[:2] == b"II" else ">"
    if len(head) < 8 or struct.unpack(f"{end}H", head[2:4])[0] != 42:
        return head[2:4] in {b"+\0", b"\0+"}
    f.seek(struct.unpack(f"{end}I", head[4:8])[0])
    count = int.from_bytes(f.read(2), "little" if end == "<" else "big")
    entries = f.read(12 * count + 4)
    if count > _MAX_ENTRIES or len(entries) < 12 * count + 4:
        return False  # damaged; reading its header says so
    if struct.unpack(f"{end}I", entries[-4:])[0]:
        return True
    for i in range(count):
        tag, _, length, at = struct.unpack(f"{end}HHII", entries[12 * i : 12 * i + 12])
        if tag == _DESCRIPTION and length > 6:
            f.seek(at)
            return f.read(7) == b"ImageJ="
    return False


def _frames(file: Any) -> Frames | None:
    """One entry for each page of the first series; further series are smaller copies and thumbnails."""
    series, page = file.series[0], file.series[0].keyframe
    height, width = int(page.imagelength), int(page.imagewidth)
    count = int(np.prod(series.shape, dtype=np.int64)) // max(int(np.prod(page.shape, dtype=np.int64)), 1)
    told = (file.imagej_metadata or {}).get("images", 1)
    if isinstance(told, int) and told > count:
        raise DecodeError(f"ImageJ wrote {told:,} images, of which {count} are there")
    if count <= 1 and page.index == 0 and not file.is_bigtiff:
        return None
    if not 0 < height * width <= MAX_PIXELS:
        raise DecodeError(f"{height} × {width} is more than {MAX_PIXELS:,} pixels; set SIGHTLINE_MAX_PIXELS to accept "
                          "larger images")  # fmt: skip
    bits, samples = int(page.bitspersample), int(page.samplesperpixel)
    if page.sampleformat != 1 or bits > 16 or samples > 4:
        raise DecodeError(f"pages of {samples} × {bits} bits, sample format {page.sampleformat}, are not supported")
    mode = ("L", "LA", "RGB", "RGBA")[samples - 1] if bits <= 8 else "I;16" if samples == 1 else "RGB"
    header = {"container": "tiff", "width": width, "height": height, "bits": 16 if bits > 8 else 8, "mode": mode}
    layout = _layout(file, page)
    images = [header | place for place in _places(file, count, layout)]
    notes = ("smaller images in a TIFF (levels or thumbnails) not taken",) if len(file.series) > 1 else ()
    return Frames(images=images, notes=notes)


def _layout(file: Any, page: Any) -> str | None:
    """How the bytes of a page that is stored as it is are pixels; None where it must be decoded."""
    bits, samples = int(page.bitspersample), int(page.samplesperpixel)
    is_plain = page.compression == 1 and page.fillorder == 1 and page.predictor == 1 and page.is_contiguous
    is_grey, is_rgb = page.photometric == 1 and samples == 1, page.photometric == 2 and samples == 3
    if not (is_plain and bits in {8, 16} and (is_grey or (is_rgb and page.planarconfig == 1))):
        return None
    kind = "u1" if bits == 8 else "u2le" if file.byteorder == "<" else "u2be"
    return f"{kind}:{page.imagelength},{page.imagewidth}" + (",3" if is_rgb else "")


def _places(file: Any, count: int, layout: str | None) -> list[dict[str, Any]]:
    series, page = file.series[0], file.series[0].keyframe
    length = int(np.prod(page.shape, dtype=np.int64)) * int(page.bitspersample) // 8
    if count > _MAX_PAGES:
        raise DecodeError(f"it claims {count:,} pages")
    if len(series.pages) == count:
        pages = [series.pages[i] for i in range(count)]
        if any(p is None for p in pages):
            raise DecodeError("a stack with pages missing")
        if layout is None:
            return [{"codec": "tiff", "frame": int(p.index)} for p in pages]
        starts = [int(p.dataoffsets[0]) for p in pages]
    elif layout is not None and series.dataoffset is not None:
        # ImageJ describes one page and writes the pixels of the others behind it.
        starts = [int(series.dataoffset) + i * length for i in range(count)]
    else:
        raise DecodeError(f"{len(series.pages)} pages for {count} images")
    if max(starts) + length > file.filehandle.size:
        raise DecodeError(f"its {count} pages end behind the file")
    return [{"codec": "raw", "layout": layout, "frame": i, "offset": start, "length": length}
            for i, start in enumerate(starts)]  # fmt: skip
