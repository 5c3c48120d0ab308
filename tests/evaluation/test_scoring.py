"""Evaluation: what is scored, which look it is, and that nobody sees the test without a line in the ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from torch import nn

from sightline import evaluation, metrics
from sightline.audits import Findings
from sightline.audits.findings import Finding
from sightline.errors import ContractError, DataError, LedgerError, SplitError
from sightline.evaluation import evaluate
from sightline.inference import Classifier, predict
from sightline.ledger import Ledger
from sightline.metrics import Score
from sightline.runs import Run
from sightline.samples import SCHEMA, Classes, SampleTable
from sightline.splits import Split, Splits, split
from tests.inference.material import classifier_for, saved
from tests.training.material import divided, recipe, stripes


@pytest.fixture
def samples(tmp_path: Path) -> SampleTable:
    return stripes(tmp_path / "stripes", n=90, unreadable=(11,))


@pytest.fixture
def splits(samples: SampleTable) -> Splits:
    return divided(samples)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def trained(path: Path, samples: SampleTable, splits: Splits, seed: int = 3) -> Path:
    test = splits.test.digest if splits.test else ""
    digests = {"samples": samples.digest, "splits": splits.digest, "run": "cc", "test": test}
    return saved(path, samples, digests=digests, seed=seed)


def one(scores: Score | tuple[Score, ...]) -> Score:
    assert isinstance(scores, Score)
    return scores


def test_val_needs_no_ledger_and_is_no_look(samples: SampleTable, splits: Splits, tmp_path: Path) -> None:
    assert splits.val is not None
    made = one(evaluate(trained(tmp_path / "best.pt", samples, splits), samples, splits.val, device="cpu"))
    assert (made.split, made.look, made.n) == ("val", None, len(splits.val))
    assert str(made).endswith("selected on val")
    assert made.top1 == metrics.top1(predict(tmp_path / "best.pt", samples, splits.val, device="cpu"))


def test_the_first_look_at_test(samples: SampleTable, splits: Splits, tmp_path: Path, ledger: Path) -> None:
    assert splits.test is not None
    model = trained(tmp_path / "best.pt", samples, splits)
    made = one(evaluate(model, samples, splits.test, ledger=ledger, device="cpu"))
    assert (made.split, made.look, made.n) == ("test", 1, splits.test.n)
    assert str(made.top1).endswith("look 1")
    looks = Ledger(ledger).looks(splits.test.fingerprint)
    assert [(look.number, look.verb, look.note) for look in looks] == [(1, "evaluate", "evaluate")]
    assert looks[0].checkpoints == (made.digests["weights"],)
    assert looks[0].result is not None
    assert looks[0].result["top1"] == made.top1.to_json()
    assert looks[0].result["predictions"] == made.digests["predictions"]
    assert Ledger(ledger).verify() == 2


def test_digests_tie_the_number_to_what_made_it(
    samples: SampleTable, splits: Splits, tmp_path: Path, ledger: Path
) -> None:
    assert splits.test is not None
    made = one(evaluate(trained(tmp_path / "a.pt", samples, splits), samples, splits.test, ledger=ledger, device="cpu"))
    assert set(made.digests) == {
        "samples", "split", "preprocessing", "weights", "predictions", "environment", "trained_on_samples",
        "trained_on_splits", "trained_without",
    }  # fmt: skip
    assert (made.digests["samples"], made.digests["split"]) == (samples.digest, splits.test.digest)
    assert {"threads", "dtype", "loading", "deterministic", "cudnn_allow_tf32"} <= set(made.environment)
    assert json.loads(json.dumps(made.to_json(), allow_nan=False))["look"] == 1


def test_the_score_of_a_corrected_test_says_so(
    samples: SampleTable, splits: Splits, tmp_path: Path, ledger: Path
) -> None:
    assert splits.test is not None
    model = trained(tmp_path / "best.pt", samples, splits)
    Ledger(ledger).succeed("of before the review", samples.digest, test=None, corrected={"relabelled": 2})
    made = one(evaluate(model, samples, splits.test, ledger=ledger, device="cpu"))
    assert made.corrected == "the test was corrected in review: 2 relabelled"
    assert str(made).endswith(f"look 1 · {made.corrected}")
    assert splits.val is not None
    assert one(evaluate(model, samples, splits.val, device="cpu")).corrected == ""


def test_the_second_look_needs_a_note(samples: SampleTable, splits: Splits, tmp_path: Path, ledger: Path) -> None:
    assert splits.test is not None
    model = trained(tmp_path / "best.pt", samples, splits)
    evaluate(model, samples, splits.test, ledger=ledger, device="cpu")
    with pytest.raises(LedgerError, match=r"this would be look 2(?s:.*)--note"):
        evaluate(model, samples, splits.test, ledger=ledger, device="cpu")
    made = one(evaluate(model, samples, splits.test, ledger=ledger, note="table 2", device="cpu"))
    assert made.look == 2
    assert "look 2" in str(made)


def test_several_checkpoints_are_one_look(samples: SampleTable, splits: Splits, tmp_path: Path, ledger: Path) -> None:
    assert splits.test is not None
    models = [trained(tmp_path / f"{seed}.pt", samples, splits, seed) for seed in range(3)]
    scores = evaluate(models, samples, splits.test, ledger=ledger, device="cpu")
    assert isinstance(scores, tuple)
    assert [s.look for s in scores] == [1, 1, 1]
    assert len({s.digests["weights"] for s in scores}) == 3
    (look,) = Ledger(ledger).looks()
    assert len(look.checkpoints) == 3
    assert look.result is not None
    assert [r["value"] for r in look.result["top1"]] == [s.top1.value for s in scores]


def test_one_model_in_a_list_is_a_tuple_of_one(samples: SampleTable, splits: Splits) -> None:
    assert splits.val is not None
    scores = evaluate([classifier_for(samples)], samples, splits.val)
    assert isinstance(scores, tuple)
    assert len(scores) == 1


class Explodes(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise MemoryError


def test_a_look_that_crashes_still_counts(samples: SampleTable, splits: Splits, ledger: Path) -> None:
    assert splits.test is not None
    with pytest.raises(MemoryError):
        evaluate(classifier_for(samples, Explodes(), weights="ab"), samples, splits.test, ledger=ledger)
    (look,) = Ledger(ledger).looks(splits.test.fingerprint)
    assert (look.number, look.result) == (1, None)
    with pytest.raises(LedgerError, match="look 2"):
        evaluate(classifier_for(samples, weights="ab"), samples, splits.test, ledger=ledger)


def test_the_line_is_written_before_the_model_sees_a_test_image(
    samples: SampleTable, splits: Splits, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert splits.test is not None
    seen: list[int] = []
    real = Classifier.predict

    def watched(self: Classifier, rows: SampleTable) -> object:
        seen.append(len(Ledger(ledger).looks()))
        return real(self, rows)

    monkeypatch.setattr(evaluation.scoring.Classifier, "predict", watched)
    evaluate(classifier_for(samples, weights="ab"), samples, splits.test, ledger=ledger)
    assert seen == [1]


def test_mistakes_cost_no_look(samples: SampleTable, splits: Splits, tmp_path: Path, ledger: Path) -> None:
    """Everything that can be wrong is found before the test is opened."""
    assert splits.test is not None
    model = trained(tmp_path / "best.pt", samples, splits)
    space = Classes(("across", "down", "upside"), ("a", "b", "c"))
    renamed = SampleTable(samples.table, space, "renamed", samples.roots)
    for asked, wanted, said in (
        ([model, tmp_path / "absent.pt"], DataError, "There is no model at"),
        ([], DataError, "list is empty"),
        ([saved(tmp_path / "other.pt", samples, space)], ContractError, "'slanted'.*'upside'"),
    ):
        with pytest.raises(wanted, match=said):
            evaluate(asked, samples, splits.test, ledger=ledger, device="cpu")
    with pytest.raises(ContractError, match=r"'upside'.*'slanted'"):
        evaluate(model, renamed, splits.test, ledger=ledger, device="cpu")
    with pytest.raises(LedgerError, match="looks at it are counted"):
        evaluate(model, samples, splits.test, device="cpu")
    assert not ledger.exists()


def test_a_model_fitted_to_other_splits_is_refused(
    samples: SampleTable, splits: Splits, tmp_path: Path, ledger: Path
) -> None:
    """Split again with another seed, score the old run: its training held samples of the new test."""
    again = split(samples, val=0.2, test=0.2, seed=1)
    assert again.test is not None
    old = trained(tmp_path / "best.pt", samples, splits)
    with pytest.raises(SplitError, match="may have been in its training"):
        evaluate(old, samples, again.test, ledger=ledger, device="cpu")
    sealed_nothing = saved(tmp_path / "none.pt", samples, digests={"samples": samples.digest, "test": ""})
    with pytest.raises(SplitError, match="of no kind"):
        evaluate(sealed_nothing, samples, again.test, ledger=ledger, device="cpu")
    assert not ledger.exists()
    leaner = splits.without([splits.train.ids[0]])  # the test is the same
    assert leaner.test is not None
    assert one(evaluate(old, samples, leaner.test, ledger=ledger, device="cpu")).look == 1


def test_val_that_was_trained_on_is_refused(samples: SampleTable, splits: Splits, tmp_path: Path) -> None:
    """The run keeps what it was fitted to, so that it is asked by sample; a checkpoint alone has its digests."""
    again = split(samples, val=0.2, test=0.2, seed=1)
    assert again.val is not None
    assert splits.val is not None
    run = Run.create(tmp_path / "runs", recipe(), samples, splits, {"model": {}})
    model = trained(run.best, samples, splits)
    seen = len({*again.val.ids} & {*splits.train.ids})
    assert seen > 0
    with pytest.raises(SplitError, match=f"^{seen} samples of val were in train when .* was trained, on other splits"):
        evaluate(model, samples, again.val, device="cpu")
    unseen = Split("val", tuple(i for i in again.val.ids if i not in splits.train.ids), again.digest)
    assert one(evaluate(model, samples, unseen, device="cpu")).n == len(unseen)
    other_table = replace(samples, table=samples.table.slice(0, 80))
    with pytest.raises(SplitError, match="samples of val were in train"):  # the ids are what counts
        evaluate(model, other_table, split(other_table, val=0.2, seed=1).val or splits.val, device="cpu")
    alone = model.rename(tmp_path / "alone.pt")
    with pytest.raises(SplitError, match="samples of this val may have been in its training"):
        evaluate(alone, samples, again.val, device="cpu")
    assert one(evaluate(alone, samples, splits.val, device="cpu")).n == len(splits.val)
    assert one(evaluate(alone, samples, splits.train, device="cpu")).split == "train"


@pytest.mark.parametrize("part", ["val", "test"])
def test_images_that_were_changed_since_they_were_indexed_are_refused(
    samples: SampleTable, tmp_path: Path, ledger: Path, part: str
) -> None:
    hashed = samples.hashed()
    splits = divided(hashed)
    model = trained(tmp_path / "best.pt", hashed, splits)
    assert splits.val is not None
    row = hashed.positions([splits.val.ids[0]])[0] if part == "val" else splits.table["split"].to_pylist().index("test")
    with (tmp_path / "stripes" / "images.bin").open("r+b") as f:
        f.seek(int(row) * 64)
        f.write(bytes(64))
    of: Any = (splits.val, None) if part == "val" else (splits.test, ledger)
    said = f"1 of {len(of[0])} images of {part} are not those that were indexed, e.g. {hashed.column('key')[row]}"
    with pytest.raises(SplitError, match=said):
        evaluate(model, hashed, of[0], ledger=of[1], device="cpu")


def test_arguments_without_effect_are_refused(samples: SampleTable, splits: Splits, ledger: Path) -> None:
    assert splits.val is not None
    with pytest.raises(LedgerError, match="ledger has no effect on val"):
        evaluate(classifier_for(samples), samples, splits.val, ledger=ledger)
    with pytest.raises(LedgerError, match="note has no effect on val"):
        evaluate(classifier_for(samples), samples, splits.val, note="why")


def test_unreadable_test_images_are_wrong_and_listed(samples: SampleTable, splits: Splits, ledger: Path) -> None:
    everything = splits.table["sample_id"].to_pylist()
    from sightline.splits import Split

    made = one(evaluate(classifier_for(samples), samples, Split("all", tuple(everything))))
    assert (made.n, made.unreadable, made.nll.n) == (90, 1, 89)
    assert made.failures[0].key == "0011"
    assert made.failures[0].reason


def test_without_leaks(samples: SampleTable, splits: Splits, ledger: Path) -> None:
    assert splits.test is not None
    _, ids = Ledger(ledger).open(splits.test, checkpoints=["x"], note=None)
    pair = Finding(level="warning", subject="x", message="twice", score=1.0, sample_id=splits.train.ids[0],
                   related_id=ids[0], splits=("train", "test"))  # fmt: skip
    about = {"samples": samples.digest, "splits": splits.digest}
    findings = Findings.of([("exact-duplicates", [pair])], about)
    made = one(evaluate(classifier_for(samples), samples, splits.test, ledger=ledger, note="again", findings=findings))
    assert made.without_leaks is not None
    assert made.without_leaks.n == made.n - 1
    assert made.without_leaks.look == 2
    foreign = Findings.of([("exact-duplicates", [pair])], {**about, "samples": "0" * 64})
    with pytest.raises(DataError, match="other samples"):
        evaluate(classifier_for(samples), samples, splits.test, ledger=ledger, note="again", findings=foreign)


def test_groups_of_the_table_reach_the_interval(samples: SampleTable, ledger: Path) -> None:
    i = SCHEMA.get_field_index("group_id")
    groups = pa.array([f"patient {j // 6}" for j in range(90)])
    grouped = SampleTable(samples.table.set_column(i, SCHEMA.field(i), groups), samples.classes, "g", samples.roots)
    splits = split(grouped, by="group", val=0.2, test=0.3)
    assert splits.test is not None
    made = one(evaluate(classifier_for(grouped), grouped, splits.test, ledger=ledger))
    assert made.top1.groups is not None
    assert made.top1.groups < made.n
    assert "groups" in str(made)


def test_order_of_the_predictions_is_the_tables(samples: SampleTable, splits: Splits) -> None:
    """A split's ids in another order give the same evidence."""
    assert splits.val is not None
    turned = replace(splits.val, ids=tuple(reversed(splits.val.ids)))
    scores = [one(evaluate(classifier_for(samples), samples, part)) for part in (splits.val, turned)]
    assert scores[0].digests["predictions"] == scores[1].digests["predictions"]


def test_the_recorded_predictions_give_the_recorded_numbers(samples: SampleTable, splits: Splits) -> None:
    assert splits.val is not None
    made = one(evaluate(classifier_for(samples), samples, splits.val))
    assert made.predictions is not None
    assert metrics.score(made.predictions, "val", groups=None).to_json()["top1"] == made.top1.to_json()


PROCESS = """
import os, sys
from pathlib import Path
from sightline.evaluation import evaluate
from tests.inference.material import classifier_for
from tests.training.material import divided, stripes
home = Path(sys.argv[1])
samples = stripes(home / ("stripes" + os.environ["RANK"]), n=90, unreadable=(11,))
made = evaluate(classifier_for(samples, weights="ab"), samples, divided(samples).test, ledger=home / "ledger.jsonl")
print(made, made.nll, made.digests["split"])
try:
    evaluate(classifier_for(samples, weights="ab"), samples, divided(samples).test, ledger=home / "ledger.jsonl")
except Exception as e:
    print(type(e).__name__)
"""


def test_two_processes_make_one_look(samples: SampleTable, splits: Splits, tmp_path: Path, ledger: Path) -> None:
    """The first process alone writes the ledger; what it refuses is refused in all."""
    assert splits.test is not None
    port = str(29_300 + os.getpid() % 300)
    env = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path)], text=True, stdout=subprocess.PIPE,
                         cwd=Path(__file__).parents[2], env={**env, "RANK": rank, "LOCAL_RANK": rank})
        for rank in "01"
    ]  # fmt: skip
    said = [p.communicate(timeout=120)[0].splitlines() for p in processes]
    (look,) = Ledger(ledger).looks(splits.test.fingerprint)
    assert (look.number, look.checkpoints) == (1, ("ab",))
    alone = one(evaluate(classifier_for(samples, weights="ab"), samples, splits.test, ledger=ledger, note="alone"))
    wanted = f"{alone} {alone.nll} {alone.digests['split']}".replace("look 2", "look 1")
    assert said == [[wanted, "LedgerError"]] * 2
