"""Records, page and chart: the figures that a reader sees are those that were measured."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from benchmarks.contenders import CONTENDERS
from benchmarks.loading import main

from benchmarks import chart, report
from benchmarks.records import Records
from tests.benchmarks.records import some

SVG = "{http://www.w3.org/2000/svg}"


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    some().write(tmp_path / "records.json")
    assert Records.read(tmp_path / "records.json") == some()


def test_figures_are_medians_over_the_rounds() -> None:
    records = some()
    assert records.rate("train-sightline-files") == pytest.approx(1600)
    assert records.cpu_ms("train-sightline-files") == pytest.approx(2.0)
    assert records.others == pytest.approx(0.1)
    assert Records().others == 0


def test_the_baseline_is_the_faster_of_no_workers_and_two() -> None:
    records = some()
    assert report.baseline(records, "train") == "train-torch-pillow-2"
    del records.rounds["train-torch-pillow-2"]
    assert report.baseline(records, "train") == "train-torch-pillow-0"
    with pytest.raises(KeyError):
        report.baseline(records, "cifar10")


def test_aims_are_reached_missed_or_not_measured() -> None:
    rows = {row[0]: row[1:] for row in (aim.row(some()) for aim in report.AIMS)}
    assert rows["training, untouched files, over DataLoader + ImageFolder"] == ("≥ 1.8 ×", "2 ×", "yes")
    assert rows["training, untouched files, over the fastest peer with the same pixels"] == ("≥ 1 ×", "1.6 ×", "yes")
    assert rows["evaluation, over DataLoader + ImageFolder"] == ("≥ 2 ×", "1.8 ×", "**no**")
    assert rows["evaluation, largest difference to torchvision on Pillow"] == ("≤ 2 levels", "7 levels", "**no**")
    assert rows["evaluation, exact mode, largest difference"] == ("≤ 0 levels", "not measured", "")
    assert rows["memory after the last epoch, over that after the second"] == ("≤ 1.02 ×", "1 ×", "yes")
    assert rows["1.28 million samples: start of an epoch"] == ("≤ 50 ms", "40 ms", "yes")
    assert rows["1.28 million samples: memory of loader and order"] == ("≤ 100 MB", "100 MB", "yes")


def test_the_page_has_a_row_for_each_contender_the_fastest_first() -> None:
    page = report.rendered(some(), CONTENDERS)
    section = page.split("## Training batches")[1].split("\n## ")[0]
    assert re.findall(r"^\| (.+?) \| ([\d,]+) \|", section, re.M) == [
        ("FFCV, raw 500 px¹", "3,000"), ("**Sightline, packed shards**", "2,000"),
        ("**Sightline, untouched files**", "1,600"), ("DALI on the CPU", "1,000"),
        ("DataLoader, Pillow, 2 workers", "800"), ("DataLoader, Pillow, no workers", "300"),
    ]  # fmt: skip
    assert "| **Sightline, untouched files** | 1,600 | 1,500–1,700 | 2 | 2.00 | 1.00 | 500 |  |" in section
    assert re.search(r"packed shards.*\| 0\.98 \|$", section, re.M)
    assert "¹ FFCV, raw 500 px: raw pixels" in section
    assert "- train-spdl: pip: no such wheel" in page
    assert "other programs used 10 % of the two cores" in page
    assert "2,000 photographs an epoch" in page


def test_a_page_of_nothing_says_that_nothing_was_measured() -> None:
    records = Records(facts=some().facts)
    assert report.rendered(records, CONTENDERS).count("not measured") == len(report.AIMS)


def test_the_chart_draws_lengths_in_proportion() -> None:
    root = ElementTree.fromstring(chart.rendered(some(), CONTENDERS))
    lengths = [float(r.attrib["width"]) for r in root.iter(f"{SVG}rect")]
    assert [x / lengths[0] for x in lengths] == pytest.approx([1, 2 / 3, 1.6 / 3, 1 / 3, 0.8 / 3, 0.1], abs=1e-3)
    assert [r.attrib["class"] for r in root.iter(f"{SVG}rect")][:3] == ["bar lossy", "bar own", "bar own"]
    values = [t.text for t in root.iter(f"{SVG}text") if t.attrib["class"].startswith("value")]
    assert values == ["3,000", "2,000", "1,600", "1,000", "800", "300"]
    bottom = max(float(r.attrib["y"]) for r in root.iter(f"{SVG}rect"))
    assert bottom < float(root.attrib["height"]) - chart.FOOT


def test_results_are_written_again_from_records(tmp_path: Path) -> None:
    some().write(tmp_path / "records.json")
    places = ["--out", str(tmp_path / "results" / "loading.md"), "--chart", str(tmp_path / "images" / "loading.svg")]
    assert main(["--render", str(tmp_path / "records.json"), *places]) == 0
    assert (tmp_path / "results" / "loading.md").read_text() == report.rendered(some(), CONTENDERS)
    assert (tmp_path / "images" / "loading.svg").read_text() == chart.rendered(some(), CONTENDERS)


def test_a_part_never_replaces_the_figures_of_the_whole(tmp_path: Path) -> None:
    some().write(tmp_path / "records.json")
    main(["--only", "train", "--work", str(tmp_path), "--render", str(tmp_path / "records.json")])
    assert (tmp_path / "loading.md").exists()
    assert (tmp_path / "loading.svg").exists()


def test_a_wrong_choice_ends_with_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as e:
        main(["--only", "nothing"])
    assert e.value.code == 2
    assert "There are: train" in capsys.readouterr().err
