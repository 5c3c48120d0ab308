from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import ContractError, DataError
from sightline.reporting import report
from sightline.reporting.html import html_of
from sightline.reporting.page import CONTENTS
from sightline.reporting.pictures import Gallery
from sightline.runs import Run
from tests.reporting.made import HOSTILE, WEIGHTS, Made


def text_of(page: Path) -> str:
    """What a person reads: the page without its scripts, its style and its tags."""
    html = re.sub(r"<(script|style)\b.*?</\1>", "", page.read_text("utf-8"), flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))


def parts_of(made: Made) -> dict[str, Any]:
    return {"findings": made.findings, "score": made.test, "scores": made.val, "checklist": made.checklist,
            "ledger": made.ledger}  # fmt: skip


def test_the_number_comes_with_interval_look_and_digests(made: Made, page: Path) -> None:
    text, html = text_of(page), page.read_text("utf-8")
    top1 = made.test.top1
    assert f"{100 * top1.value:.1f}" in text
    assert f"{100 * top1.low:.1f} – {100 * top1.high:.1f}" in text
    assert f"n = {top1.n}" in text
    assert "look 1 at the test split" in text
    for digest in (made.samples.digest, made.splits.digest, made.run.recipe.digest, WEIGHTS, "cd" * 32, "ef" * 32):
        assert f'data-copy="{digest}"' in html
        assert digest[:12] in text


def test_every_part_has_its_section_and_ids_are_unique(page: Path) -> None:
    html = page.read_text("utf-8")
    ids = re.findall(r'\sid="([^"]+)"', re.sub(r"<script\b.*?</script>", "", html, flags=re.S))
    assert {name for name, _ in CONTENTS} <= set(ids)
    assert [name for name, n in Counter(ids).items() if n > 1] == []


def test_the_page_is_one_file(page: Path) -> None:
    html = page.read_text("utf-8")
    assert html.count("plotly.js v") == 1
    body = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.S)
    sources = re.findall(r'(?:src|href)="([^"]*)"', body)
    assert sources
    assert all(s.startswith(("data:image/", "#")) for s in sources)
    assert "<link" not in body
    assert page.stat().st_size < 8_000_000


def test_names_of_people_are_text_not_markup(page: Path) -> None:
    html = page.read_text("utf-8")
    assert HOSTILE not in html
    assert "<script>alert(2)" not in html
    text = text_of(page)
    assert "onerror=alert(1)" in text
    assert "{{ 7 * 7 }}" in text
    assert "alert(2)" in text


def test_the_policy_allows_the_scripts_of_the_page_alone(page: Path) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page.read_text("utf-8"))
    assert policy
    assert "default-src &#39;none&#39;" in policy[1]
    scripts = unescape(policy[1]).partition("script-src")[2].partition(";")[0]
    assert re.fullmatch(r"( 'sha256-[\w+/=]+'){2}", scripts)


def test_what_speaks_against_the_number_is_said(made: Made, page: Path) -> None:
    text = text_of(page)
    assert "Read the number with care" in text
    assert "1 test image has a copy in train or val." in text
    assert made.test.without_leaks is not None
    assert f"{100 * made.test.without_leaks.value:.1f}" in text
    assert "1 image of the test split could not be read and counts as wrong." in text
    assert "torn.jpg" in text


@pytest.mark.parametrize(("absent", "said"), [
    ("findings", "No audit was made"), ("checklist", "No checklist was made"), ("ledger", "no looks to count"),
    ("score", "No score was given"), ("scores", "The number"),
])  # fmt: skip
def test_an_absent_part_is_a_sentence(made: Made, tmp_path: Path, absent: str, said: str) -> None:
    parts = {**parts_of(made), absent: None}
    assert said in text_of(report(made.run, to=tmp_path / "r.html", **parts))


def test_a_run_alone_makes_a_page(made: Made, tmp_path: Path) -> None:
    text = text_of(report(made.run, to=tmp_path / "r.html"))
    assert "this page describes the data and the run alone" in text
    assert "no predictions to look at" in text


def test_a_run_without_epochs_makes_a_page(made: Made, tmp_path: Path) -> None:
    about = {"model": {}, "environment": {}}
    recipe = made.run.recipe.with_set("seed=7")
    run = Run.create(tmp_path, recipe, made.samples, made.splits, about)
    assert "holds no epoch" in text_of(report(run, to=tmp_path / "r.html"))


def test_a_val_number_says_that_it_was_selected_on_val(made: Made, tmp_path: Path) -> None:
    text = text_of(report(made.run, made.findings, made.val, to=tmp_path / "r.html", scores=made.val))
    assert "it was selected on val" in text
    assert text.count("val top-1") == 2, "the headline and one strip, not the same score twice"


def test_pictures_of_test_samples_appear_for_scores_already_made(made: Made, tmp_path: Path) -> None:
    gallery = Gallery(made.samples)
    is_test = np.array(made.splits.table["split"].to_pylist()) == "test"
    leaked = set(made.samples.positions(made.findings.leaked_test_ids()).tolist())
    rows = set(np.flatnonzero(is_test & made.samples.is_ok).tolist()) - leaked  # a copy's picture is that of train too
    uris = {gallery.picture(i).src for i in rows}
    sealed = report(made.run, made.findings, made.val, to=tmp_path / "sealed.html").read_text("utf-8")
    assert not any(uri in sealed for uri in uris)
    assert "sealed: no score was made on the test split" in sealed
    opened = report(made.run, made.findings, made.test, to=tmp_path / "opened.html").read_text("utf-8")
    assert any(uri in opened for uri in uris)
    assert "sealed: no score" not in opened


def test_mistakes_are_the_most_confident_ones_in_order(made: Made, page: Path) -> None:
    p = made.test.predictions
    assert p is not None
    wrong = np.flatnonzero(p.is_valid & (p.predicted != p.labels))
    assert len(wrong) >= 3
    confidence = np.sort(p.probabilities[wrong].max(1))[::-1]
    block = re.search(r'<div class="mistakes">(.*?)</div>', page.read_text("utf-8"), re.S)
    assert block
    shown = re.findall(r"<b>([\d.]+)\u202f%</b>", block[1])
    assert shown == [f"{100 * c:.1f}" for c in confidence[:24]]
    assert f"{len(wrong)} mistakes among" in text_of(page)


@pytest.mark.parametrize("name", ["weights", "trained_on_samples", "trained_on_splits", "split"])
def test_a_score_of_another_run_is_refused(made: Made, tmp_path: Path, name: str) -> None:
    other = replace(made.test, digests={**made.test.digests, name: "00" * 32})
    with pytest.raises(ContractError, match=r"disagree.*000000000000.*evaluate"):
        report(made.run, None, other, to=tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_a_run_opened_alone_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Open it with them"):
        report(Run.open(made.run.directory), to=tmp_path / "r.html")


def test_a_page_is_the_same_each_time(made: Made, tmp_path: Path) -> None:
    first, second = (report(made.run, to=tmp_path / f"{i}.html", **parts_of(made)).read_text() for i in (1, 2))
    assert first == second


def test_a_value_missing_from_the_template_is_a_defect() -> None:
    from datetime import datetime

    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        html_of({"title": "incomplete"}, datetime(2026, 1, 1))


def test_commands_lead_to_the_same_split(made: Made, page: Path) -> None:
    text = text_of(page)
    assert "sightline split study --by official" in text
    assert f"sightline index {next(iter(made.samples.roots.values()))} study" in text
