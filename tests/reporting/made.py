"""A small study made by the real parts, but for the network: its logits are invented."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sightline import indexing, recipes
from sightline.audits import Finding, Findings, audit
from sightline.checklist import Check, Checklist
from sightline.ledger import Ledger
from sightline.metrics import Score, score
from sightline.predictions import Predictions
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import Splits, split
from tests.conftest import save_photo

HOSTILE = "<img src=x onerror=alert(1)> & \"friends\" {{ 7 * 7 }}"
"""A folder's name that would do harm, or break the page, if it were not escaped."""

NAMES = ("bright", "dark", HOSTILE, "a class with quite a long name that no axis has room for")

WEIGHTS = "ab" * 32


@dataclass(frozen=True, kw_only=True)
class Made:
    """Everything that a report can be made from."""

    run: Run
    findings: Findings
    test: Score
    val: Score
    checklist: Checklist
    ledger: Ledger

    @property
    def samples(self) -> SampleTable:
        assert self.run.samples is not None
        return self.run.samples

    @property
    def splits(self) -> Splits:
        assert self.run.splits is not None
        return self.run.splits


def make(directory: Path) -> Made:
    """A study in `directory`: four classes, official splits, one leak, one file that is no image."""
    samples = indexing.index(_photos(directory / "photos")).hashed()
    splits = split(samples)
    findings = _findings(samples, splits)
    recipe = recipes.get("photo.scratch")
    about = {"model": {"num_parameters": 12_345}, "preprocessing": "cd" * 32,
             "environment": {"python": "3.11.2", "torch": "2.9.0", "device": "cpu", "accelerator": None}}  # fmt: skip
    run = Run.create(directory / "runs", recipe, samples, splits, about)
    _train(run)
    run.record(finished=True, best={"step": 40, "val_top1": 0.8}, weights=WEIGHTS)
    ledger = Ledger(directory / "ledger.jsonl")
    assert splits.test is not None
    assert splits.val is not None
    look, ids = ledger.open(splits.test, checkpoints=[WEIGHTS], verb="run", note="<script>alert(2)</script>")
    test = _score(samples, splits, "test", ids, findings.leaked_test_ids(), look.number)
    ledger.record(look, {"top1": test.top1.to_json()})
    checklist = Checklist((
        Check(name="layout", level="pass", message="4 classes, labels match."),
        Check(name="precision", level="warn", message="float32 is slow here.", todo="Nothing on this machine."),
    ), {"training_min": 1.5, "memory_mib": 512})  # fmt: skip
    return Made(run=run, findings=findings, test=test, val=_score(samples, splits, "val", splits.val.ids),
                checklist=checklist, ledger=ledger)  # fmt: skip


def _photos(root: Path) -> Path:
    seed = 0
    for part, count in (("train", 20), ("val", 6), ("test", 12)):
        for name, level in zip(NAMES, (130, 0, 60, 90), strict=True):
            for i in range(count):
                save_photo(root / part / name / f"{i:03d}.jpg", seed, (40 + i, 180 if i % 2 else 90), level)
                seed += 1
    rgba = np.random.default_rng(0).integers(0, 255, (30, 30, 4), dtype=np.uint8)
    Image.fromarray(rgba).save(root / "train" / "dark" / "alpha.png")
    Image.fromarray(rgba[..., 0].astype(np.uint16) << 8).save(root / "train" / "dark" / "deep.png")
    (root / "test" / "dark" / "torn.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    shutil.copy(root / "train" / "bright" / "000.jpg", root / "test" / "bright" / "copy.jpg")
    return root


def _findings(samples: SampleTable, splits: Splits) -> Findings:
    """The audit's own on copies and counts; invented ones for what takes real photographs to find."""
    found = audit(samples, splits, checks=["exact-duplicates", "class-balance", "class-counts", "unreadable"])
    train = list(splits.train.ids)
    bright, dark = [i.hex() for i in train[:16]], [i.hex() for i in train[20:30]]
    mark = Finding(
        level="warning", subject=HOSTILE, score=0.9, message="brightness of the top right corner ≥ 0.97: 31 of 32",
        evidence={"galleries": [{"title": f"{HOSTILE}, light corner", "ids": bright},
                                {"title": "without it", "ids": dark}]},
    )  # fmt: skip
    queue = [Finding(
        level="info", subject=samples.column("key")[i], score=0.9, message="labelled bright, looks like dark",
        sample_id=samples.column("sample_id")[i], related_id=train[25],
        evidence={"suggested": 1, "probabilities": {"given": 0.04, "suggested": 0.93}},
    ) for i in range(3)]  # fmt: skip
    alike = Finding(level="info", subject="a", message="very similar (0.61)", score=0.6, sample_id=train[0],
                    related_id=train[1], evidence={"certain": False})  # fmt: skip
    invented = [("shortcuts", [mark]), ("label-errors", queue), ("near-duplicates", [alike])]
    return found.merge(Findings.of(invented, found.about))


def _train(run: Run) -> None:
    run.write_line({"kind": "start", "step": 0, "total_steps": 60, "epochs": 6})
    for e in range(6):
        run.write_line({"kind": "epoch", "epoch": e + 1, "step": 10 * (e + 1), "lr": 0.1 - 0.01 * e,
                        "train_loss": 2 / (e + 1), "val_top1": 0.5 + 0.06 * e, "val_nll": 1.5 / (e + 1),
                        "images_per_s": 900.0 + e, "wait_share": 0.01 * e, "time_s": 2.0})  # fmt: skip


def _score(
    samples: SampleTable, splits: Splits, name: str, ids: tuple[bytes, ...], leaked: Iterable[bytes] = (),
    look: int | None = None,
) -> Score:  # fmt: skip
    rows = samples.take(samples.positions(ids))
    logits = np.random.default_rng(len(ids)).normal(0, 1, (len(rows), len(samples.classes)))
    logits[np.arange(len(rows)), rows.labels] += 2
    unreadable = dict.fromkeys(np.flatnonzero(~rows.is_ok).tolist(), "damaged jpeg")
    part = {"test": splits.test, "val": splits.val}[name]
    assert part is not None
    digests = {"weights": WEIGHTS, "trained_on_samples": samples.digest, "trained_on_splits": splits.digest,
               "preprocessing": "cd" * 32, "environment": "ef" * 32, "split": part.digest}  # fmt: skip
    meta = {"digests": digests, "environment": {"torch": "2.9.0"}}
    predictions = Predictions.from_logits(rows, logits.astype(np.float32), unreadable=unreadable, meta=meta)
    return score(predictions, name, leaked=leaked, look=look)
