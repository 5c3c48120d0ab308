"""A study to review: photos with official splits, and findings of every kind, made by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sightline import indexing
from sightline.audits import Finding, Findings
from sightline.samples import SampleTable
from sightline.splits import Splits, split
from sightline.study import Study
from tests.conftest import save_photo

HOSTILE = "<img src=x onerror=alert(1)> & \"friends\""
"""A class's name that would do harm, or break the page, if it were read as HTML."""

NAMES = ("bright", "dark", HOSTILE)


@dataclass(frozen=True, kw_only=True)
class Material:
    """A study's parts."""

    study: Study
    samples: SampleTable
    splits: Splits
    findings: Findings

    def id_of(self, key: str) -> bytes:
        return dict(zip(self.samples.column("key"), self.samples.column("sample_id"), strict=True))[key]


def make(directory: Path) -> Material:
    """A study in `directory` with its photos beside it: 12, 4 and 4 photos a class in train, val and test."""
    root, seed = directory / "photos", 0
    for part, count in (("train", 12), ("val", 4), ("test", 4)):
        for name, level in zip(NAMES, (130, 0, 60), strict=True):
            for i in range(count):
                save_photo(root / part / name / f"{i:03d}.jpg", seed, (400, 300) if i % 2 else (40, 32), level)
                seed += 1
    study = Study.create(directory / "study")
    samples = indexing.index(root).hashed()
    study.write_samples(samples)
    study.record(name=samples.name, source=str(root))
    samples = study.read_samples()
    splits = split(samples)
    splits.write(study.splits_path)
    findings = findings_on(samples, splits)
    findings.write(study.findings_path)
    return Material(study=study, samples=samples, splits=splits, findings=findings)


def findings_on(samples: SampleTable, splits: Splits) -> Findings:
    """Six copies in train and test, four wrong labels, an unreadable one, and a class that is told by its border."""
    ids = dict(zip(samples.column("key"), samples.column("sample_id"), strict=True))

    def pair(i: int) -> Finding:
        a, b = f"train/bright/{i:03d}.jpg", f"test/bright/{i % 4:03d}.jpg"
        return Finding(level="error", subject=a, message="same pixels, in train and test", score=1 - i / 100,
                       sample_id=ids[a], related_id=ids[b], splits=("train", "test"),
                       evidence={"related": b, "copies": 2, "angle": 0.123456, "flipped": True})  # fmt: skip

    def label(i: int) -> Finding:
        a, b = f"train/dark/{i:03d}.jpg", f"val/bright/{i:03d}.jpg"
        return Finding(level="warning", subject=a, message="probably bright", score=0.9 - i / 100, sample_id=ids[a],
                       related_id=ids[b], evidence={"suggested": 1, "probabilities": {"given": 0.02, "suggested": 0.9}})

    odd = "train/dark/009.jpg"
    single = [
        Finding(level="info", subject=odd, message=text, score=0.4, sample_id=ids[odd])
        for text in ("dark", "blurred")
    ]
    keys = samples.column("key")
    told = Finding(level="warning", subject=HOSTILE, message="told by its border", score=0.8, evidence={"galleries": [
        {"title": f"with it: {HOSTILE}", "ids": [ids[k].hex() for k in keys if k.startswith(f"train/{HOSTILE}")][:6]},
        {"title": "without it", "ids": [ids[k].hex() for k in keys if k.startswith("test/")][:6]},
    ]})  # fmt: skip
    about = {"samples": samples.digest, "splits": splits.digest}
    return Findings.of([("class-balance", []), ("quality", single), ("exact-duplicates", [pair(i) for i in range(6)]),
                        ("label-errors", [label(i) for i in range(4)]), ("shortcuts", [told])], about)  # fmt: skip
