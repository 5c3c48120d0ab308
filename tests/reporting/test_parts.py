"""The data, the split, the evidence and the headline, each as the values that the template shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sightline.audits import Findings
from sightline.audits.findings import Finding
from sightline.checklist import Check, Checklist
from sightline.metrics import Estimate
from sightline.reporting.data import MAX_CLASSES, MAX_PICTURES, SHOWN, Names, assigned_splits, describe_data
from sightline.reporting.evidence import (
    IN_GALLERY,
    MAX_OF_KIND,
    MAX_PAIRS,
    MAX_ROWS,
    Witness,
    describe_checklist,
    describe_findings,
    describe_ledger,
)
from sightline.reporting.headline import cautions, describe_number, precision
from sightline.reporting.mistakes import describe_mistakes
from sightline.reporting.pictures import Gallery
from sightline.reporting.splitting import describe_split
from sightline.samples import Classes, SampleTable
from sightline.splits import split
from tests.reporting.made import Made


@pytest.fixture
def assigned(made: Made) -> Names:
    return assigned_splits(made.samples, made.splits)


def test_counts_by_split_are_those_of_the_splits(made: Made, assigned: Names) -> None:
    d = describe_data(made.samples, assigned, Gallery(made.samples))
    assert {row["name"]: row["n"] for row in d["splits"]} == {k: n for k, n in made.splits.sizes.items() if n}
    totals = np.sum([c["counts"] for c in d["classes"]], axis=0)
    assert totals.tolist() == [row["n"] for row in d["splits"]]
    assert [u["key"] for u in d["unreadable"]] == ["test/dark/torn.jpg"]


def test_the_sheet_shows_four_and_up_to_sixteen_of_train_and_val(made: Made, assigned: Names) -> None:
    cards = describe_data(made.samples, assigned, Gallery(made.samples))["sheet"]["cards"]
    assert len(cards) == len(made.samples.classes)
    for card in cards:
        assert len(card["first"]) == 4
        assert len(card["more"]) == 12
        keys = [p.key for p in card["first"] + card["more"]]
        assert len(set(keys)) == 16
        assert all(key.startswith(("train/", "val/")) for key in keys)


def test_the_sheet_of_many_classes_stays_small(made: Made, assigned: Names) -> None:
    many = Classes(tuple(f"c{i:04d}" for i in range(1000)), tuple(f"c{i:04d}" for i in range(1000)))
    samples = SampleTable(made.samples.table, many, "many", made.samples.roots)
    sheet = describe_data(samples, assigned, Gallery(samples))["sheet"]
    assert len(sheet["cards"]) == MAX_CLASSES
    assert SHOWN <= sheet["each"] <= MAX_PICTURES / MAX_CLASSES
    assert sheet["cards"][0]["name"] == "c0000"
    assert sheet["cards"][-1]["name"] == "c0999"


def test_the_split_tells_its_method_and_counts_its_promises(made: Made, assigned: Names) -> None:
    said = describe_split(made.samples, made.splits, assigned)
    assert "source's own" in said["told"][0]
    assert "Every sample is in one of train, val and test, and in no two." in said["verified"]
    assert "All 4 classes are in train." in said["verified"]
    assert not any("exactly equal pixels" in line for line in said["verified"]), "the leak breaks this promise"
    clean = made.splits.without(made.findings.leaks(), reason="copy of a test sample")
    again = describe_split(made.samples, clean, assigned_splits(made.samples, clean))
    assert "No two splits hold images with exactly equal pixels." in again["verified"]
    first = "No sample is in two of train, val and test. 1 sample left out: 1 copy of a test sample."
    assert again["verified"][0] == first


def test_a_fold_says_that_it_is_one_part_of_a_plan(made: Made) -> None:
    splits = split(made.samples, by="random", folds=2, fold=1, val=0.0)
    told = describe_split(made.samples, splits, assigned_splits(made.samples, splits))["told"]
    (said,) = [t for t in told if "is sealed" in t]
    assert said.startswith("This is fold 1 of 2, counted from 0")


def test_a_leak_is_two_pictures_side_by_side(made: Made, assigned: Names) -> None:
    witness = Witness(made.samples, assigned, Gallery(made.samples), is_test_open=True)
    check = describe_findings(made.findings, made.splits, witness)["checks"][0]
    assert (check["name"], check["level"], check["n"]) == ("Exact duplicates", "error", 1)
    members = check["pictures"][0]["members"]
    assert [(m["split"], m["class"]) for m in members] == [("train", "bright"), ("test", "bright")]
    assert members[0]["picture"].src == members[1]["picture"].src != ""


def test_a_check_that_finds_much_is_cut_and_says_so(made: Made, assigned: Names) -> None:
    ids = made.samples.column("sample_id")
    pairs = [Finding(level="info", subject=str(i), message="same", score=0.5, sample_id=ids[i], related_id=ids[i + 1])
             for i in range(40)]  # fmt: skip
    rows = [Finding(level="warning", subject=str(i), message="few", score=0.5) for i in range(50)]
    findings = Findings.of([("pairs", pairs), ("rows", rows), ("silent", [])], {"splits": "other"})
    witness = Witness(made.samples, assigned, Gallery(made.samples), is_test_open=True)
    described = describe_findings(findings, made.splits, witness)
    first, second = described["checks"]
    assert (first["name"], len(first["rows"]), first["more_rows"]) == ("Rows", MAX_ROWS, 50 - MAX_ROWS), "gravest first"
    assert (second["name"], len(second["pictures"]), second["more_pictures"]) == ("Pairs", MAX_PAIRS, 40 - MAX_PAIRS)
    assert described["counts"] == {"error": 0, "warning": 50, "info": 40}
    assert (described["quiet"], described["is_of_other_splits"]) == ("silent", True)
    assert "near duplicates" in described["unasked"]


def test_the_checklist_counts_and_gives_units(made: Made) -> None:
    said = describe_checklist(made.checklist)
    assert said["summary"] == "1 of 2 pass, 1 warning."
    assert said["estimate"] == [("training", "1.5\u00a0min"), ("memory", "512\u00a0MiB")]
    rates = Checklist((), {"images_per_s": 61.0, "device": "cpu"})
    assert describe_checklist(rates)["estimate"] == [("images per s", "61"), ("device", "cpu")]


def test_the_ledger_marks_the_look_of_this_number(made: Made) -> None:
    said = describe_ledger(made.ledger, made.splits, made.test)
    assert said is not None
    assert [(look["number"], look["is_this"]) for look in said["looks"]] == [("1", True)]
    assert said["looks"][0]["top1"] == f"{100 * made.test.top1.value:.1f}\u202f%"
    other = describe_ledger(made.ledger, made.splits, None)
    assert other is not None
    assert not other["looks"][0]["is_this"]


@pytest.mark.parametrize(("change", "said"), [
    ({"look": 2}, "This is look 2 at this test split."), ({"look": None, "split": "val"}, "it was selected on val"),
])  # fmt: skip
def test_cautions_of_the_look(made: Made, assigned: Names, change: dict[str, object], said: str) -> None:
    found = cautions(made.samples, assigned, made.findings, replace(made.test, **change), None)  # type: ignore[arg-type]
    assert any(said in line for line in found)


def test_cautions_of_subset_and_checklist(made: Made, assigned: Names) -> None:
    samples = replace(made.samples, subset={"limit": 0.1})
    failed = Checklist((Check(name="seeds", level="fail", message="none", todo="set one"),))
    said = " ".join(cautions(samples, assigned, None, made.test, failed))
    assert "subset of the source (limit 0.1)" in said
    assert "The checklist failed on seeds." in said
    assert "No audit was made" in said


def test_a_leak_that_was_left_out_of_train_is_no_caution(made: Made) -> None:
    clean = made.splits.without(made.findings.leaks())
    said = cautions(made.samples, assigned_splits(made.samples, clean), made.findings, made.test, None)
    assert not any("has a copy" in line for line in said)


def test_strips_lie_on_one_axis(made: Made) -> None:
    strips = describe_number(made.test, [made.val])["strips"]
    assert [s["name"] for s in strips] == ["test top-1", "without leaks", "val top-1"]
    for s in strips:
        assert 0 <= s["left"] <= s["at"] <= s["left"] + s["width"] + 0.02 <= 100.05


@pytest.mark.parametrize(("low", "high", "digits"), [(0.957, 0.989, 1), (0.936, 0.945, 1), (0.9942, 0.9968, 2)])
def test_decimals_follow_the_interval(low: float, high: float, digits: int) -> None:
    assert precision(Estimate((low + high) / 2, low, high, 10_000)) == digits


def test_classes_are_told_worst_first(made: Made) -> None:
    assert made.test.predictions is not None
    said = describe_mistakes(made.test, made.test.predictions, made.samples, Gallery(made.samples))
    values = [e.value for _, e in said["per_class"]]
    assert values == sorted(values)
    assert len(values) == 4
    counts = [float(c["n"]) for c in said["confusions"]]
    assert counts == sorted(counts, reverse=True)
    assert [f.key for f in said["failures"]] == ["test/dark/torn.jpg"]


def test_a_telling_factor_is_two_galleries(made: Made, assigned: Names) -> None:
    witness = Witness(made.samples, assigned, Gallery(made.samples), is_test_open=False)
    checks = {c["name"]: c for c in describe_findings(made.findings, made.splits, witness)["checks"]}
    (shown,) = checks["Shortcuts"]["galleries"]
    assert [g["title"] for g in shown["galleries"]][1] == "without it"
    assert [len(g["pictures"]) for g in shown["galleries"]] == [IN_GALLERY, IN_GALLERY]
    assert all(p.src for g in shown["galleries"] for p in g["pictures"])
    assert not checks["Shortcuts"]["rows"]
    assert not checks["Shortcuts"]["pictures"]


def test_galleries_show_no_sealed_picture(made: Made, assigned: Names) -> None:
    ids = made.samples.column("sample_id")
    sealed = [ids[i].hex() for i in np.flatnonzero(assigned == "test")]
    open_ = [ids[i].hex() for i in np.flatnonzero(assigned == "train")[:2]]
    finding = Finding(level="error", subject="x", message="y", score=1.0,
                      evidence={"galleries": [{"title": "t", "ids": [*sealed, *open_]}]})  # fmt: skip
    findings = Findings.of([("shortcuts", [finding])], {})
    for is_open, count in ((False, 2), (True, IN_GALLERY)):
        witness = Witness(made.samples, assigned, Gallery(made.samples), is_test_open=is_open)
        (check,) = describe_findings(findings, made.splits, witness)["checks"]
        assert len(check["galleries"][0]["galleries"][0]["pictures"]) == count


def test_a_suspected_label_shows_both_classes(made: Made, assigned: Names) -> None:
    witness = Witness(made.samples, assigned, Gallery(made.samples), is_test_open=True)
    checks = {c["name"]: c for c in describe_findings(made.findings, made.splits, witness)["checks"]}
    relabel = checks["Label errors"]["pictures"][0]["relabel"]
    given = made.samples.classes.names[made.samples.column("label")[0]]
    assert relabel == {"given": given, "suggested": made.samples.classes.names[1], "given_probability": 0.04,
                       "suggested_probability": 0.93}  # fmt: skip
    assert checks["Near duplicates"]["pictures"][0]["relabel"] is None


def test_a_pair_that_is_alike_and_not_the_same_is_no_leak(made: Made, assigned: Names) -> None:
    ids = made.samples.column("sample_id")
    a, b = (ids[int(np.flatnonzero(assigned == s)[0])] for s in ("train", "test"))
    alike = Finding(level="info", subject="x", message="alike", score=0.5, sample_id=a, related_id=b)
    findings = Findings.of([("label-errors", [alike])], {})
    said = cautions(made.samples, assigned, findings, made.test, None)
    assert not any("has a copy" in line for line in said)


def test_a_corrected_test_is_a_caution(made: Made, assigned: Names) -> None:
    corrected = replace(made.test, corrected="2 dropped in review")
    assert any("2 dropped in review" in line for line in cautions(made.samples, assigned, None, corrected, None))


@pytest.mark.parametrize(("top1", "is_told"), [(0.997, True), (0.985, False)])
def test_a_result_far_above_the_published_one_is_a_caution(
    made: Made, assigned: Names, top1: float, is_told: bool
) -> None:
    import pyarrow as pa

    i = made.samples.table.schema.get_field_index("dataset")
    field = made.samples.table.schema.field(i)
    table = made.samples.table.set_column(i, field, pa.array(["cifar10"] * len(made.samples)).cast(field.type))
    known = replace(made.samples, table=table)
    result = replace(made.test, top1=Estimate(top1, top1 - 0.002, top1 + 0.002, 10_000))
    told = [line for line in cautions(known, assigned, None, result, None) if "Look for leakage" in line]
    assert len(told) == is_told
    assert not any("Look for leakage" in line for line in cautions(made.samples, assigned, None, result, None))


def test_single_samples_are_rows_of_pictures_by_kind(made: Made, assigned: Names) -> None:
    ids = made.samples.column("sample_id")
    train, test = (np.flatnonzero((assigned == s) & made.samples.is_ok)[:9] for s in ("train", "test"))
    found = [Finding(level="info", subject="k", message="dark: 0.1", score=0.5, sample_id=ids[i], evidence={"kind": k})
             for k, rows in (("dark", [*test, *train]), ("grey-as-colour", train[:2])) for i in rows]  # fmt: skip
    witness = Witness(made.samples, assigned, Gallery(made.samples), is_test_open=False)
    (check,) = describe_findings(Findings.of([("quality", found)], {}), made.splits, witness)["checks"]
    assert [(k["name"], k["n"], len(k["pictures"])) for k in check["kinds"]] == [
        ("dark", 18, MAX_OF_KIND), ("grey as colour", 2, 2)]  # fmt: skip
    assert all(p["picture"].src for k in check["kinds"] for p in k["pictures"]), "open pictures come before sealed ones"
    assert not check["pictures"]
