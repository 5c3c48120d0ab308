"""MNIST, read once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import sightline as sl
from sightline.samples import SampleTable


@pytest.fixture(scope="session")
def mnist(shared_data: Callable[[str], Path]) -> SampleTable:
    return sl.index(str(shared_data("mnist"))).hashed()
