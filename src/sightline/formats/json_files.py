"""JSON that lies beside the data, as a person who fetched half of it may have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sightline.errors import DataError

MAX_BYTES = 1 << 30
"""A larger description of a dataset is refused."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises DataError for anything else."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} has more than {MAX_BYTES:,} bytes; no description of a dataset has so many.")
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as e:
        raise DataError(f"{path} is not readable JSON ({e}). Fetch it again.") from None
    if not isinstance(found, dict):
        raise DataError(f"{path} holds a JSON {type(found).__name__}, wanted an object. Fetch it again.")
    return found
