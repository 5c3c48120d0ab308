"""Sample tables without images: every row as if it had been read, so that nothing is decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sightline.samples import Classes, SampleTable, sample_id_of, table_from_rows

EPOCH = datetime(2026, 1, 1)


def sha(text: Any) -> bytes:
    """A sha256 that stands for some content."""
    return hashlib.sha256(str(text).encode()).digest()


def sample(key: str, label: int | None = 0, **known: Any) -> dict[str, Any]:
    """A row: `group`, `pixels`, `split`, `day`, `status` where they matter; else the sample is alone in all of them."""
    group, pixels, day = known.get("group"), known.get("pixels", key), known.get("day")
    status = known.get("status", "ok")
    kinds = {"patient": group} if group is not None else {}
    kinds |= known.get("groups", {})
    return {
        "sample_id": sample_id_of("", key), "key": key, "dataset": "", "split": known.get("split"),
        "group_id": key if group is None else f"patient:{group}",
        "groups": [{"kind": k, "id": str(v)} for k, v in kinds.items()],
        "time": None if day is None else EPOCH + timedelta(days=day), "image": {}, "label": label, "status": status,
        "reason": None if status == "ok" else "damaged", "content_sha256": sha(f"content {pixels}"),
        "pixel_sha256": sha(pixels) if status == "ok" else None,
    }  # fmt: skip


def samples_of(rows: Sequence[Mapping[str, Any]], num_classes: int = 3) -> SampleTable:
    """A table of rows that `sample` made, with classes called a, b, c, …"""
    names = tuple("abcdefghijklmnopqrstuvwxyz"[:num_classes])
    return SampleTable(table_from_rows(rows), Classes(names, names), "made")


def plain_samples(counts: Sequence[int], **known: Any) -> SampleTable:
    """`counts[c]` unrelated samples of each class c."""
    rows = [sample(f"{c}/{i:04d}", c, **known) for c, n in enumerate(counts) for i in range(n)]
    return samples_of(rows, len(counts))
