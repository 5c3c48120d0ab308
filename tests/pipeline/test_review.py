"""The verb on a study: decisions become a new version of the table, and nothing forgets what was looked at."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sightline import cli, pipeline
from sightline.artifacts import write_bytes
from sightline.audits import Finding, Findings
from sightline.digests import short
from sightline.errors import DataError, LedgerError, SplitError
from sightline.ledger import Ledger
from sightline.reviewing.decisions import Decision, Journal
from sightline.reviewing.queue import items_of
from sightline.reviewing.session import Material as Reviewed
from sightline.reviewing.session import Session
from sightline.samples import SCHEMA, SampleTable
from sightline.splits import Splits
from sightline.study import Study
from tests.inference.material import saved
from tests.reviewing.material import Material, make
from tests.training.material import stripes

review: Any = pipeline.verb("review")
split: Any = pipeline.verb("split")
audit: Any = pipeline.verb("audit")


@pytest.fixture
def made(tmp_path: Path) -> Material:
    return make(tmp_path)


def decide(made: Material, *said: tuple[int, str, dict[str, Any]], is_test_open: bool = False) -> None:
    with Journal(made.study.decisions_path) as journal:
        session = Session(Reviewed(samples=made.samples, findings=made.findings, splits=made.splits,
                                   is_test_open=is_test_open), journal)  # fmt: skip
        for n, action, more in said:
            session.decide(n, action, **more)


def test_apply_writes_a_new_version_and_keeps_the_former(made: Material) -> None:
    study, before = made.study, made.study.samples_path.read_bytes()
    decide(made, (0, "drop", {"why": "a copy"}), (1, "keep", {}), (6, "relabel", {"value": "bright"}),
           (2, "merge-group", {}))  # fmt: skip
    done = review(study.directory, apply=True)
    assert done.facts["dropped"] == done.facts["relabelled"] == done.facts["kept"] == 1
    assert done.summary == "1 dropped, 1 relabelled, 2 put into groups · 1 finding kept"
    former = study.directory / f"samples-{short(made.samples.digest)}.parquet"
    assert former.read_bytes() == before
    assert SampleTable.read(former, study.classes_path).digest == made.samples.digest
    after = study.read_samples()
    assert after.digest == done.digest != made.samples.digest
    assert study.about["artifacts"]["samples"] == after.digest
    assert not study.decisions_path.exists()
    assert (study.directory / f"decisions-{short(made.samples.digest)}.csv").exists()
    with pytest.raises(DataError, match=r"holds no decisions; those before are carried out \(1 dropped, 1 relabelled"):
        review(study.directory, apply=True)


def test_decisions_on_the_former_version_that_come_later_stay_where_they_are(made: Material) -> None:
    """They are not those that were carried out; moved away unsaid they would be lost to who made them."""
    decide(made, (0, "drop", {}))
    first = made.study.decisions_path.read_bytes()
    review(made.study.directory, apply=True)
    decide(made, (6, "relabel", {"value": "bright"}))
    later = made.study.decisions_path.read_bytes()
    with pytest.raises(DataError, match=r"decisions were made on the samples"):
        review(made.study.directory, apply=True)
    assert made.study.decisions_path.read_bytes() == later != first


def test_the_chain_says_what_is_of_the_former_version(made: Material) -> None:
    decide(made, (0, "drop", {}))
    done = review(made.study.directory, apply=True)
    assert "sightline split" in done.details[-1]
    assert "by official, seed 0" in done.details[-1]
    with pytest.raises(DataError, match="sightline split"):
        audit(made.study.directory)
    with pytest.raises(DataError, match=r"sightline (audit|split)"):
        review(made.study.directory, no_open=True)
    split(made.study.directory)
    with pytest.raises(DataError, match="sightline audit"):
        review(made.study.directory, no_open=True)
    splits = Splits.read(made.study.splits_path).table.to_pylist()
    (row,) = [r for r in splits if r["sample_id"] == made.id_of("train/bright/000.jpg")]
    assert row["split"] is None
    assert "dropped in review" in row["reason"]
    made.study.findings_path.unlink()
    audit(made.study.directory, checks=("class-counts", "exact-duplicates", "unreadable"))


def test_a_corrected_test_goes_on_counting_looks(made: Material) -> None:
    study = made.study
    ledger = Ledger(study.ledger_path)
    assert made.splits.test is not None
    ledger.open(made.splits.test, checkpoints=["c"], note="first")
    decide(made, (0, "drop", {"target": 1}), (1, "relabel", {"target": 1, "value": "dark"}), is_test_open=True)
    done = review(study.directory, apply=True)
    assert done.facts["in_test"] == {"dropped": 1, "relabelled": 1}
    assert any("looks go on being counted" in line for line in done.details)
    split(study.directory)
    test = Splits.read(study.splits_path).test
    assert test is not None
    assert test.n == made.splits.test.n - 1
    assert test.fingerprint != made.splits.test.fingerprint
    with pytest.raises(LedgerError, match="look 2"):
        ledger.require(test, None)
    look, _ = ledger.open(test, checkpoints=["c"], note="after the review")
    assert look.number == 2
    assert look.correction == "the test was corrected in review: 1 dropped, 1 relabelled"
    study.ledger_path.unlink()
    assert Ledger(study.ledger_path).looks(test)[-1].number == 2, "the user's own log knows of it too"


def test_decisions_on_another_table_are_refused(made: Material) -> None:
    decide(made, (0, "drop", {}))
    text = made.study.decisions_path.read_text().replace(short(made.samples.digest), "0" * 12)
    write_bytes(made.study.decisions_path, text.encode())
    before = made.study.samples_path.read_bytes()
    with pytest.raises(DataError, match="were made on the samples 000000000000"):
        review(made.study.directory, apply=True)
    with pytest.raises(DataError, match="decisions on the samples 000000000000"):
        review(made.study.directory, no_open=True)
    assert made.study.samples_path.read_bytes() == before


def test_apply_waits_for_the_end_of_a_review(made: Material) -> None:
    decide(made, (0, "drop", {}))
    with Journal(made.study.decisions_path), pytest.raises(DataError, match="Another review"):
        review(made.study.directory, apply=True)


@pytest.mark.parametrize("after", ["succeed", "record", "write_samples"])
def test_an_interrupted_apply_is_finished_by_the_next(
    made: Material, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """A kill after any of the steps: the decisions are carried out once, and no look is forgotten."""
    decide(made, (0, "drop", {}), (6, "relabel", {"value": "bright"}))
    owner: Any = Ledger if after == "succeed" else Study
    whole = getattr(owner, after)

    def killed(self: Any, *args: Any, **named: Any) -> None:
        whole(self, *args, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as m:
        m.setattr(owner, after, killed)
        with pytest.raises(KeyboardInterrupt):
            review(made.study.directory, apply=True)
    assert made.study.decisions_path.exists()
    if after == "write_samples":
        with pytest.raises(DataError, match="holds no decisions"):
            review(made.study.directory, apply=True)
    else:
        review(made.study.directory, apply=True)
    assert not made.study.decisions_path.exists()
    samples = made.study.read_samples()
    assert int(samples.is_dropped.sum()) == 1
    assert len(samples.notes) == 1
    assert [r["to"] for r in made.study.reviews] == [samples.digest]


def test_reviews_follow_one_another(made: Material) -> None:
    decide(made, (0, "drop", {}))
    review(made.study.directory, apply=True)
    split(made.study.directory)
    samples = made.study.read_samples()
    findings = type(made.findings)(made.findings.table, made.findings.checks, {"samples": samples.digest})
    again = Material(study=made.study, samples=samples, splits=Splits.read(made.study.splits_path), findings=findings)
    decide(again, (1, "drop", {}))
    review(made.study.directory, apply=True)
    assert int(made.study.read_samples().is_dropped.sum()) == 2
    assert [r["did"] for r in made.study.reviews] == ["1 dropped", "1 dropped"]
    assert len(made.study.read_samples().notes) == 2


def test_a_source_listed_again_does_not_undo_a_review(made: Material, tmp_path: Path) -> None:
    decide(made, (0, "drop", {}))
    review(made.study.directory, apply=True)
    digest = made.study.read_samples().digest
    with pytest.raises(DataError, match="corrected in review"):
        pipeline.verb("index")(str(tmp_path / "photos"), made.study.directory)
    from sightline.pipeline.chain import _index

    reading: dict[str, Any] = {"limit": None, "classes": None, "group": (), "time": None}
    kept = _index(str(tmp_path / "photos"), made.study.directory, reading)
    assert "1 dropped · unchanged, kept" in kept.summary
    assert made.study.read_samples().digest == digest
    shutil.copy(tmp_path / "photos/train/dark/000.jpg", tmp_path / "photos/train/dark/new.jpg")
    with pytest.raises(DataError, match="corrected in review"):
        _index(str(tmp_path / "photos"), made.study.directory, reading)


def test_a_study_without_findings_says_what_is_missing(made: Material, capsys: pytest.CaptureFixture[str]) -> None:
    made.study.findings_path.unlink()
    assert cli.main(["review", str(made.study.directory), "--no-open"]) == 2
    assert "sightline audit" in capsys.readouterr().err
    assert cli.main(["review", str(made.study.directory), "--apply", "--json"]) == 2
    assert "sightline review" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert cli.main(["review", str(made.study.directory), "--apply", "--no-open"]) == 2
    assert "are for the page" in capsys.readouterr().err


def test_a_pair_of_which_one_was_dropped_is_not_said_to_be_parted(made: Material) -> None:
    key = "train/bright/000.jpg"
    dark = Finding(level="info", subject=key, message="dark", score=0.4, sample_id=made.id_of(key))
    made = replace(made, findings=made.findings.merge(Findings.of([("quality", [dark])], made.findings.about)))
    made.findings.write(made.study.findings_path)
    (n,) = [n for n, item in enumerate(items_of(made.findings)) if item.check == "quality"]
    decide(made, (0, "merge-group", {}), (n, "drop", {}))
    done = review(made.study.directory, apply=True)
    assert done.facts["dropped"] == 1
    assert not any("--by group" in line for line in done.details), "nothing is left of it that a split could part"


def test_merged_samples_stay_together(made: Material) -> None:
    decide(made, (0, "merge-group", {}), (1, "merge-group", {}))
    done = review(made.study.directory, apply=True)
    assert any("--by group" in line for line in done.details), "the source's own splits part them"
    pairs = [(made.id_of(f"train/bright/{i:03d}.jpg"), made.id_of(f"test/bright/{i:03d}.jpg")) for i in range(2)]
    for seed in range(5):
        split(made.study.directory, by="group", seed=seed)
        table = Splits.read(made.study.splits_path).table
        of = dict(zip(*(table[name].to_pylist() for name in ("sample_id", "split")), strict=True))
        assert all(of[a] == of[b] for a, b in pairs)


def test_a_model_of_before_a_review_is_scored_on_what_it_never_saw(tmp_path: Path) -> None:
    """A corrected test may be scored with the model there was; one that was drawn anew may hold what it learnt."""
    plain = stripes(tmp_path / "stripes", n=90).hashed()
    official = pa.array(["train"] * 54 + ["val"] * 18 + ["test"] * 18, pa.string())
    at = SCHEMA.get_field_index("split")
    samples = replace(plain, table=plain.table.set_column(at, SCHEMA.field(at), official.cast(SCHEMA.field(at).type)))
    study = Study.create(tmp_path / "study")
    study.write_samples(samples)
    split(study.directory)
    splits = Splits.read(study.splits_path)
    assert splits.test is not None
    digests = {"samples": samples.digest, "splits": splits.digest, "run": "cc", "test": splits.test.digest}
    model = saved(tmp_path / "best.pt", samples, digests=digests)
    evaluate: Any = pipeline.verb("evaluate")
    evaluate(study.directory, [model], device="cpu")
    sample = samples.column("sample_id")[-1]
    wrong = Decision(time="t", table=short(samples.digest), check="label-errors", sample_id=sample, related_id=None,
                     key="k", action="drop")  # fmt: skip
    with Journal(study.decisions_path) as journal:
        journal.append(wrong)
    review(study.directory, apply=True)
    split(study.directory)
    done = evaluate(study.directory, [model], note="one sample was no image of anything", device="cpu")
    assert "look 2" in done.summary
    assert "the test was corrected in review: 1 dropped" in done.summary
    split(study.directory, by="stratified", seed=7)
    with pytest.raises(SplitError, match=r"samples of test were in train or val when .*best\.pt was trained"):
        evaluate(study.directory, [model], note="drawn anew", device="cpu")
    assert len(Ledger(study.ledger_path).looks()) == 2, "a refusal is no look"
