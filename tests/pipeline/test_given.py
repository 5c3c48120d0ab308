"""Embeddings and predictions handed to an audit: read, put together, and refused where they would be no judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline import cli
from sightline.errors import DataError
from sightline.features import read_embeddings, write_embeddings
from sightline.pipeline import verb
from sightline.pipeline.given import embeddings_for, predictions_for
from sightline.predictions import Predictions
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import Splits, split
from sightline.study import Study
from tests.inference.material import saved
from tests.tables import plain_samples
from tests.training.material import recipe


@pytest.fixture(scope="module")
def divided() -> tuple[SampleTable, Splits]:
    samples = plain_samples([40, 40, 40])
    return samples, split(samples, val=0.2, test=0.2)


def stored(path: Path, samples: SampleTable, ids: Any, logits: np.ndarray, **digests: str) -> Path:
    some = samples.take(samples.positions(ids))
    Predictions.from_logits(some, logits.astype(np.float32), meta={"digests": digests}).write(path)
    return path


def test_files_of_several_folds_become_one(divided: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    samples, splits = divided
    assert splits.val is not None
    val, train = splits.val.ids, splits.train.ids[:10]
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(0, 1, (len(val), 3)), rng.normal(0, 1, (10, 3)), rng.normal(0, 1, (len(val), 3))
    paths = [stored(tmp_path / "a.parquet", samples, val, a), stored(tmp_path / "b.parquet", samples, train, b),
             stored(tmp_path / "c.parquet", samples, val, c)]  # fmt: skip
    found = predictions_for(paths, samples, splits)
    assert found is not None
    assert set(found.ids) == {*val, *train}
    logs = dict(zip(found.ids, found.log_probabilities, strict=True))
    one, two = (Predictions.read(p).log_probabilities for p in (paths[0], paths[2]))
    mean = (one + two)[0] / 2
    assert logs[val[0]] == pytest.approx(mean - np.log(np.exp(mean).sum()), abs=1e-5)
    assert logs[train[0]] == pytest.approx(Predictions.read(paths[1]).log_probabilities[0], abs=1e-5)
    assert predictions_for((), samples, splits) is None


def test_predictions_that_are_no_judge(divided: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    samples, splits = divided
    tested = [i for i in samples.column("sample_id")
              if i not in {*splits.train.ids, *(splits.val.ids if splits.val else ())}]  # fmt: skip
    path = stored(tmp_path / "p.parquet", samples, tested, np.zeros((len(tested), 3)))
    with pytest.raises(DataError, match=f"{len(tested)} samples of the sealed test"):
        predictions_for([path], samples, splits)
    ids = splits.train.ids
    path = stored(tmp_path / "q.parquet", samples, ids, np.zeros((len(ids), 3)), trained_on_splits=splits.digest)
    with pytest.raises(DataError, match=r"fitted to.*out-of-fold"):
        predictions_for([path], samples, splits)
    run = Run.create(tmp_path / "runs", recipe(), samples, split(samples, inner=3), {"model": {}})
    assert run.splits is not None
    former = stored(tmp_path / "r.parquet", samples, ids, np.zeros((len(ids), 3)), trained_on_splits=run.splits.digest)
    with pytest.raises(DataError, match=f"{len({*ids} & {*run.splits.train.ids})} samples that the model was fitted"):
        predictions_for([former], samples, splits, [run.directory])
    assert run.splits.val is not None
    out = [i for i in run.splits.val.ids if i in ids]
    honest = stored(tmp_path / "s.parquet", samples, out, np.zeros((len(out), 3)), trained_on_splits=run.splits.digest)
    assert predictions_for([honest], samples, splits, [run.directory]) is not None
    other = plain_samples([30, 30])
    with pytest.raises(DataError, match="3 classes that are not those"):
        predictions_for([path], other, None)


def test_features_of_a_network_fitted_to_these_labels(divided: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    samples, splits = divided
    ids = list(splits.train.ids)
    those = ((splits.digest, "", True), ("other", samples.digest, True), ("other", "of others", False))
    for fitted, of, refused in those:
        meta = {"digests": {"trained_on_splits": fitted, "trained_on_samples": of}}
        write_embeddings(tmp_path / "e.parquet", ids, np.ones((len(ids), 2)), meta)
        if refused:
            with pytest.raises(DataError, match="fitted to labels of these very samples"):
                embeddings_for(tmp_path / "e.parquet", samples, splits)
        else:
            found = embeddings_for(tmp_path / "e.parquet", samples, splits)
            assert found is not None
            with pytest.raises(DataError, match="fitted to labels of these very samples"):  # of before a review
                embeddings_for(tmp_path / "e.parquet", samples, splits, ["of others"])
    assert embeddings_for(None, samples, splits) is None


def test_features_of_hardly_any_sample(divided: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    """Nothing would be judged, and nothing found would look like good labels."""
    samples, splits = divided
    few = splits.train.ids[:19]
    write_embeddings(tmp_path / "e.parquet", few, np.ones((19, 2)), {})
    with pytest.raises(DataError, match="features of 19 of the 96 labelled samples of made outside the test"):
        embeddings_for(tmp_path / "e.parquet", samples, splits)


def test_features_of_a_study(photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, out = tmp_path / "study", tmp_path / "f.parquet"
    verb("index")(photo_folder, study)
    samples = Study.open(study).read_samples()
    model = saved(tmp_path / "best.pt", samples)
    call = ["predict", str(model), str(study), "--features", "--out", str(out), "--device", "cpu"]
    assert cli.main(call) == 0
    assert "128 features of 64 samples · 16 of test or of no split left out" in capsys.readouterr().out
    verb("split")(study)
    assert cli.main(call) == 0
    values = read_embeddings(out, Study.open(study).read_samples()).values
    homes = np.array(samples.column("split"))
    assert (np.isnan(values).all(1) == (homes == "test")).all()
    assert cli.main([*call, "--with-test"]) == 0
    assert np.isfinite(read_embeddings(out, Study.open(study).read_samples()).values).all()
    for wrong, said in (
        ([*call[:4], "--out", "x.csv"], "written as .parquet"), ([*call[:3], "--with-test"], "goes with --features"),
        ([*call[:3], str(study), "--features"], "got 2 sources"),
    ):  # fmt: skip
        assert cli.main(wrong) == 2
        assert said in capsys.readouterr().err
