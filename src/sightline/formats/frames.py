"""What a file holds that may hold several images, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Frames:
    """What a file that is looked into holds."""

    images: Sequence[dict[str, Any]] = ()
    """Fields of `samples.IMAGE` of each frame; one empty entry where there is a reason."""
    groups: tuple[tuple[str, str], ...] = ()
    extra: str | None = None
    reason: str | None = None
    """Why its frames are not had."""
    passed_over: str | None = None
    """What it is, where it is no image at all and no sample."""
    notes: tuple[str, ...] = ()
