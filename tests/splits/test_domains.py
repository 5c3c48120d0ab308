"""Divisions by domain: the test is a domain that training never saw."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sightline.errors import SplitError
from sightline.splits import folds, split
from tests.splits.material import reasons
from tests.tables import sample, samples_of

SITES = ("Basel", "Bern", "Genf")
ROWS = [sample(f"{site}/{p}/{i}", i % 2, group=f"{site} {p}", groups={"site": site})
        for site in SITES for p in range(5) for i in range(4)]  # fmt: skip
SAMPLES = samples_of(ROWS, 2)


def test_each_fold_tests_one_domain() -> None:
    every = list(folds(SAMPLES, by="domain", domain="site"))
    assert [s.how["tested"] for s in every] == [["Basel"], ["Bern"], ["Genf"]]
    assert [s.sizes for s in every] == [{"train": 36, "val": 4, "test": 20, "left_out": 0}] * 3
    assert {s.folds for s in every} == {3}
    assert set(reasons(every[0]).values()) == {"site Basel", "site Bern", "site Genf"}


def test_a_domain_can_be_named() -> None:
    splits = split(SAMPLES, by="domain", domain="site=Bern,Genf", val=0.0)
    assert splits.sizes == {"train": 20, "val": 0, "test": 40, "left_out": 0}
    assert splits.folds == 0
    assert splits.how["test"] == "site Bern, Genf"


def test_a_name_may_hold_commas() -> None:
    rows = [{**row, "groups": [{**g, "id": g["id"].replace("Bern", "Bern, Insel")} for g in row["groups"]]}
            for row in ROWS]  # fmt: skip
    splits = split(samples_of(rows, 2), by="domain", domain="site=Bern, Insel,Genf")
    assert splits.how["tested"] == ["Bern, Insel", "Genf"]


def test_val_can_be_a_domain_too() -> None:
    every = list(folds(SAMPLES, by="domain", domain="site", inner=2))
    assert [(s.how["fold"], s.how["inner_fold"]) for s in every] == [(f, i) for f in range(3) for i in range(2)]
    assert {(len(s.train), len(s.val or ()), len(s.test or ())) for s in every} == {(20, 20, 20)}


def test_a_patient_of_two_sites_is_left_out_of_train_and_val() -> None:
    rows = [*ROWS, *(sample(f"moved/{site}", 0, group="moved", groups={"site": site}) for site in SITES[:2])]
    splits = split(samples_of(rows, 2), by="domain", domain="site", fold=0)
    assert splits.left_out == {"its group is in test": 1}
    assert split(samples_of(rows, 2), by="domain", domain="site", fold=2).left_out == {}


def test_samples_of_no_domain_are_left_out() -> None:
    splits = split(samples_of([*ROWS, sample("lost", 0, group="lost")], 2), by="domain", domain="site")
    assert splits.left_out == {"of no site": 1}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "Say: --by domain --domain KIND"),
        ({"domain": "sight"}, "Did you mean 'site'"),
        ({"domain": "site=Benr"}, "Did you mean 'Bern'"),
        ({"domain": "site", "fold": 3}, "has 3 (Basel, Bern, Genf), got folds 0 and fold 3"),
        ({"domain": "site", "folds": 5}, "got folds 5 and fold 0"),
        ({"domain": "site=Bern", "fold": 1}, "leave out fold 1"),
        ({"domain": "site", "inner": 5}, "got inner 5"),
        ({"domain": "site", "test": 0.2}, "The test is what the domain says"),
        ({"domain": "site=Basel,Bern,Genf"}, "nothing is left to train on"),
    ],
)
def test_refusals(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SplitError, match=re.escape(said)):
        split(SAMPLES, by="domain", **options)
    if "domain" in options:
        with pytest.raises(SplitError, match=r"by domain names the kind|leave out test"):
            split(SAMPLES, by="group", **options)


def test_a_sample_of_two_domains_is_refused() -> None:
    both = {**sample("both", 0), "groups": [{"kind": "site", "id": "Bern"}, {"kind": "site", "id": "Genf"}]}
    with pytest.raises(SplitError, match="both is in several groups of kind 'site'"):
        split(samples_of([*ROWS, both], 2), by="domain", domain="site")


def test_one_domain_cannot_be_left_out() -> None:
    with pytest.raises(SplitError, match=r"To leave out one site takes two, and made has 1 \(Bern\)"):
        split(SAMPLES.take(range(20, 40)), by="domain", domain="site")
