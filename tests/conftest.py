"""Fixtures for the whole suite: data beside the project, an isolated log of the user's looks, small image folders."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from PIL import Image

# The suite answers alike each time it runs; `make search` looks for examples that nobody has seen yet.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.register_profile("search", derandomize=False, print_blob=True)
hypothesis.settings.load_profile("same")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks made by tests never reach the log of the person who runs them."""
    monkeypatch.setenv("SIGHTLINE_STATE", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(autouse=True)
def _foreground() -> Iterator[None]:
    """SIGINT as a terminal's foreground gives it: a suite that runs in a shell's background is told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """`shared_data("mnist")` is the folder of that data set, or skips the test."""

    def folder(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"{name} is not beside the project (../shared/data/{name})")
        return path

    return folder


def save_photo(path: Path, seed: int, size: tuple[int, int] = (40, 32), level: int = 0) -> None:
    """A JPEG of smooth random blobs; `level` shifts its brightness, so that classes can be learnt."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 120, (5, 5, 3), dtype=np.uint8) + np.uint8(level)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, "JPEG", quality=92)


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """A tree of train/val/test folders with the classes `bright` and `dark`: 24, 8 and 8 photos a class."""
    root = tmp_path / "photos"
    seed = 0
    for split, count in (("train", 24), ("val", 8), ("test", 8)):
        for name, level in (("bright", 130), ("dark", 0)):
            for i in range(count):
                save_photo(root / split / name / f"{i:03d}.jpg", seed, level=level)
                seed += 1
    return root
