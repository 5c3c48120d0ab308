"""A contender's turn in a process of its own, with a real loader and with one that fails."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.contenders import CONTENDERS
from benchmarks.environments import BY_NAME, Environment, UnavailableError, interpreter, reason_of
from benchmarks.jobs import TRAIN
from benchmarks.measure import described, versions
from benchmarks.turns import Turn

OWN = next(c for c in CONTENDERS if c.name == "train-sightline-files")
CPUS = sorted(os.sched_getaffinity(0))[:2]


def test_a_round_of_a_real_loader(photo_folder: Path, tmp_path: Path) -> None:
    turn = Turn(OWN, Path(sys.executable), photo_folder / "train", tmp_path, CPUS)
    turn.prepare()
    assert turn.storage() == 1
    found = turn.time(0.0)
    assert found.images == 48
    assert found.wall > 0
    assert found.cpu > 0
    assert found.pss > 50e6  # torch alone is more
    assert abs(found.mean) < 2
    assert 0.1 < found.std < 3
    assert {"sightline", "torch"} <= turn.versions.keys()


def test_a_contender_that_fails_says_why(tmp_path: Path) -> None:
    turn = Turn(replace(OWN, peer="nobody"), Path(sys.executable), tmp_path, tmp_path, CPUS)
    with pytest.raises(UnavailableError, match=r"^growth: ModuleNotFoundError: .*nobody"):
        turn.growth(2)
    with pytest.raises(UnavailableError, match=r"^prepare: "):
        turn.prepare()


def batch(dtype: type = np.float32, size: int = 224, labels: int = 2) -> tuple[np.ndarray, np.ndarray]:
    return np.full((2, 3, size, size), 2, dtype), np.zeros(labels)


def test_batches_are_described() -> None:
    found = described(TRAIN, iter([batch(), batch()]))
    assert found == {"images": 4, "mean": 2.0, "std": 0.0}


@pytest.mark.parametrize("wrong", [batch(np.float64), batch(size=223), batch(labels=3)])
def test_batches_of_another_kind_are_refused(wrong: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="wanted Job"):
        described(TRAIN, iter([batch(), wrong]))


def test_versions_of_what_is_there() -> None:
    assert versions(("numpy", "no-such-distribution")) == {"numpy": np.__version__}


def test_the_drivers_own_environment_needs_nothing(tmp_path: Path) -> None:
    assert interpreter(BY_NAME["own"], tmp_path) == Path(sys.executable)
    assert not list(tmp_path.iterdir())


def test_a_peer_that_cannot_be_installed_says_why(tmp_path: Path) -> None:
    missing = Environment(name="missing", requirements=(str(tmp_path / "no-such-wheel.whl"),), needs="a wheel")
    with pytest.raises(UnavailableError, match=r"^pip: .*no-such-wheel.* \(it needs a wheel\)$"):
        interpreter(missing, tmp_path / "environments")
    assert not (tmp_path / "environments" / "missing" / "installed.txt").exists()


def test_the_reason_is_the_last_error_line() -> None:
    assert reason_of("WARNING: x\nERROR: first\n  error\nERROR: last\nnote: y\n") == "pip: ERROR: last"
    assert reason_of("") == "pip: pip said nothing"
