"""What a conversion did to how many images."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(kw_only=True)
class Tally:
    """What was done to how many images."""

    num_copied: int = 0
    """Their bytes are the source's, as the target wants them."""
    num_recoded: int = 0
    """Coded again without loss: bands of their rows can be read."""
    as_they_are: Counter[str] = field(default_factory=Counter)
    """Reason → images that could not be recoded; their bytes were copied."""
    as_png: Counter[str] = field(default_factory=Counter)
    """Reason → samples that are no encoded image by themselves, and became a PNG of the same pixels."""
    psnr_db: list[float] = field(default_factory=list)
    """Of each image that was encoded again with loss."""
    num_unreadable: int = 0
    """Listed, not among the images."""
    num_shards: int = 0
    """0 where each image has a file of its own."""
    bytes_before: int = 0
    bytes_after: int = 0
    """Of payloads."""

    def to_json(self) -> dict[str, Any]:
        """Counts as JSON types; the PSNR over the images that differ from their source, None where none does."""
        finite = [p for p in self.psnr_db if np.isfinite(p)]
        psnr = {"mean": round(float(np.mean(finite)), 2), "min": round(min(finite), 2)} if finite else None
        return {
            "copied": self.num_copied, "recoded": self.num_recoded,
            "as_they_are": dict(self.as_they_are.most_common()), "as_png": dict(self.as_png.most_common()),
            "encoded": len(self.psnr_db), "psnr_db": psnr, "unreadable": self.num_unreadable,
            "shards": self.num_shards, "bytes": {"before": self.bytes_before, "after": self.bytes_after},
        }  # fmt: skip

    def __str__(self) -> str:
        said = self.to_json()
        parts = [f"{self.num_copied:,} copied"] if self.num_copied else []
        parts += [f"{self.num_recoded:,} recoded without loss"] if self.num_recoded else []
        if self.psnr_db:
            psnr = said["psnr_db"]
            quality = f"PSNR mean {psnr['mean']:.1f} dB, lowest {psnr['min']:.1f} dB" if psnr else "no level changed"
            parts.append(f"{len(self.psnr_db):,} encoded again, {quality}")
        for counts, what in ((self.as_png, "as PNG without loss"), (self.as_they_are, "as they are")):
            if counts:
                why = ", ".join(f"{n:,} {reason}" for reason, n in counts.most_common())
                parts.append(f"{counts.total():,} {what} ({why})")
        parts += [f"{self.num_unreadable:,} unreadable, listed"] if self.num_unreadable else []
        share = f", {self.bytes_after / self.bytes_before:.2f} of before" if self.bytes_before else ""
        shards = f" in {self.num_shards} shard{'' if self.num_shards == 1 else 's'}" if self.num_shards else ""
        return " · ".join([*parts, f"{self.bytes_after / 1e6:,.1f} MB{shards}{share}"])
