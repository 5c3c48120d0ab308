"""The library faiss, and work on all cores in whose threads it keeps to one."""

from __future__ import annotations

from typing import Any

from sightline.errors import extra_needed
from sightline.parallel import in_order

__all__ = ["faiss", "in_order"]


def faiss() -> Any:
    """The module faiss. Raises MissingExtraError when it is not installed."""
    try:
        import faiss
    except ModuleNotFoundError as e:
        raise extra_needed(e, "Looking for near duplicates") or e from None
    return faiss
