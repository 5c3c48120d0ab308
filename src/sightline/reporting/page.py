"""One self-contained HTML page about a number: what it is, what stands behind it, how to make it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sightline.artifacts import write_bytes
from sightline.audits import Findings
from sightline.checklist import Checklist
from sightline.digests import digest_of, plain, short
from sightline.errors import ContractError, DataError
from sightline.ledger import Ledger
from sightline.metrics import Score, calibration
from sightline.reporting.data import assigned_splits, describe_data
from sightline.reporting.evidence import Witness, describe_checklist, describe_findings, describe_ledger
from sightline.reporting.figures import reliability
from sightline.reporting.headline import cautions, describe_number
from sightline.reporting.history import curves, describe_speed, epochs_of, recipe_rows
from sightline.reporting.html import html_of
from sightline.reporting.mistakes import describe_mistakes
from sightline.reporting.pictures import Gallery
from sightline.reporting.repeating import commands, environment_facts
from sightline.reporting.splitting import describe_split
from sightline.reporting.wording import interval, nats, percent, plural
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import Splits

CONTENTS = (
    ("number", "The number"), ("data", "The data"), ("split", "The split"), ("audit", "The audit"),
    ("checklist", "The checklist"), ("recipe", "Recipe and curves"), ("mistakes", "Mistakes"),
    ("calibration", "Calibration"), ("speed", "Speed"), ("ledger", "The ledger"), ("again", "Run it again"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a page is made from; every part but the run may be absent."""

    run: Run
    samples: SampleTable
    splits: Splits
    findings: Findings | None
    score: Score | None
    others: tuple[Score, ...]
    checklist: Checklist | None
    ledger: Ledger | None

    def __post_init__(self) -> None:
        parts = {"train": self.splits.train, "val": self.splits.val, "test": self.splits.test}
        for score in self.scores:
            part = parts.get(score.split)
            wanted = {
                "trained_on_samples": self.samples.digest, "trained_on_splits": self.splits.digest,
                "weights": self.run.about.get("weights"), "split": part.digest if part is not None else None,
            }  # fmt: skip
            for name, value in wanted.items():
                got = score.digests.get(name)
                if None not in (got, value) and got != value:
                    raise ContractError(
                        f"The {score.split} score and the run disagree: {name.replace('_', ' ')} is {short(str(got))} "
                        f"in the score, {short(str(value))} in {self.run.directory}. A page about both would lie; "
                        "evaluate this run's best checkpoint, or report on the run that was evaluated."
                    )

    @property
    def scores(self) -> tuple[Score, ...]:
        """The number at the top and those beside it."""
        return (*((self.score,) if self.score is not None else ()), *self.others)

    @property
    def is_test_open(self) -> bool:
        """Whether a score of the test split has been made, so that its pictures are known."""
        return any(score.split == "test" for score in self.scores)


def report(
    run: Run,
    findings: Findings | None = None,
    score: Score | None = None,
    *,
    to: str | Path,
    scores: Score | Sequence[Score] | None = None,
    checklist: Checklist | None = None,
    ledger: Ledger | None = None,
) -> Path:
    """Path of the page written, one self-contained HTML file.

    `score` is the number at the top, `scores` those beside it (val beside test). What is None is left out, with a
    sentence that says so. Pictures of test samples appear only when one of the scores is of the test split.
    Raises DataError when the run was opened without its samples and splits, ContractError when a score was made on
    other samples.
    """
    if run.samples is None or run.splits is None:
        raise DataError(f"{run.directory} was opened without its samples and splits, which the report shows. "
                        "Open it with them: Run.open(directory, samples, splits)")
    given = (scores,) if isinstance(scores, Score) else tuple(scores or ())
    others = tuple(s for s in given if s is not score)
    material = Material(run=run, samples=run.samples.hashed(), splits=run.splits, findings=findings, score=score,
                        others=others, checklist=checklist, ledger=ledger)  # fmt: skip
    path = Path(to)
    write_bytes(path, html_of(describe(material), datetime.now().astimezone()).encode())
    return path


def describe(m: Material) -> dict[str, Any]:
    """The values of every part of the page; None for a part that has nothing to show."""
    assigned, gallery = assigned_splits(m.samples, m.splits), Gallery(m.samples)
    witness = Witness(m.samples, assigned, gallery, is_test_open=m.is_test_open)
    about, epochs = m.run.about, epochs_of(m.run.log())
    return {
        "title": m.samples.name,
        "subtitle": f"{plural(len(m.samples), 'image')} · {plural(len(m.samples.classes), 'class', 'classes')} · "
                    f"{m.run.recipe.model.name} · recipe {m.run.recipe.name}",
        "contents": CONTENTS,
        "headline": describe_number(m.score, m.others) if m.score else None,
        "cautions": cautions(m.samples, assigned, m.findings, m.score, m.checklist) if m.score else [],
        "digests": _digests(m, about),
        "data": describe_data(m.samples, assigned, gallery),
        "split": describe_split(m.samples, m.splits, assigned),
        "findings": describe_findings(m.findings, m.splits, witness) if m.findings is not None else None,
        "checklist": describe_checklist(m.checklist) if m.checklist is not None else None,
        "recipe": _recipe(m.run, about, epochs),
        "mistakes": _mistakes(m, gallery),
        "calibration": _calibration(m.score),
        "speed": describe_speed(epochs) if epochs else None,
        "ledger": describe_ledger(m.ledger, m.splits, m.score) if m.ledger is not None else None,
        "again": {
            "commands": commands(m.run, m.samples, m.splits),
            "environment": environment_facts(about.get("environment", {})),
        },
    }  # fmt: skip


def _digests(m: Material, about: dict[str, Any]) -> list[tuple[str, str]]:
    made = dict(m.score.digests) if m.score else {}
    environment = digest_of(about["environment"]) if about.get("environment") else None
    known = [
        ("data", m.samples.digest), ("split", m.splits.digest), ("recipe", m.run.recipe.digest),
        ("preprocessing", made.get("preprocessing") or about.get("preprocessing")),
        ("weights", made.get("weights") or about.get("weights")),
        ("predictions", made.get("predictions")), ("environment", made.get("environment") or environment),
    ]  # fmt: skip
    return [(name, value) for name, value in known if value]


def _recipe(run: Run, about: dict[str, Any], epochs: Sequence[Any]) -> dict[str, Any]:
    return {
        "line": str(run.recipe), "rows": recipe_rows(run.recipe), "json": _indented(plain(run.recipe)),
        "curves": curves(epochs) if epochs else [], "best": _kept_weights(about.get("best") or {}, epochs),
    }  # fmt: skip


def _kept_weights(best: dict[str, Any], epochs: Sequence[Any]) -> str:
    epoch = next((line["epoch"] for line in epochs if line.get("step") == best.get("step")), None)
    if epoch is None or best.get("val_top1") is None:
        return ""
    return f"The weights kept are those after epoch {epoch}, with top-1 {percent(best['val_top1'])} on val."


def _indented(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _mistakes(m: Material, gallery: Gallery) -> dict[str, Any] | None:
    if m.score is None or m.score.predictions is None:
        return None
    return describe_mistakes(m.score, m.score.predictions, m.samples, gallery)


def _calibration(score: Score | None) -> dict[str, Any] | None:
    if score is None or score.predictions is None or not score.ece.n:
        return None
    told = (f"Expected calibration error {percent(score.ece.value)} [{interval(score.ece)}], 15 bins of equal width. "
            f"Negative log-likelihood {nats(score.nll.value)} nats "
            f"[{nats(score.nll.low)} – {nats(score.nll.high)}].")
    bins = [b for b in calibration(score.predictions) if b["n"]]
    return {"told": told, "figure": reliability(bins)}
