"""The honest-split probe: patients, copies, and data where there is nothing to tell."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from sightline.audits.optimism import measured_optimism, optimism
from sightline.samples import SampleTable
from tests.audits.evidences import evidence_of
from tests.features.made import clusters
from tests.tables import sample, samples_of


def patients(count: int = 100, scans: int = 5, **known: Any) -> tuple[SampleTable, np.ndarray]:
    """Scans that are almost the same for each patient, who is ill by a coin."""
    rng = np.random.default_rng(0)
    who = np.arange(count).repeat(scans)
    features = rng.normal(0, 1, (count, 80))[who] + rng.normal(0, 0.1, (count * scans, 80))
    ill = rng.permutation(np.arange(count) % 2)[who]
    rows = [sample(f"{i:04d}", int(ill[i]), group=int(who[i]), **{k: v[i] for k, v in known.items()})
            for i in range(len(who))]  # fmt: skip
    return samples_of(rows, 2), features.astype(np.float32)


def test_patients() -> None:
    samples, features = patients()
    (finding,) = optimism(evidence_of(samples, features))
    facts = finding.evidence
    assert facts["naive"] > 0.9
    assert 0.35 < facts["honest"] < 0.65
    low, high = facts["interval"]
    assert low <= facts["gap"] == pytest.approx(facts["naive"] - facts["honest"], abs=2e-4)
    assert 0.2 < low < high < 0.7
    assert (facts["samples"], facts["units"]) == (500, 100)
    assert finding.level == "info"
    assert finding.sample_id is None


def test_near_copies_are_units_too() -> None:
    samples, features = patients()
    rows = [{**r, "group_id": r["key"]} for r in samples.table.to_pylist()]
    alone = samples_of(rows, 2)
    assert optimism(evidence_of(alone, features)) == []
    pairs = [(i, i + 1) for i in range(499) if i % 5 != 4]
    (finding,) = optimism(evidence_of(alone, features, pairs=pairs))
    assert finding.evidence["units"] == 100


def test_a_val_that_shares_patients_is_warned_about() -> None:
    homes = np.array(["val" if i % 5 == 0 else "train" for i in range(500)], object)
    samples, features = patients(split=homes)
    (finding,) = optimism(evidence_of(samples, features))
    assert finding.level == "warning"
    assert finding.evidence["parted"] == 100
    by_patient = np.array(["val" if i < 100 else "train" for i in range(500)], object)
    (finding,) = optimism(evidence_of(patients(split=by_patient)[0], features))
    assert (finding.level, finding.evidence["parted"]) == ("info", 0)


def test_test_has_no_part() -> None:
    homes = np.array(["test" if i < 200 else "train" for i in range(500)], object)
    samples, features = patients(split=homes)
    wild = features.copy()
    wild[:200] = 1e3 * np.random.default_rng(1).normal(0, 1, (200, 80))
    (finding,) = optimism(evidence_of(samples, features))
    assert finding.evidence["samples"] == 300
    assert optimism(evidence_of(samples, wild))[0].evidence == finding.evidence


def test_groups_that_tell_nothing_are_no_finding() -> None:
    """Groups drawn at random: whole groups are as easy as single samples."""
    found = []
    for seed in range(20):
        features, labels = clusters(400, 3, 20, apart=0.7, seed=seed)
        groups = np.random.default_rng(seed).integers(0, 80, 400)
        samples = samples_of([sample(f"{i}", int(labels[i]), group=int(groups[i])) for i in range(400)], 3)
        found += optimism(evidence_of(samples, features))
    assert len(found) <= 1, "an interval of 95 % fails on this side once in forty times"


def test_the_interval_holds_the_gap_of_new_patients() -> None:
    """Units are what varies: of 20 draws of patients about 19 intervals hold what 20 draws give on average."""
    measured = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        who = np.arange(40).repeat(4)
        features = (rng.normal(0, 1, (40, 15))[who] + rng.normal(0, 0.6, (160, 15))).astype(np.float32)
        labels = (rng.normal(0, 1, 40) > 0).astype(int)[who]
        found = measured_optimism(features, np.arange(160), labels, who)
        assert found is not None
        measured.append(found)
    mean = np.mean([m.gap for m in measured])
    assert sum(m.low <= mean <= m.high for m in measured) >= 15
    assert np.mean([m.high - m.low for m in measured]) < 0.6


@pytest.mark.parametrize(
    "groups", [list(range(200)), [0] * 200, [i % 8 for i in range(200)]], ids=["alone", "one", "eight"]
)
def test_nothing_to_tell(groups: list[int]) -> None:
    features, labels = clusters(200, 2)
    samples = samples_of([sample(f"{i}", int(labels[i]), group=groups[i]) for i in range(200)], 2)
    assert optimism(evidence_of(samples, features)) == []


def test_many_samples_are_a_part_of_whole_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("sightline.audits.optimism"), "MOST", 200)
    samples, features = patients()
    (finding,) = optimism(evidence_of(samples, features))
    assert finding.evidence["samples"] == 200
    assert finding.evidence["units"] == 40
