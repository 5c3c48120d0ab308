"""The verbs that need torch, applied to a study: check, train, predict, evaluate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline import checks, evaluation, inference, training
from sightline.artifacts import write_bytes, write_json
from sightline.audits import Findings
from sightline.checkpoint import load as load_checkpoint
from sightline.digests import digest_of, sha256_file
from sightline.errors import DataError, LedgerError, SplitError
from sightline.formats.class_folders import NOT_IMAGES
from sightline.inference.predicting import FITTED
from sightline.metrics import Score
from sightline.pipeline.data import read_hashed, read_splits
from sightline.pipeline.embedding import write_features
from sightline.pipeline.folds import FOLDS, scored_folds
from sightline.pipeline.outcome import Outcome
from sightline.pipeline.recipe import recipe_for
from sightline.pipeline.results import Results
from sightline.runs import Run, checkpoint_of
from sightline.samples import SampleTable
from sightline.splits import Split, Splits
from sightline.study import Study


def check(study: str | Path, *, recipe: str | None = None, changes: Sequence[str] = (), pretrained: bool = False,
          device: str = "auto") -> Outcome:  # fmt: skip
    """Go through the checklist before training."""
    home = Study.open(study)
    samples = read_hashed(home)
    splits = read_splits(home, samples)
    choice = recipe_for(samples, recipe, changes, pretrained=pretrained)
    checklist = checks.check(choice.recipe, samples, splits, device=device)
    value = checklist.to_json()
    write_json(home.checklist_path, value)
    home.record_artifact("checklist", digest_of(value))
    return Outcome(verb="check", summary=checklist.summary, facts=value, wrote=home.checklist_path,
                   digest=digest_of(value), details=tuple(str(checklist).splitlines()),
                   is_good=checklist.is_good)  # fmt: skip


def train(study: str | Path, *, recipe: str | None = None, changes: Sequence[str] = (), pretrained: bool = False,
          device: str = "auto", resume: bool = False) -> Outcome:  # fmt: skip
    """Fit a recipe to the training split."""
    home = Study.open(study)
    samples = read_hashed(home)
    splits = read_splits(home, samples)
    choice = recipe_for(samples, recipe, changes, pretrained=pretrained)
    run = training.train(choice.recipe, samples, splits, out=home.runs_path, device=device, resume=resume)
    home.record(latest_run=run.directory.name)
    facts = {"run": str(run.directory), "best": str(run.best), "recipe": choice.recipe.to_json(),
             "reason": choice.reason, **_reached(run)}  # fmt: skip
    named = f"{choice.recipe.name} ({choice.reason}) · {choice.recipe.model.name}"
    return Outcome(verb="train", summary=f"{named} · {_progress_of(run)}", facts=facts, wrote=run.directory,
                   digest=run.digest)  # fmt: skip


def has_finished_run(study: str | Path, *, recipe: str | None, changes: Sequence[str], pretrained: bool) -> bool:
    """Whether the study holds the finished run of this recipe on its present samples and splits."""
    home = Study.open(study)
    samples = read_hashed(home)
    wanted = (recipe_for(samples, recipe, changes, pretrained=pretrained).recipe.digest, samples.digest,
              read_splits(home, samples).digest)  # fmt: skip
    runs = [Run.open(path.parent) for path in home.runs_path.glob("*/run.json")]
    return any(
        run.is_finished and wanted == (run.about["recipe"], run.about["samples"], run.about["splits"]) for run in runs
    )


def _reached(run: Run) -> dict[str, Any]:
    epochs = [line for line in run.log() if line["kind"] == "epoch"]
    val = [line["val_top1"] for line in epochs if line.get("val_top1") is not None]
    return {
        "epochs": len(epochs),
        "best_val_top1": max(val, default=None),
        "images_per_s": epochs[-1]["images_per_s"] if epochs else None,
        "wait_share": epochs[-1]["wait_share"] if epochs else None,
    }


def _progress_of(run: Run) -> str:
    reached = _reached(run)
    parts = [f"{reached['epochs']} epochs"]
    if reached["images_per_s"] is not None:
        parts.append(f"{reached['images_per_s']:,.0f} img/s, loader wait {100 * reached['wait_share']:.1f} %")
    if reached["best_val_top1"] is not None:
        parts.append(f"best val top-1 {100 * reached['best_val_top1']:.1f} %")
    return " · ".join(parts)


def predict(model: str | Path, sources: Sequence[str], *, out: str | None = None, features: bool = False,
            with_test: bool = False, device: str = "auto") -> Outcome:  # fmt: skip
    """Classes and probabilities for images, or for every image in folders, written to `out` (.parquet or .csv).

    With `features` the one source is a study, and what the last layer is given for its samples is written instead.
    """
    if features:
        if len(sources) != 1:
            raise DataError(f"Features are those of one study's samples, got {len(sources)} sources. Give the study: "
                            f"sightline predict {model} STUDY --features")  # fmt: skip
        return write_features(model, sources[0], out=out or "features.parquet", device=device, with_test=with_test)
    if with_test:
        raise DataError("--with-test goes with --features; classes of a sealed test are for `sightline evaluate`.")
    out = out or "predictions.parquet"
    path = Path(out)
    if path.suffix not in {".parquet", ".csv"}:
        raise DataError(f"--out must end in .parquet or .csv, got {out!r}.")
    classifier = inference.load(checkpoint_of(model), device=device)
    predictions = classifier.predict([image for source in sources for image in _images_of(Path(source))])
    if path.suffix == ".csv":
        write_bytes(path, predictions.to_pandas().to_csv(index=False).encode())
    else:
        predictions.write(path)
    bad = int((~predictions.is_valid).sum())
    lines = [
        f"{key}  {' · '.join(f'{g.name} {100 * g.probability:.1f} %' for g in guesses) or status}"
        for key, guesses, status in zip(predictions.keys, predictions.top(3), predictions.status, strict=True)
    ]
    more = [f"… {len(lines) - 10:,} more in {path}"] if len(lines) > 10 else []
    listed = f" · {bad:,} unreadable, listed" if bad else ""
    return Outcome(verb="predict", summary=f"{len(predictions):,} images{listed}", details=(*lines[:10], *more),
                   facts={"images": len(predictions), "unreadable": bad}, wrote=path,
                   digest=predictions.digest)  # fmt: skip


def _images_of(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"{source} does not exist. Give images, or folders of images.")
    files = (p for p in source.rglob("*") if p.is_file() and not p.name.startswith("."))
    found = sorted(p for p in files if p.suffix.lower() not in NOT_IMAGES)
    if not found:
        raise DataError(f"{source} holds no images.")
    return found


def evaluate(study: str | Path, models: Sequence[str | Path] = (), *, split: str | None = None, note: str | None = None,
             device: str = "auto") -> Outcome:  # fmt: skip
    """Score checkpoints on val, and on test with one look for all of them, and write the scores beside each."""
    home = Study.open(study)
    samples = read_hashed(home)
    splits = read_splits(home, samples)
    checkpoints = [checkpoint_of(m) for m in models or (home.directory,)]
    parts = {"test": splits.test, "val": splits.val}  # test first: a look that needs a note is refused at once
    if split == "val" and note is not None:
        raise LedgerError("--note has no effect on val: looks are counted at the sealed test alone. Leave it out.")
    if not any(part is not None for name, part in parts.items() if split in {None, name}):
        raise SplitError(f"{home.directory} has no {split or 'val or test'} split. Make one: "
                         f"sightline split {home.directory} --{split or 'test'} 0.1")
    findings, is_stale = _findings(home, samples, splits)
    for checkpoint in checkpoints:
        _require_unseen(home, checkpoint, samples, splits, [part for part in parts if split in {None, part}])
    if splits.test is not None and split in {None, "test"}:  # found before the look, it costs none
        evaluation.require_unchanged(samples.take(np.array(splits.table["split"].to_pylist()) == "test"), "test")
    scored: dict[Path, dict[str, Score]] = {c: {} for c in checkpoints}
    for name, part in parts.items():
        if part is None or split not in {None, name}:
            continue
        of_look: dict[str, Any] = {"ledger": home.ledger_path, "note": note} if name == "test" else {}
        scores = evaluation.evaluate(checkpoints, samples, part, findings=findings, device=device, **of_look)
        for checkpoint, score in zip(checkpoints, (scores,) if isinstance(scores, Score) else scores, strict=True):
            scored[checkpoint][name] = score
            Results(checkpoint).write({name: score})  # after each split: a look is never lost to what follows
    told = _evaluated(home, scored)
    of_plan = {name: found for name in scored[checkpoints[0]]
               if (found := scored_folds(home, checkpoints[0], samples, splits, name)) is not None}  # fmt: skip
    facts = {name: {"of": of, **folds.to_json()} for name, (folds, of) in of_plan.items()}
    lines = [f"{'':9} {len(folds.each)} of {of} {FOLDS[name]}: {name} {folds}" for name, (folds, of) in of_plan.items()]
    if is_stale and "test" in scored[checkpoints[0]]:
        lines.append(f"{'':9} the findings are of other splits, so top-1 without leaks is not told: sightline audit "
                     f"{home.directory}")  # fmt: skip
    return replace(told, facts={**told.facts, **({"folds": facts} if facts else {})}, details=(*told.details, *lines))


def _findings(home: Study, samples: SampleTable, splits: Splits) -> tuple[Findings | None, bool]:
    """The study's findings, and whether there are some of other splits of the same samples alone, which say nothing of
    copies across these; those of other samples are refused where they are used."""
    if not home.findings_path.exists():
        return None, False
    findings = Findings.read(home.findings_path)
    of = findings.about.get("samples"), findings.about.get("splits")
    is_stale = of[0] == samples.digest and of[1] != splits.digest
    return None if is_stale else findings, is_stale


def _require_unseen(
    home: Study, checkpoint: Path, samples: SampleTable, splits: Splits, parts: Sequence[str]
) -> None:  # fmt: skip
    """Raise SplitError for a model that was fitted to samples which it is to be scored on now, before any is opened."""
    digests = load_checkpoint(checkpoint).digests
    fitted = {name: digests[part] for name, part in FITTED.items() if part in digests}
    former = home.former_splits_path(fitted.get("trained_on_splits", ""))  # of before a review
    then = Splits.read(former) if former.exists() else None
    now = list(zip(*(splits.table[name].to_pylist() for name in ("sample_id", "split")), strict=True))
    for part in parts:
        asked = Split(part, tuple(i for i, name in now if name == part), splits.digest)
        evaluation.require_unseen(checkpoint, fitted, samples, asked, then)


def _evaluated(home: Study, scored: Mapping[Path, Mapping[str, Score]]) -> Outcome:
    first, *others = scored
    facts = facts_of(home, first, scored[first])
    if others:
        facts["models"] = [{"model": str(c), **facts_of(home, c, scored[c])} for c in scored]
    path = Results(first).scores_path
    headline = scored[first].get("test") or scored[first]["val"]
    rest = [(c, score) for c in scored for score in scored[c].values() if score is not headline]
    lines = [f"{'':9} {f'{c.parent.name}/{c.name} ' if others else ''}{score}" for c, score in rest]
    return Outcome(verb="evaluate", summary=str(headline), facts=facts, details=tuple(lines), wrote=path,
                   digest=sha256_file(path))  # fmt: skip


def facts_of(home: Study, checkpoint: Path, scores: Mapping[str, Score]) -> dict[str, Any]:
    """What `evaluate` and `run` tell programs: scores by split, the report's path, the digests behind the numbers."""
    of_split = {"samples", "split", "predictions", "environment"}  # differ between splits and stay with their scores
    behind = {k: v for score in scores.values() for k, v in score.digests.items() if k not in of_split}
    return {
        "splits": {name: score.to_json() for name, score in scores.items()},
        "report": str(home.report_path) if home.report_path.exists() else None,
        "digests": {**home.about["artifacts"], **behind, "checkpoint": sha256_file(checkpoint)},
    }
