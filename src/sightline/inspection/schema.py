"""The columns of an inspection: what a file says about itself, and what its picture looks like."""

from __future__ import annotations

import pyarrow as pa

VERSION = 2
"""Version of the table's columns and of what they mean. A reader refuses a newer one; what an older one holds is
measured again."""

FACTS = (
    pa.field("num_bytes", pa.int64()),  # of the payload, as the source stores it
    pa.field("suffix", pa.string()),  # ".jpg": of the file's name, small letters; "" where it has none
    pa.field("begins_as", pa.string()),  # what the first bytes are: a codec, or empty | html | text | unknown
    pa.field("complaint", pa.string()),  # what the decoder complained of while it read on; null: of nothing
    pa.field("jpeg_quality", pa.int8()),  # 1 … 100: libjpeg's setting whose luminance table is nearest; null: no JPEG
    pa.field("jpeg_tables", pa.string()),  # short hash of all quantization tables: cameras and programs have their own
    pa.field("subsampling", pa.string()),  # of a JPEG: 4:4:4 | 4:2:2 | 4:2:0 | … | 4:0:0 (grey)
    pa.field("is_progressive", pa.bool_()),  # of a JPEG
    pa.field("num_frames", pa.int32()),  # frames of an animation, pages of a TIFF, images of the sample's own file
    pa.field("has_icc", pa.bool_()),  # carries a colour profile
    pa.field("make", pa.string()),  # EXIF, at most 64 characters: of the camera
    pa.field("model", pa.string()),
    pa.field("software", pa.string()),
    pa.field("taken", pa.timestamp("us")),  # EXIF DateTimeOriginal, by the camera's clock
)
"""What the encoded bytes say."""

MEASURES = (
    "luminance_mean", "luminance_std", "luminance_p1", "luminance_p5", "luminance_p50", "luminance_p95",
    "luminance_p99", "entropy", "sharpness", "blockiness", "flatness", "red", "green", "blue", "saturation",
    "chroma_max", "colour_std", "transparent_share", "bars_step",
)  # fmt: skip
"""float32 columns about the picture; `inspection.pictures` defines each."""

BARS = ("bars_top", "bars_bottom", "bars_left", "bars_right")
"""int32: rows and columns of uniform border, in stored pixels of the upright picture."""

SCHEMA = pa.schema(
    [
        pa.field("sample_id", pa.binary(16), nullable=False),
        pa.field("unread", pa.string()),  # why there is no picture; null: it was read
        *FACTS,
        *(pa.field(name, pa.float32()) for name in MEASURES),
        *(pa.field(name, pa.int32()) for name in BARS),
        pa.field("corners", pa.list_(pa.float32())),  # mean RGB of the corners: top left, top right, bottom left, right
        pa.field("border", pa.list_(pa.float32())),  # mean RGB of the outer sixteenth all round
    ]
)
"""Null throughout where an image could not be read. Levels and colours are shares of full scale, 0 … 1."""


def stored_schema(side: int) -> pa.Schema:
    """`SCHEMA` with the column `thumbnail`: side × side × 3 bytes, RGB, upright; null where there is no picture."""
    return SCHEMA.append(pa.field("thumbnail", pa.binary(3 * side * side)))
