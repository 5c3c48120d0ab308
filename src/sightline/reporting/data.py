"""What the page says about the data: counts, balance, pictures of each class, sizes, and how it was split."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow.compute as pc

from sightline.reporting import figures
from sightline.reporting.pictures import Gallery
from sightline.reporting.wording import class_names, plural
from sightline.samples import SampleTable
from sightline.splits import Splits

SPLITS = ("train", "val", "test")

SHOWN = 4
"""Pictures of a class that are visible at once."""

ON_DEMAND = 16
"""Pictures of a class in all, the rest behind a click."""

MAX_PICTURES = 400
"""Of the class sheet: at 4 to 5 kB each they take 2 MB beside Plotly's 4.8 MB."""

MAX_CLASSES = 60
"""Classes on the sheet; of more, evenly spaced ones are shown."""

Names = np.ndarray[Any, Any]


def assigned_splits(samples: SampleTable, splits: Splits) -> Names:
    """Name of each sample's split in table order; "" for a sample that is in none."""
    names = np.full(len(samples), "", object)
    rows = samples.positions(splits.table["sample_id"].to_pylist())
    names[rows] = [n or "" for n in splits.table["split"].to_pylist()]
    return names


def describe_data(samples: SampleTable, assigned: Names, gallery: Gallery) -> dict[str, Any]:
    """Counts by split, the class balance chart, the class table, the sheet of pictures and the stored formats."""
    labels = samples.table["label"].to_pylist()
    counts = {s: _per_class(samples, labels, assigned == s) for s in SPLITS if (assigned == s).any()}
    names = class_names(samples.classes)
    is_shown = samples.is_ok & np.isin(assigned.astype(str), ("train", "val"))
    return {
        "splits": _split_rows(samples, assigned, counts),
        "balance": figures.class_balance(names, counts),
        "classes": [{"name": n, "counts": [int(c[i]) for c in counts.values()]} for i, n in enumerate(names)],
        "columns": list(counts),
        "policy": samples.classes.policy,
        "unreadable": _unreadable(samples),
        "sheet": _sheet(names, labels, is_shown, gallery),
        "shown": SHOWN,
        **_formats(samples),
    }


def _per_class(samples: SampleTable, labels: list[int | None], mask: Names) -> Names:
    known = [label for label, inside in zip(labels, mask, strict=True) if inside and label is not None]
    return np.bincount(np.array(known, np.int64), minlength=len(samples.classes))


def _split_rows(samples: SampleTable, assigned: Names, counts: dict[str, Names]) -> list[dict[str, Any]]:
    groups = np.array(samples.column("group_id"), object)
    has_groups = len(set(groups.tolist())) < len(samples)
    rows = []
    for name in (*counts, ""):
        mask = assigned == name
        if mask.any():
            rows.append({
                "name": name or "left out", "n": int(mask.sum()), "share": float(mask.mean()),
                "classes": int((counts[name] > 0).sum()) if name else None,
                "unreadable": int((mask & ~samples.is_ok & ~samples.is_dropped).sum()),
                "groups": len(set(groups[mask].tolist())) if has_groups else None,
            })  # fmt: skip
    return rows


def _unreadable(samples: SampleTable) -> list[dict[str, str]]:
    rows = np.flatnonzero(~samples.is_ok & ~samples.is_dropped)
    keys, reasons = samples.column("key"), samples.column("reason")
    return [{"key": keys[i], "reason": reasons[i] or "no reason stored"} for i in rows]


def _sheet(names: list[str], labels: list[int | None], is_shown: Names, gallery: Gallery) -> dict[str, Any]:
    """Random samples of each class, from train and val alone: looking at test pictures steers choices too."""
    rng = np.random.default_rng(0)
    label_array = np.array([-1 if label is None else label for label in labels])
    num = len(names)
    chosen = np.unique(np.linspace(0, num - 1, min(num, MAX_CLASSES)).round().astype(int))
    each = int(np.clip(MAX_PICTURES // len(chosen), SHOWN, ON_DEMAND))
    cards = []
    for c in chosen.tolist():
        rows = np.flatnonzero(is_shown & (label_array == c))
        picked = rng.permutation(rows)[:each]
        pictures = gallery.pictures(picked.tolist())
        cards.append({"name": names[c], "n": len(rows), "first": pictures[:SHOWN], "more": pictures[SHOWN:]})
    return {"cards": cards, "num_classes": num, "each": each}


def _formats(samples: SampleTable) -> dict[str, Any]:
    image = samples.table.filter(pc.equal(samples.table["status"].cast("string"), "ok"))["image"].combine_chunks()
    width, height = (image.field(n).to_numpy(zero_copy_only=False) for n in ("width", "height"))
    known = np.isfinite(width.astype(float)) & np.isfinite(height.astype(float))
    width, height = width[known].astype(int), height[known].astype(int)
    facts = [(label, _commonest(image.field(n).to_pylist(), unit)) for n, label, unit in (
        ("codec", "stored as", ""), ("mode", "colour mode", ""), ("bits", "depth", " bits"))]  # fmt: skip
    turned = sum(v not in (None, 1) for v in image.field("exif_orientation").to_pylist())
    facts += [("turned by EXIF", plural(turned, "image"))] if turned else []
    figure = None
    if len(width):
        sizes = Counter(zip(width.tolist(), height.tolist(), strict=True))
        facts.insert(0, ("size", _sizes(sizes, width, height)))
        figure = figures.image_sizes(width, height) if len(sizes) > 1 else None
    return {"facts": [(label, value) for label, value in facts if value], "sizes": figure}


def _sizes(sizes: Counter[tuple[int, int]], width: Names, height: Names) -> str:
    if len(sizes) == 1:
        w, h = next(iter(sizes))
        return f"all {w} × {h} px"
    low, high = (f"{int(f(width))} × {int(f(height))}" for f in (np.min, np.max))
    median = f"{int(np.median(width))} × {int(np.median(height))}"
    return f"median {median} px, from {low} to {high}, {plural(len(sizes), 'distinct size')}"


def _commonest(values: list[Any], unit: str) -> str:
    counts = Counter(v for v in values if v is not None)
    shown = [f"{value}{unit} ({n:,})" if len(counts) > 1 else f"{value}{unit}" for value, n in counts.most_common(6)]
    return ", ".join(shown) + (f" and {len(counts) - 6} more" if len(counts) > 6 else "")
