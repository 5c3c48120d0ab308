"""What is known about a published dataset, as a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

SURPRISING = 1 / 4
"""Share of the best published figure's mistakes below which a result asks for an explanation: networks of today make a
third of those of LeNet-5 on MNIST, and half of a WRN-28-10's on CIFAR-10."""


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
class PublishedFile:
    """A file of a dataset as its publisher offers it."""

    name: str
    """Where it lies below the dataset's folder, with forward slashes."""
    address: str = ""
    """https address that serves it to anybody; empty where it is behind a form, and `Card.gate` says what to do."""
    num_bytes: int | None = None
    sha256: str = ""
    md5: str = ""
    """Hex digests; a file with an address has at least one of them."""
    form: str = ""
    """Which of several equal forms of the dataset it belongs to ("binary"); those of the first form are fetched when
    nobody asks for another. Empty where every form needs it."""

    def __str__(self) -> str:
        n = self.num_bytes
        size = "" if n is None else f"{n / 1e6:,.1f} MB" if n >= 100_000 else f"{n / 1e3:,.1f} kB"
        parts = (self.name, size, f"form {self.form}" if self.form else "", "" if self.address else "not openly served")
        return " · ".join(part for part in parts if part)


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
    annotation: str
    """Who labelled the images, and how."""
    use: str = "training and testing"
    """What the images may be used for: "training and testing", or "testing only" where fitting to them is ruled out."""
    scope: str = ""
    """What the dataset also is made for and is not read for here; empty where classification is all."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What is counted → how many, where sources give different numbers for what sounds like the same."""
    consent: str
    """Whether the people who made the images, or are in them, agreed."""
    removals: str
    """What the publishers took out afterwards, so that older copies hold it."""
    biases: str
    """Whom and what the images over-represent, or show wrongly, as far as it is known."""
    files: tuple[PublishedFile, ...] = ()
    """What there is to download."""
    gate: str = ""
    """What a person does to be given the files that nobody serves openly."""

    def describes(self, splits: Sequence[str | None], labels: Sequence[str | None]) -> bool:
        """Whether samples in their order are this dataset: the sizes of the splits, and the first labels.

        Labels are native ids, or numbers in the official order. File names say nothing: MNIST's serve others too.
        """
        if not self.first_labels:
            return False
        found = Counter(split or "all" for split in splits)
        begins = list(labels[: len(self.first_labels)])
        numbers = [str(i) for i in self.first_labels]
        return found == dict(self.num_samples) and begins in (numbers, [self.class_ids[i] for i in self.first_labels])

    def far_below(self, top1: float) -> Figure | None:
        """The best published figure, where `top1` makes less than a quarter of its mistakes; else None."""
        best = max(self.figures, key=lambda f: f.top1, default=None)
        return best if best is not None and 1 - top1 < SURPRISING * (1 - best.top1) else None

    @property
    def place(self) -> str:
        """Name of the folder that it is put into when nobody says another."""
        return self.folders[0] if self.folders else self.name

    @property
    def is_served(self) -> bool:
        """Whether some of its files can be fetched by anybody."""
        return any(file.address for file in self.files)

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
            ("labels", self.annotation),
            ("use", self.use if self.use != "training and testing" else ""),
            ("scope", self.scope),
            ("groups", self.groups),
            ("augment", self.augmentation),
            ("consent", self.consent),
            ("removed", self.removals),
            ("biases", self.biases),
            ("gate", self.gate),
            *(("count", f"{n:,} {what}") for what, n in self.counts.items()),
        ]
        rows += [("file", str(file)) for file in self.files]
        for s in self.statistics:
            values = f"mean {' '.join(f'{v:.4f}' for v in s.mean)} · std {' '.join(f'{v:.4f}' for v in s.std)}"
            rows.append(("stats", f"{values} · {s.kind} · {s.origin}"))
        rows += [("figure", f"top-1 {100 * f.top1:.2f} % · {f.model} · {f.source}") for f in self.figures]
        rows += [("beware", quirk) for quirk in self.quirks]
        head = f"{self.title} · {sum(self.num_samples.values()):,} images · {self.num_classes:,} classes · {self.task}"
        return "\n".join([head, *(f"  {name:<9} {text}" for name, text in rows if text)])

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"
