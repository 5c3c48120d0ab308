"""The number at the top of the page, what it is compared with, and what speaks against it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from sightline import catalog
from sightline.audits import Findings
from sightline.checklist import Checklist
from sightline.metrics import Estimate, Score
from sightline.reporting.data import Names
from sightline.reporting.wording import interval, listed, nats, percent, plural, sample_size
from sightline.samples import SampleTable


def describe_number(score: Score, others: Sequence[Score]) -> dict[str, Any]:
    """The top-1 of `score` with its interval, beside it the other estimates on one axis, and the other metrics."""
    digits = precision(score.top1)
    compared = [(f"{score.split} top-1", score.top1)]
    if score.without_leaks is not None:
        compared.append(("without leaks", score.without_leaks))
    compared += [(f"{s.split} top-1", s.top1) for s in others]
    low = math.floor(10 * min(e.low for _, e in compared)) / 10
    low = min(low, 0.9)
    strips = [_strip(name, e, low, digits) for name, e in compared]
    return {
        "measure": f"{score.split} top-1", "value": f"{100 * score.top1.value:.{digits}f}",
        "interval": interval(score.top1, digits), "n": sample_size(score.top1), "tags": _tags(score), "strips": strips,
        "axis": (percent(low, 0), percent(1.0, 0)),
        "strips_alt": "; ".join(f"{name} {percent(e.value, digits)}, {interval(e, digits)}" for name, e in compared),
        "others": _other_metrics(score),
    }  # fmt: skip


def precision(estimate: Estimate) -> int:
    """Decimals of a percentage that its interval supports: 2 where it is narrower than half a point, else 1."""
    return 2 if estimate.high - estimate.low < 0.005 else 1


def _strip(name: str, e: Estimate, low: float, digits: int) -> dict[str, Any]:
    def at(v: float) -> float:
        return round(100 * (v - low) / (1 - low), 2)

    return {"name": name, "left": at(e.low), "width": round(at(e.high) - at(e.low), 2), "at": at(e.value),
            "text": percent(e.value, digits)}  # fmt: skip


def _tags(score: Score) -> list[tuple[str, str]]:
    if score.look is None:
        return [("not a test split", "warn") if score.split != "test" else ("no look counted", "warn")]
    return [(f"look {score.look} at the test split", "good" if score.look == 1 else "warn")]


def _other_metrics(score: Score) -> list[tuple[str, str]]:
    rows = [("top-5", percent(score.top5.value))] if score.top5 is not None else []
    if score.nll.n:
        rows += [("NLL", nats(score.nll.value)), ("ECE", percent(score.ece.value))]
    return rows


def cautions(
    samples: SampleTable, assigned: Names, findings: Findings | None, score: Score, checklist: Checklist | None
) -> list[str]:
    """Sentences that a reader of the number has to know; empty when nothing speaks against it."""
    said = []
    if score.look is None:
        said.append(f"There is no look at a test split behind this number: it was selected on {score.split}, "
                    "so it is optimistic.")
    elif score.look > 1:
        said.append(f"This is look {score.look} at this test split. Each look lets choices lean towards it; "
                    "the ledger below gives the reasons.")
    if score.mistaken_order:
        said.append(f"Probably the wrong classes: {score.mistaken_order}")
    if samples.subset:
        cut = ", ".join(f"{k} {v}" for k, v in samples.subset.items())
        said.append(f"The data is a subset of the source ({cut}); the number holds for the subset.")
    if n := score.unreadable:
        said.append(f"{plural(n, 'image')} of the {score.split} split could not be read and "
                    f"{'counts' if n == 1 else 'count'} as wrong.")
    if n := score.invalid:
        said.append(f"The model gave no finite answer for {plural(n, 'image')}; "
                    f"{'it counts' if n == 1 else 'they count'} as wrong.")
    if score.corrected:
        said.append(f"The {score.split} split is not as it was published or split: {score.corrected}.")
    said += _beyond_published(samples, score)
    said += _audit_cautions(samples, assigned, findings, score) + _checklist_cautions(checklist)
    return said


def _beyond_published(samples: SampleTable, score: Score) -> list[str]:
    """A warning about a test result that the best published figure makes hard to believe."""
    known = {card.name: card for card in catalog.datasets()}
    card = known.get(samples.column("dataset")[0] or "")
    figure = card.far_below(score.top1.low) if card is not None and score.split == "test" else None
    if figure is None:
        return []
    return [f"Far above the best figure that the catalog knows for this dataset ({percent(figure.top1)}, "
            f"{figure.model}, {figure.source}). Look for leakage before believing it."]  # fmt: skip


def _audit_cautions(samples: SampleTable, assigned: Names, findings: Findings | None, score: Score) -> list[str]:
    if findings is None:
        return ["No audit was made: copies of test images in train would go unnoticed."]
    said = []
    leaked = _num_leaked(samples, assigned, findings)
    if leaked:
        have, them = ("has a copy", "it") if leaked == 1 else ("have copies", "them")
        without = score.without_leaks
        said.append(f"{plural(leaked, 'test image')} {have} in train or val.")
        if without is not None:
            said[-1] += f" Without {them} top-1 is {percent(without.value)} [{interval(without)}]."
    rows = findings.table.select(["check", "level"]).to_pylist()
    errors = sorted({r["check"].replace("-", " ") for r in rows if r["level"] == "error"})
    if errors:
        said.append(f"The audit found errors in {listed(errors)}.")
    return said


def _num_leaked(samples: SampleTable, assigned: Names, findings: Findings) -> int:
    """Test samples that a pair of the audit joins with one that is in train or val still, copies left out aside."""
    rows = findings.table.select(["sample_id", "related_id", "evidence"]).to_pylist()
    # Only a pair that names its splits says "the same": others show what a sample resembles.
    pairs = [(r["sample_id"], r["related_id"]) for r in rows
             if None not in r.values() and json.loads(r["evidence"]).get("splits")]  # fmt: skip
    ends = [*pairs, *((b, a) for a, b in pairs)]
    split_of = dict(zip(samples.column("sample_id"), assigned.tolist(), strict=True))
    return len({a for a, b in ends if split_of[a] == "test" and split_of[b] in {"train", "val"}})


def _checklist_cautions(checklist: Checklist | None) -> list[str]:
    failed = [c.name for c in checklist.checks if c.level == "fail"] if checklist is not None else []
    return [f"The checklist failed on {', '.join(failed)}."] if failed else []
