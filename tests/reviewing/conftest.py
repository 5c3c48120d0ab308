"""A study that each test may change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reviewing.material import Material, make


@pytest.fixture
def made(tmp_path: Path) -> Material:
    """A study of its own for the test."""
    return make(tmp_path)
