"""What dataset hubs write into Parquet and Arrow files about their columns."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa


def image_column(schema: pa.Schema) -> str | None:
    """The column with encoded images: struct<bytes, …> or binary; `image` and `img` first."""
    found = []
    for field in schema:
        t = field.type
        has_bytes = pa.types.is_struct(t) and t.get_field_index("bytes") >= 0 and is_bytes(t.field("bytes").type)
        if has_bytes or is_bytes(t):
            found.append(field.name)
    return min(found, key=lambda n: (n not in {"image", "img"}, schema.names.index(n)), default=None)


def is_bytes(t: pa.DataType) -> bool:
    """Whether values of a type are byte strings."""
    return bool(pa.types.is_binary(t) or pa.types.is_large_binary(t))


def is_small(t: pa.DataType) -> bool:
    """Whether values of a type are scalars other than byte strings: what may be a label, a group or a time."""
    return not pa.types.is_nested(t) and not is_bytes(t)


def class_label_names(schema: pa.Schema, label: str) -> list[str]:
    """Names of integer labels, as the hub's own metadata gives them; empty where it does not."""
    try:
        about: Any = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = about["info"]["features"][label]["names"]
    except (ValueError, KeyError, TypeError):
        return []
    return [str(n) for n in names] if isinstance(names, list) else []
