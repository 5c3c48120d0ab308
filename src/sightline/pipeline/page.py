"""The verb `report`, applied to a study."""

from __future__ import annotations

from pathlib import Path

from sightline import reporting
from sightline.artifacts import read_json
from sightline.audits import Findings
from sightline.checklist import Checklist
from sightline.digests import sha256_file
from sightline.errors import DataError
from sightline.ledger import Ledger
from sightline.pipeline.data import read_hashed, read_splits
from sightline.pipeline.outcome import Outcome
from sightline.pipeline.results import Results
from sightline.runs import Run, latest_run
from sightline.study import Study


def report(study: str | Path) -> Outcome:
    """Write report.html about the study's latest run."""
    home = Study.open(study)
    samples = read_hashed(home)
    splits = read_splits(home, samples)
    run = Run.open(latest_run(home), samples, splits)
    scores = Results(run.best).read()
    if not scores and (splits.val is not None or splits.test is not None):
        raise DataError(f"{run.directory} has no scores yet. Make them: sightline evaluate {home.directory}")
    val = scores.get("val")
    findings = Findings.read(home.findings_path) if home.findings_path.exists() else None
    checklist = Checklist.from_json(read_json(home.checklist_path)) if home.checklist_path.exists() else None
    ledger = Ledger(home.ledger_path) if home.ledger_path.exists() else None
    path = reporting.report(run, findings, scores.get("test") or val, to=home.report_path, scores=val,
                            checklist=checklist, ledger=ledger)  # fmt: skip
    digest = sha256_file(path)
    home.record_artifact("report", digest)
    return Outcome(verb="report", summary=str(path), facts={"report": str(path)}, wrote=path, digest=digest)
