"""What is known about a published dataset, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class PublishedStatistics:
    """Mean and standard deviation of each channel, for values scaled to [0, 1]."""

    kind: str
    """per_pixel (over all pixels) | mean_of_per_image_std (a smaller number that circulates under the same name)."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    origin: str
    """Which images they were taken from, and by whom."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A published result, for comparison."""

    top1: float
    """Test top-1, a fraction."""
    model: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """A published dataset: what it holds, how it lies on disk, and what goes wrong with it."""

    name: str
    """Name in commands and code."""
    title: str
    num_samples: Mapping[str, int]
    """Official split → number of samples; "all" where there is no official split."""
    num_classes: int
    class_ids: tuple[str, ...] = ()
    """Native class ids in the official order; empty where the list belongs to somebody else's package."""
    class_names: Mapping[str, str] = field(default_factory=dict)
    """Native id → name, where they differ."""
    first_labels: tuple[int, ...] = ()
    """Labels of the first training samples in official order: a dataset is known by its content, not its file names."""
    task: str = "single label"
    resolution: str
    licence: str
    access: str
    homepage: str
    layout: str
    """Storage layouts that are read."""
    folders: tuple[str, ...] = ()
    """Where it is looked for below ./data."""
    groups: str
    """What ties samples together."""
    augmentation: str
    """What may change in an image without changing its class."""
    statistics: tuple[PublishedStatistics, ...] = ()
    figures: tuple[Figure, ...] = ()
    quirks: tuple[str, ...] = ()

    def located(self, below: Path = Path("data")) -> Path | None:
        """The first of the dataset's usual folders that exists below a directory, or None."""
        return next((below / f for f in self.folders if (below / f).exists()), None)

    def __str__(self) -> str:
        sizes = " · ".join(f"{split} {n:,}" if split != "all" else f"{n:,}" for split, n in self.num_samples.items())
        names = [self.class_names.get(i, i) for i in self.class_ids]
        listed = f"{', '.join(names[:10])}{', …' if len(names) > 10 else ''}" if names else f"{self.num_classes:,}"
        rows = [
            ("samples", f"{sizes} · {self.resolution}"),
            ("classes", listed),
            ("layout", self.layout),
            ("access", f"{self.access} · {self.licence} · {self.homepage}"),
            ("groups", self.groups),
            ("augment", self.augmentation),
        ]
        for s in self.statistics:
            values = f"mean {' '.join(f'{v:.4f}' for v in s.mean)} · std {' '.join(f'{v:.4f}' for v in s.std)}"
            rows.append(("stats", f"{values} · {s.kind} · {s.origin}"))
        rows += [("figure", f"top-1 {100 * f.top1:.2f} % · {f.model} · {f.source}") for f in self.figures]
        rows += [("beware", quirk) for quirk in self.quirks]
        head = f"{self.title} · {sum(self.num_samples.values()):,} images · {self.num_classes:,} classes · {self.task}"
        return "\n".join([head, *(f"  {name:<9} {text}" for name, text in rows)])

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"
