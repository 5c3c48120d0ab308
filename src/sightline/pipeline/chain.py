"""The verb `run`: the whole job on a source, one line a stage."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from sightline import audits, indexing
from sightline.digests import digest_of_rows
from sightline.errors import RecipeError
from sightline.images import resolve_root
from sightline.ledger import Ledger
from sightline.metrics import Score
from sightline.pipeline import data, listing, models, page, splitting
from sightline.pipeline.outcome import Outcome
from sightline.pipeline.recipe import recipe_for
from sightline.pipeline.results import Results
from sightline.runs import checkpoint_of
from sightline.samples import SampleTable
from sightline.splits import Request, Splits
from sightline.study import Study

MANY = 10_000
"""Images beyond which `run` leaves the long checks to `audit`: near copies, features and labels of CIFAR-10 take ten
minutes of a processor, a training of MNIST two."""


def run(source: str, study: str | Path, *, limit: float | None = None, classes: Sequence[str] | None = None,
        group: Sequence[str] = (), time: str | None = None, by: str | None = None, val: float | str | None = None,
        test: float | None = None, recipe: str | None = None, changes: Sequence[str] = (), pretrained: bool = False,
        device: str = "auto", resume: bool = False, note: str | None = None,
        tell: Callable[[str], None] = print) -> Outcome:  # fmt: skip
    """The number and the page behind it: index, split, audit, check, train, evaluate and report, in this order.

    What the study holds already is kept where it is still true: the table while the source is the same, the split
    while the table is and no other is asked for. `tell` gets a line for each stage as it ends. Raises LedgerError
    before the training when the look at the test split will need a note, RecipeError when the checklist fails.
    """
    asked: dict[str, Any] = {"by": by, "val": val, "test": test}
    Request(by=by or "auto", val=val, test=test)  # a mistake is told before the source is listed
    home = Path(study)
    reading: dict[str, Any] = {"limit": limit, "classes": classes, "group": tuple(group), "time": time}
    fitting: dict[str, Any] = {"recipe": recipe, "changes": changes, "pretrained": pretrained, "device": device}

    def stage(work: Callable[[], Outcome]) -> Outcome:
        start = clock.monotonic()
        outcome = work()
        seconds = clock.monotonic() - start
        tell(f"{outcome}{f' · {seconds:.0f} s' if seconds >= 0.5 else ''}")
        return outcome

    stage(lambda: _index(source, home, reading))
    # A word that is misspelt is told before the audit, not after it.
    recipe_for(Study.open(home).read_samples(), recipe, changes, pretrained=pretrained)
    stage(lambda: _split(home, asked))
    stage(lambda: _audit(home))
    _require_look(home, note)
    checked = stage(lambda: models.check(home, **fitting))
    if not checked.is_good:
        raise RecipeError("\n".join(["The checklist fails, so nothing was trained:", *_failures(checked)]))
    # Training again what is finished would give the same bits; an interrupted run waits for --resume.
    finished = models.has_finished_run(home, recipe=recipe, changes=changes, pretrained=pretrained)
    stage(lambda: models.train(home, **fitting, resume=resume or finished))
    if _is_measurable(home):
        stage(lambda: models.evaluate(home, note=note, device=device))
    reported = stage(lambda: page.report(home))
    scores = Results(checkpoint_of(home)).read()
    facts = models.facts_of(Study.open(home), checkpoint_of(home), scores)
    return Outcome(verb="run", summary=f"{_headline(scores)} · {reported.wrote}", facts=facts, is_whole=True)


def _index(source: str, home: Path, reading: dict[str, Any]) -> Outcome:
    if home.exists():
        Study.create(home)
    samples = indexing.index(source, **reading)
    if (home / "samples.parquet").exists() and (home / "classes.parquet").exists():
        study = Study.open(home)
        old = study.read_samples()
        first = study.path_before_reviews(old)  # what a review changed is no change of the source
        indexed = old if first == study.samples_path else SampleTable.read(first, study.classes_path)
        if _same_source(indexed, samples) and not _changed_since(old, first.stat().st_mtime):
            return Outcome(verb="index", summary=f"{listing.described(old)} · unchanged, kept")
    return listing.write_samples(home, source, samples)


def _same_source(old: SampleTable, new: SampleTable) -> bool:
    def identity(samples: SampleTable) -> list[Any]:
        return [samples.digest, samples.name, dict(samples.roots), dict(samples.subset),
                digest_of_rows(samples.table.select(["image"]))]  # fmt: skip

    return identity(old) == identity(new)


def _changed_since(samples: SampleTable, moment: float) -> bool:
    """Whether a file of the source was written after `moment`: equal names and sizes are not yet equal pixels."""
    image = samples.table["image"].combine_chunks()
    places = pa.table({name: image.field(name).cast(pa.string()) for name in ("root", "path")})
    roots = {alias: resolve_root(address) for alias, address in samples.roots.items()}
    paths = (roots[row["root"]] / row["path"] for row in places.group_by(["root", "path"]).aggregate([]).to_pylist())
    return any(path.exists() and path.stat().st_mtime > moment for path in paths)


def _split(home: Path, wish: dict[str, Any]) -> Outcome:
    study = Study.open(home)
    if set(wish.values()) == {None} and study.splits_path.exists():
        old = Splits.read(study.splits_path)
        if old.samples_digest == study.read_samples().digest:
            return splitting.split_outcome(study, old, is_kept=True)
    return splitting.split(home, **wish)


def _audit(home: Path) -> Outcome:
    """Of many images the quick checks alone: the long ones may take longer than the training."""
    is_large = len(Study.open(home).read_samples()) > MANY
    long = tuple(c.name for c in audits.CHECKS if c.is_long) if is_large else ()
    audited = data.audit(home, without=long)
    if not long:
        return audited
    return replace(audited, summary=f"{audited.summary} · left for `sightline audit {home}`: {', '.join(long)}")


def _is_measurable(home: Path) -> bool:
    splits = Splits.read(Study.open(home).splits_path)
    return splits.val is not None or splits.test is not None


def _require_look(home: Path, note: str | None) -> None:
    """An hour of training should not end in a refusal: the note is asked for before."""
    study = Study.open(home)
    sealed = Splits.read(study.splits_path).test
    if sealed is not None:
        Ledger(study.ledger_path).require(sealed, note)


def _failures(checked: Outcome) -> list[str]:
    return [f"  {c['name']}: {c['message']} {c['todo']}" for c in checked.facts["checks"] if c["level"] == "fail"]


def _headline(scores: dict[str, Score]) -> str:
    score = scores.get("test") or scores.get("val")
    if score is None:
        return "no number: there is no val and no test to measure on"
    origin = "selected on val, there is no test set" if score.look is None else f"look {score.look} at the test set"
    return f"{score.split} top-1 {replace(score.top1, look=None)} · {origin}"
