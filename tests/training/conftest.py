"""Stripes to learn from, and runs that nothing interrupted."""

from __future__ import annotations

import pytest

from sightline.recipes import AdamW, Ema, Muon, TrainSize
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.training import train
from tests.training.material import divided, recipe, stripes

RECIPES = {
    "plain": recipe(),
    # Whatever has a state: averaged weights, moments, dropout, sizes that change, micro-batches that do not divide.
    "all": recipe(ema=Ema(decay=0.8), optimizer=AdamW(lr=0.01), micro_batch_size=5, clip_norm=0.5, train_sizes=(
        TrainSize(start=0, size=(8, 8)), TrainSize(start=0.6, size=(12, 12)))),
    "muon": recipe(optimizer=Muon(lr=0.1, head_lr=0.2)),
}  # fmt: skip


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[SampleTable, Splits]:
    samples = stripes(tmp_path_factory.mktemp("stripes"))
    return samples, divided(samples)


@pytest.fixture(scope="session")
def whole(data: tuple[SampleTable, Splits], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Runs that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole")
    return {name: train(r, *data, out=out) for name, r in RECIPES.items()}


@pytest.fixture(params=RECIPES)
def uninterrupted(request: pytest.FixtureRequest, whole: dict[str, Run]) -> Run:
    return whole[request.param]
