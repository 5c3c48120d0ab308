"""Loading a checkpoint and predicting a split: what belongs together is checked, and the test stays sealed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from sightline import checkpoint
from sightline.errors import ContractError, DataError, LedgerError
from sightline.inference import load, predict
from sightline.samples import SampleTable
from tests.inference.material import Says, classifier_for, contract_for, saved
from tests.training.material import divided, stripes


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleTable:
    return stripes(tmp_path_factory.mktemp("stripes"), n=90)


def test_a_loaded_model_names_its_classes(samples: SampleTable, tmp_path: Path) -> None:
    made = load(saved(tmp_path / "best.pt", samples, digests={"samples": "aa", "splits": "bb"}), device="cpu")
    assert made.classes.ids == ("across", "down", "slanted")
    assert made.preprocessing == contract_for(samples)
    assert {k: made.digests[k] for k in ("trained_on_samples", "trained_on_splits")} == {
        "trained_on_samples": "aa", "trained_on_splits": "bb",
    }  # fmt: skip
    assert len(made.digests["weights"]) == 64
    assert len(made.predict(samples.take(range(5)))) == 5


def test_every_way_to_name_a_checkpoint(samples: SampleTable, tmp_path: Path) -> None:
    file = saved(tmp_path / "study" / "runs" / "3f9c" / "best.pt", samples)
    (tmp_path / "study" / "study.json").write_text(json.dumps({"version": 1, "artifacts": {}, "latest_run": "3f9c"}))
    for name in (file, str(file), file.with_suffix(""), file.parent, tmp_path / "study"):
        assert load(name, device="cpu").digests["weights"] == load(file, device="cpu").digests["weights"]


def test_what_is_no_checkpoint(samples: SampleTable, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no model at .*absent\.pt"):
        load(tmp_path / "absent.pt")
    (tmp_path / "text.pt").write_text("no checkpoint")
    with pytest.raises(DataError, match="not a checkpoint"):
        load(tmp_path / "text.pt")
    (tmp_path / "study.json").write_text(json.dumps({"version": 1, "artifacts": {}}))
    with pytest.raises(DataError, match="holds no trained run yet"):
        load(tmp_path)


def test_another_preprocessing_is_refused_naming_field_and_values(samples: SampleTable, tmp_path: Path) -> None:
    file = saved(tmp_path / "best.pt", samples)
    assert load(file, device="cpu", preprocessing=contract_for(samples)).classes.ids
    other = replace(contract_for(samples), mean=(0.5,))
    with pytest.raises(ContractError, match=r"preprocessing\.mean is \(0\.5,\).*\(0\.4,\)"):
        load(file, device="cpu", preprocessing=other)


def test_a_checkpoint_that_is_not_the_runs_own_is_refused(samples: SampleTable, tmp_path: Path) -> None:
    file = saved(tmp_path / "best.pt", samples)
    (tmp_path / "run.json").write_text(json.dumps({"preprocessing": contract_for(samples).digest}))
    assert load(file, device="cpu").classes.ids
    (tmp_path / "run.json").write_text(json.dumps({"preprocessing": "0" * 64}))
    with pytest.raises(ContractError, match="was trained with 000000000000"):
        load(file, device="cpu")


def test_a_network_given_as_an_object_takes_the_stored_weights(samples: SampleTable, tmp_path: Path) -> None:
    file = saved(tmp_path / "best.pt", samples)
    stored = checkpoint.load(file)
    again = stored.build()
    nn.init.zeros_(next(iter(again.parameters())))
    made = load(file, device="cpu", model=again)
    assert torch.equal(next(iter(made.module.parameters())), next(iter(stored.weights.values())))
    with pytest.raises(ContractError, match="do not fit"):
        load(file, device="cpu", model=Says([0.0] * 3))


def test_split_ids_or_all_in_the_order_of_the_table(samples: SampleTable) -> None:
    classifier, splits = classifier_for(samples), divided(samples)
    assert splits.val is not None
    of_val = predict(classifier, samples, splits.val)
    assert set(of_val.ids) == set(splits.val.ids)
    ids = samples.column("sample_id")
    assert predict(classifier, samples, [ids[9], ids[2]]).ids == [ids[2], ids[9]]
    assert predict(classifier, samples).ids == ids
    with pytest.raises(DataError, match="split is empty"):
        predict(classifier, samples, [])
    with pytest.raises(DataError, match="has no sample"):
        predict(classifier, samples, [b"\0" * 16])


def test_the_sealed_test_is_not_for_predict(samples: SampleTable) -> None:
    with pytest.raises(LedgerError, match=r"sealed.*sl\.evaluate"):
        predict(classifier_for(samples), samples, divided(samples).test)


def test_nor_is_an_official_test_inside_a_whole_table(samples: SampleTable) -> None:
    column = samples.table.schema.get_field_index("split")
    names = pa.array(["test" if i < 5 else "train" for i in range(90)]).dictionary_encode()
    table = samples.table.set_column(column, samples.table.schema.field("split"), names)
    official = SampleTable(table, samples.classes, samples.name, samples.roots)
    with pytest.raises(LedgerError, match="official test of 5 labelled samples"):
        predict(classifier_for(samples), official)
    unlabelled = official.table.schema.get_field_index("label")
    nulls = pa.array([None if i < 5 else 0 for i in range(90)], pa.int32())
    table = table.set_column(unlabelled, table.schema.field("label"), nulls)
    no_labels = SampleTable(table, samples.classes, "competition", samples.roots)
    assert len(predict(classifier_for(samples), no_labels)) == 90  # a competition's test: predict only


def test_a_table_without_labels_takes_the_models_classes(samples: SampleTable) -> None:
    i = samples.table.schema.get_field_index("label")
    table = samples.table.set_column(i, samples.table.schema.field("label"), pa.nulls(90, pa.int32()))
    other = SampleTable(table, type(samples.classes)(("unknown",), ("unknown",)), "new", samples.roots)
    made = predict(classifier_for(samples), other)
    assert made.classes.ids == samples.classes.ids
    assert not made.is_labelled.any()
    assert np.isfinite(made.logits).all()
