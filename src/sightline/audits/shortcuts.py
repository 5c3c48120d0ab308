"""Shortcuts: factors of acquisition or scene that give a class away without its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sightline.audits.evidence import Evidence
from sightline.audits.factors import ACQUISITION, SCENE, Factor, factors
from sightline.audits.findings import Finding
from sightline.audits.patterns import PLACES, patterns
from sightline.audits.regions import Condition, Region, inside
from sightline.audits.scan import scan

Array = np.ndarray[Any, Any]

LEAST = 20
"""Independent samples of a class below which nothing is said about it."""

TELLING = {ACQUISITION: 0.7, SCENE: 0.6}
"""Excess purity of a region from which on it is a finding by itself. Of a scene: healthy CIFAR-10 reaches 0.52."""

CERTAIN = -3.0
"""log10 of the chance that the true purity is nearer to the class's share than to 1. That there is no relation at all
is refuted at -6 for every region (`scan`)."""

MANY = 3
"""Classes that a factor of the scene marks from which on it is what they look like."""

FAINT = 0.1
"""Excess purity of another class's region from which on a factor does not speak of one class alone."""

PURE = 0.9
"""Excess purity that a mark on one class has where classes look different: that MNIST's "1" is dark reaches 0.80."""

MOST = 40
"""Findings in all; the strongest are kept."""

SHOWN = 12
"""Pictures of a gallery."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shortcut:
    """A region of a factor that gives a class away."""

    factor: Factor
    region: Region
    members: Array
    """Boolean per sample of the table: in the region."""
    is_content: bool = False
    """The factor tells many classes apart, because they look so."""

    @property
    def level(self) -> str:
        """error: a fact of acquisition, beyond doubt · warning: such a fact, or a scene too pure to be content alone ·
        info: the most telling factor there is."""
        tier, region = self.factor.tier, self.region
        if region.excess < TELLING[tier] or self.is_content:
            return "info"
        is_certain = region.log10_even < CERTAIN
        return ("error" if is_certain else "warning") if tier == ACQUISITION else ("warning" if is_certain else "info")


def shortcuts(evidence: Evidence) -> list[Finding]:
    """One finding for each class and factor of acquisition that gives it away, one for each class of the scene's.

    Levels: error for a fact of acquisition (camera, JPEG tables, size, time) with a region whose purity lies at least
    70 % of the way from the class's share to 1; warning for a region of the scene from 60 % on. Both are certain: that
    the true purity is less than half way is refuted at 1e-3, that there is no relation at 1e-6, on samples that the
    region was not grown on. A scene is often content (MNIST's "1" has little ink), so it is never an error. Where
    nothing is that strong, the most telling factor is one note. Each shows the class with and without the factor.
    """
    return [_finding(evidence, s) for s in telling(evidence)]


def telling(evidence: Evidence) -> list[Shortcut]:
    """The shortcuts that are findings, the gravest first."""
    labels, rows = _independent(evidence)
    classes = np.flatnonzero(np.bincount(labels[rows], minlength=len(evidence.samples.classes)) >= LEAST)
    if len(classes) < 2:
        return []
    draws = _draws(evidence, rows)
    found: list[Shortcut] = []
    for factor in factors(evidence):
        columns = [_taken(c, rows) for c in factor.columns]
        for label in classes.tolist():
            region = scan(columns, labels[rows], label, draws)
            found += [] if region is None else [_shortcut(factor, region)]
    half = (_draws(evidence, np.arange(len(labels))) & np.uint64(1)).astype(bool)
    for pattern in patterns(evidence.inspection, labels, rows, half):
        if pattern.label in classes:
            region = scan([_taken(pattern.column, rows)], labels[rows], pattern.label, draws)
            factor = Factor(name="pattern", tier=SCENE, columns=(pattern.column,), edit=PLACES[pattern.place])
            found += [] if region is None else [_shortcut(factor, region)]
    return _strongest(found, len(classes))


def _shortcut(factor: Factor, region: Region) -> Shortcut:
    return Shortcut(factor=factor, region=region, members=inside(region.conditions, factor.columns))


def _strongest(found: Sequence[Shortcut], num_classes: int) -> list[Shortcut]:
    """Of acquisition all that tell, of the scene the best of each class; else the one that says most."""
    judged = [replace(s, is_content=_is_content(s, found, num_classes)) for s in found]
    ranks = {"error": 0, "warning": 1, "info": 2}
    ordered = sorted(judged, key=lambda s: (ranks[s.level], s.region.log10_even, s.region.log10_chance))
    kept: list[Shortcut] = []
    seen: set[int] = set()
    for s in ordered:
        if s.level != "info" and (s.factor.tier == ACQUISITION or s.region.label not in seen):
            kept.append(s)
            seen |= {s.region.label} if s.factor.tier == SCENE else set()
    content = [s for s in ordered if s.is_content]
    # The most telling of what is content, or of what does not tell enough, is one note.
    return [*kept[:MOST], *(content[:1] if content else [] if kept else ordered[:1])]


def _is_content(shortcut: Shortcut, found: Sequence[Shortcut], num_classes: int) -> bool:
    """Whether a factor of the scene marks so many classes that it is what they look like, and no mark on one of them.

    So it is when it marks three classes, or when the scene as a whole marks three classes and a quarter of all, unless
    this factor says something of this class alone: all digits are told by their ink, none of them by a white corner.
    """
    if shortcut.factor.tier == ACQUISITION:
        return False
    strong = [s for s in found if s.factor.tier == SCENE and s.level != "info"]
    marked = {s.region.label for s in strong}
    by_it = {s.region.label for s in strong if s.factor.name == shortcut.factor.name}
    if len(by_it) >= MANY:
        return True
    others = [s.region.excess for s in found
              if s.factor.name == shortcut.factor.name and s.region.label != shortcut.region.label]  # fmt: skip
    is_alone = shortcut.region.excess >= PURE and max(others, default=0.0) < FAINT
    return len(marked) >= max(MANY, num_classes / 4) and not is_alone


def _independent(evidence: Evidence) -> tuple[Array, Array]:
    """Labels (-1 for none) and the rows that count: of exact copies, and of a group's samples of one class, one each.

    Frames of one video agree in everything; counted one by one they would make any factor look certain. Where groups
    are so large that hardly a sample is left, they are sources rather than copies, and every sample counts.
    """
    samples = evidence.samples
    labels = np.array([-1 if v is None else v for v in evidence.labels], np.int64)
    usable = np.flatnonzero((labels >= 0) & samples.is_ok)
    pixels, groups = samples.column("pixel_sha256"), samples.column("group_id")
    alone = _firsts(usable, [(labels[i], pixels[i] or i) for i in usable.tolist()])
    tied = _firsts(alone, [(labels[i], groups[i]) for i in alone.tolist()])
    return labels, tied if len(tied) >= max(len(alone) / 20, LEAST * len(samples.classes)) else alone


def _firsts(rows: Array, keys: list[tuple[Any, Any]]) -> Array:
    first: dict[tuple[Any, Any], int] = {}
    for row, key in zip(rows.tolist(), keys, strict=True):
        first.setdefault(key, row)
    return np.array(sorted(first.values()), np.int64)


def _draws(evidence: Evidence, rows: Array) -> Array:
    """An independent number for each row, from its id: other rows do not change it."""
    words = evidence.samples.ids.view(np.uint8).reshape(len(evidence.samples), 16)[:, :8]
    return np.asarray(np.ascontiguousarray(words).view("<u8")[rows, 0])


def _taken(column: Any, rows: Array) -> Any:
    return type(column)(name=column.name, values=column.values[rows], kinds=column.kinds)


def _finding(evidence: Evidence, found: Shortcut) -> Finding:
    factor, region = found.factor, found.region
    name, said = evidence.samples.classes.title(region.label), _leading(evidence, found)
    told = (f"{said}: {region.hits:,} of {region.size:,} samples are {name} ({100 * region.purity:.0f} %; "
            f"{100 * region.share:.0f} % of all samples are), which is {100 * region.reach:.0f} % of the class.")
    means = {"error": f" A model can tell the class by the {factor.name} alone.",
             "warning": f" The {factor.name} may stand for the class, or be part of it: look at the pictures.",
             "info": f" The {factor.name} tells most of all factors; it may well be content."}[found.level]  # fmt: skip
    if found.level == "warning" and factor.tier == ACQUISITION:
        means = f" Few samples for certainty; if it holds, a model can tell the class by the {factor.name} alone."
    if found.is_content:
        means = " Such factors tell many classes apart here: this is what they look like, no mark on one of them."
    return Finding(
        level=found.level, subject=name, message=told + means, score=float(np.clip(region.excess, 0, 1)),
        evidence={
            "factor": factor.name, "tier": factor.tier, "class": region.label, "region": described(region.conditions),
            "purity": round(region.purity, 4), "share_of_class": round(region.reach, 4), "counted": region.size,
            "log10_p": round(region.log10_even, 1), "edit": factor.edit,
            "galleries": _galleries(evidence, found, f"{name}, {said}", f"{name} without it"),
        },
    )  # fmt: skip


def _leading(evidence: Evidence, found: Shortcut) -> str:
    """The condition of a region that says most by itself, and how many others narrow it."""
    conditions = found.region.conditions
    is_class = np.array([v == found.region.label for v in evidence.labels], bool)

    def gain(condition: Condition) -> float:
        mask = inside([condition], found.factor.columns)
        hits = float((mask & is_class).sum())
        return hits * float(np.log(max(hits, 1e-9) / max(mask.sum(), 1) / found.region.share))

    first = max(conditions, key=gain)
    return f"{first}{f' (with {len(conditions) - 1} more)' if len(conditions) > 1 else ''}"


def described(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    """Conditions as JSON; a bound that is not there is null."""
    return [{"column": c.column, "low": c.low if np.isfinite(c.low) else None,
             "high": c.high if np.isfinite(c.high) else None, "kind": c.kind} for c in conditions]  # fmt: skip


def _galleries(evidence: Evidence, found: Shortcut, within: str, without: str) -> list[dict[str, Any]]:
    labels = np.array([-1 if v is None else v for v in evidence.labels], np.int64)
    is_class = (labels == found.region.label) & evidence.samples.is_ok
    return [{"title": within, "ids": _chosen(evidence, is_class & found.members)},
            {"title": without, "ids": _chosen(evidence, is_class & ~found.members)}]  # fmt: skip


def _chosen(evidence: Evidence, mask: Array) -> list[str]:
    """Some of the rows, those of test last: the report withholds its pictures while it is sealed."""
    rows = np.flatnonzero(mask)
    order = np.lexsort((_draws(evidence, rows), evidence.assigned[rows] == "test"))
    return [evidence.ids[i].hex() for i in rows[order][:SHOWN].tolist()]
