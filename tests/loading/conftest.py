"""Small arrays and photographs, and loaders over them in every usual way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sightline.loading import Loader
from sightline.samples import SampleTable
from tests.conftest import save_photo
from tests.loading.material import CASES, PHOTO, TINY, N
from tests.loading.tables import table_of_arrays, table_of_files


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> SampleTable:
    values = np.random.default_rng(0).integers(0, 256, (N, 12, 10, 3), dtype=np.uint8)
    return table_of_arrays(tmp_path_factory.mktemp("arrays"), values)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SampleTable:
    folder = tmp_path_factory.mktemp("files")
    for i in range(N):
        save_photo(folder / f"{i:02d}.jpg", i, size=(30 + i % 7, 41 - i % 5))
    return table_of_files(folder, [f"{i:02d}.jpg" for i in range(N)])


@pytest.fixture(scope="module")
def sources(arrays: SampleTable, files: SampleTable) -> dict[str, SampleTable]:
    return {"arrays": arrays, "files": files}


@pytest.fixture(params=CASES)
def make(request: pytest.FixtureRequest, arrays: SampleTable, files: SampleTable) -> Callable[..., Loader]:
    kind, transforms = CASES[request.param]

    def build(**change: Any) -> Loader:
        source, contract = (arrays, TINY) if kind == "arrays" else (files, PHOTO)
        facts = {"preprocessing": contract, "augmentation": transforms, "batch_size": 8, "seed": 3, "threads": 0}
        return Loader(source, **{**facts, **change})

    return build
