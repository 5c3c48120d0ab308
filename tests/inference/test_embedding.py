"""A network's features: what its last layer is given, for every sample that can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from sightline.errors import ContractError, DataError
from sightline.features import read_embeddings, write_embeddings
from sightline.inference.embedding import embed
from sightline.samples import Classes, SampleTable
from tests.inference.material import classifier_for, contract_for, small_net
from tests.training.material import stripes


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleTable:
    return stripes(tmp_path_factory.mktemp("stripes"), n=60)


def test_the_last_layer_makes_the_predictions_of_them(samples: SampleTable) -> None:
    classifier = classifier_for(samples)
    found = embed(classifier, samples, batch_size=13)
    assert found.ids == samples.column("sample_id")
    assert found.values.dtype == np.float32
    last = list(classifier.module.modules())[-1]
    assert isinstance(last, nn.Linear)
    logits = last(torch.from_numpy(found.values)).detach().numpy()
    assert np.allclose(logits, classifier.predict(samples).logits, atol=1e-5)
    assert found.meta["digests"]["samples"] == samples.digest


def test_maps_are_averaged(samples: SampleTable) -> None:
    class Convolutional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Conv2d(1, 5, 3)
            self.head = nn.Conv2d(5, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.body(x)).mean((2, 3))

    torch.manual_seed(0)
    classifier = classifier_for(samples, Convolutional())
    found = embed(classifier, samples)
    with torch.no_grad():
        logits = classifier.module.head(torch.from_numpy(found.values)[:, :, None, None])[:, :, 0, 0].numpy()  # type: ignore[operator]
    assert np.allclose(logits, classifier.predict(samples).logits, atol=1e-5)


def test_labels_are_not_looked_at_and_classes_need_not_agree(samples: SampleTable) -> None:
    at = samples.table.schema.get_field_index("label")
    field = samples.table.schema.field(at)
    other = replace(samples, table=samples.table.set_column(at, field, pa.nulls(len(samples), pa.int32())))
    assert np.array_equal(embed(classifier_for(samples), samples).values, embed(classifier_for(samples), other).values)
    strict = replace(classifier_for(samples), preprocessing=contract_for(samples).with_classes(samples.classes.ids))
    foreign = replace(samples, table=other.table, classes=Classes(tuple("vwxyz"), tuple("vwxyz")))
    assert np.array_equal(embed(strict, foreign).values, embed(strict, samples).values)
    few = classifier_for(samples, small_net(3))
    assert embed(few, samples.take(range(4))).values.shape == (4, 32)


def test_the_unreadable_have_no_row(samples: SampleTable, tmp_path: Path) -> None:
    rows = samples.table.to_pylist()
    rows[3] = {**rows[3], "image": {**rows[3]["image"], "path": "gone.png"}}
    holed = replace(samples, table=pa.Table.from_pylist(rows, samples.table.schema))
    found = embed(classifier_for(samples), holed)
    assert found.ids == [i for n, i in enumerate(samples.column("sample_id")) if n != 3]
    write_embeddings(tmp_path / "e.parquet", found.ids, found.values, found.meta)
    values = read_embeddings(tmp_path / "e.parquet", holed).values
    assert np.flatnonzero(np.isnan(values).any(1)).tolist() == [3]
    for i, row in enumerate(rows):
        rows[i] = {**row, "image": {**row["image"], "path": "gone.png"}}
    with pytest.raises(DataError, match="can be read, so there are no features"):
        embed(classifier_for(samples), replace(samples, table=pa.Table.from_pylist(rows, samples.table.schema)))


def test_a_network_without_a_last_layer(samples: SampleTable) -> None:
    class Headless(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :3]

    with pytest.raises(ContractError, match="no last linear layer"):
        embed(classifier_for(samples, Headless()), samples)
