"""Every part of the benchmarks can be imported: they run by hand, long after what they import has moved."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import benchmarks

MODULES = [m.name for m in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")]


@pytest.mark.parametrize("name", MODULES)
def test_it_can_be_imported(name: str) -> None:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as e:
        if str(e.name).partition(".")[0] in {"sightline", "benchmarks", "tests"}:
            raise
        pytest.skip(f"{name} is of an environment with {e.name}")
