"""The number that training saw on val is the number that evaluation gives: one contract, one arithmetic, one rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline import checkpoint
from sightline.evaluation import evaluate
from sightline.inference import load, predict
from sightline.metrics import Score
from sightline.training import train
from tests.training.material import divided, recipe, stripes


@pytest.mark.slow
def test_val_in_training_is_val_in_evaluation(tmp_path: Path) -> None:
    samples = stripes(tmp_path / "stripes", n=120, unreadable=(3, 50))
    splits = divided(samples)
    assert splits.val is not None
    assert splits.test is not None
    run = train(recipe(), samples, splits, out=tmp_path / "runs", device="cpu")
    score = evaluate(run.best, samples, splits.val, device="cpu")
    assert isinstance(score, Score)
    stored = checkpoint.load(run.best)
    assert score.top1.value == stored.val_top1
    best = next(line for line in run.log() if line["kind"] == "epoch" and line["step"] == stored.step)
    assert score.nll.value == pytest.approx(best["val_nll"], abs=1e-6)
    assert (score.digests["trained_on_samples"], score.digests["samples"]) == (samples.digest, samples.digest)
    assert score.digests["trained_without"] == splits.test.digest
    by_path, by_run = (predict(m, samples, splits.val, device="cpu").digest for m in (run.best, run))
    assert by_path == by_run == load(run.directory, device="cpu").predict(
        samples.take(sorted(samples.positions(splits.val.ids)))
    ).digest  # fmt: skip
    sealed = evaluate(run, samples, splits.test, ledger=tmp_path / "ledger.jsonl", device="cpu")
    assert isinstance(sealed, Score)
    assert sealed.look == 1
