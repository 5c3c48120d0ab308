"""The list of contenders holds together: names, environments, files, and what the results are measured against."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.contenders import CONTENDERS, Contender, chosen
from benchmarks.loading import REFERENCE

from benchmarks import environments, jobs

PEERS = Path(__file__).resolve().parents[2] / "benchmarks" / "peers"


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda c: c.name)
def test_each_contender_has_what_it_names(contender: Contender) -> None:
    assert contender.job in jobs.BY_NAME
    assert contender.environment in environments.BY_NAME
    assert contender.name.startswith(f"{contender.job}-")
    assert contender.settings
    source = (PEERS / f"{contender.peer}.py").read_text()
    assert "\ndef setup(" in source
    for option in contender.options:
        assert f"{option}:" in source  # a keyword of setup


def test_names_are_unique_and_every_peer_takes_part() -> None:
    assert len({c.name for c in CONTENDERS}) == len(CONTENDERS)
    apart = {"__init__", "files", "transforms"}
    assert {c.peer for c in CONTENDERS} == {p.stem for p in PEERS.glob("*.py")} - apart


def test_every_environment_is_used_and_pinned() -> None:
    assert {c.environment for c in CONTENDERS} == set(environments.BY_NAME)
    for environment in environments.ENVIRONMENTS:
        assert all("==" in r for r in environment.requirements)


def test_the_reference_and_the_baselines_take_part() -> None:
    names = {c.name for c in CONTENDERS}
    assert REFERENCE in names
    assert {f"{job}-torch-pillow-{w}" for job in ("train", "eval", "cifar10") for w in (0, 2)} <= names


def test_contenders_are_chosen_by_job_environment_or_name() -> None:
    assert chosen("") == CONTENDERS
    assert {c.name for c in chosen("ffcv, order-torch")} == {
        "train-ffcv-jpeg", "train-ffcv-raw", "cifar10-ffcv", "order-torch"
    }  # fmt: skip
    assert {c.job for c in chosen("eval")} == {"eval"}
    with pytest.raises(ValueError, match=r"'evil'.*There are: train, own, train-sightline-files"):
        chosen("eval,evil")
