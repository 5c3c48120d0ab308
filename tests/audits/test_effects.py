"""The test of a shortcut that is run: models that rely on a mark, that ignore it, and another source."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.audits import Findings, audit
from sightline.audits.edits import EDITS, LUMA, Answers, Edit, Neutral
from sightline.predictions import Predictions
from sightline.samples import SampleTable
from sightline.splits import Splits, split
from tests.audits.pictures import Array, table

NEUTRAL = Neutral(mean=(120.0, 115.0, 100.0), std=(60.0, 58.0, 62.0))

MARKED = 2
"""Every second cow has a white lower right corner."""


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> tuple[SampleTable, Splits]:
    def draw(name: str, i: int, pixels: Array) -> Array:
        out = pixels.copy()
        if name == "cow" and i % MARKED == 0:
            out[18:, 18:] = 250
        return out

    samples = table(tmp_path_factory.mktemp("marked"), {"bee": 200, "cow": 200}, draw).hashed()
    return samples, split(samples, val=0.4, test=0.1)


def answers(samples: SampleTable, splits: Splits, edited: dict[str, list[bool] | None]) -> Answers:
    """A model that is always right, but for the cows named False under an edit."""
    assert splits.val is not None
    val = samples.take(np.sort(samples.positions(splits.val.ids)))
    right = np.eye(2)[val.labels] * 4

    def of(wrong: Array) -> Predictions:
        return Predictions.from_logits(val, np.where(wrong[:, None], -right, right).astype(np.float32))

    none = np.zeros(len(val), bool)
    after = {e.name: of(np.array(edited.get(e.name) or none)) for e in EDITS}
    return Answers(name="run x", before=of(none), after=after)


def is_marked(samples: SampleTable, splits: Splits) -> Array:
    assert splits.val is not None
    val = samples.take(np.sort(samples.positions(splits.val.ids)))
    return np.array(["cow" in k and int(k[-8:-4]) % MARKED == 0 for k in val.column("key")])


def rows_of(found: Findings) -> list[dict[str, Any]]:
    return [{**r, **json.loads(r["evidence"])} for r in found.table.to_pylist()]


def test_a_model_that_relies_on_the_corner(marked: tuple[SampleTable, Splits]) -> None:
    samples, splits = marked
    trial = answers(samples, splits, {"corners": is_marked(samples, splits).tolist()})
    rows = rows_of(audit(samples, splits, checks=["shortcut-effect"], trial=trial))
    (row,) = [r for r in rows if r["level"] == "error"]
    assert (row["subject"], row["edit"], row["factor"]) == ("cow", "corners", "corners")
    assert row["accuracy"] == {"inside": [1.0, 0.0], "outside": [1.0, 1.0]}
    assert row["effect"]["value"] == 1
    assert "the model relies on it" in row["message"]
    (flips,) = [r for r in rows if r["subject"] == "corners"]
    assert flips["flips"]["value"] == pytest.approx(is_marked(samples, splits).mean())


def test_a_model_that_suffers_everywhere_alike_does_not_rely_on_it(marked: tuple[SampleTable, Splits]) -> None:
    samples, splits = marked
    wrong = np.arange(len(is_marked(samples, splits))) % 3 == 0
    trial = answers(samples, splits, {"corners": wrong.tolist()})
    rows = rows_of(audit(samples, splits, checks=["shortcut-effect"], trial=trial))
    assert {r["level"] for r in rows} == {"info"}
    assert [r["subject"] for r in rows] == ["cow", *(e.name for e in EDITS)]


def test_without_a_model_nothing_is_tried(marked: tuple[SampleTable, Splits]) -> None:
    samples, splits = marked
    assert len(audit(samples, splits, checks=["shortcut-effect"])) == 0


@pytest.mark.parametrize(("share_wrong", "level"), [(0.0, "info"), (0.5, "warning")])
def test_another_source(marked: tuple[SampleTable, Splits], share_wrong: float, level: str) -> None:
    samples, splits = marked
    trial = answers(samples, splits, {})
    other = trial.before.logits.copy()
    other[: int(share_wrong * len(other))] *= -1
    there = Predictions.from_logits(samples.take(samples.positions(trial.before.ids)), other)
    trial = Answers(name="run x", before=trial.before, after=trial.after, others={"../other": there})
    rows = rows_of(audit(samples, splits, checks=["shortcut-effect"], trial=trial))
    (row,) = [r for r in rows if r["subject"] == "../other"]
    assert row["level"] == level
    assert row["there"]["value"] == pytest.approx(1 - share_wrong, abs=0.02)


@pytest.mark.parametrize("edit", EDITS, ids=lambda e: e.name)
@settings(max_examples=8, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 99))
def test_every_edit_keeps_the_shape_and_changes_no_input(edit: Edit, height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    before = pixels.copy()
    out = edit.run(pixels, NEUTRAL)
    assert (out.shape, out.dtype) == (pixels.shape, np.uint8)
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(out, edit.run(pixels, NEUTRAL))


def by_name(name: str) -> Edit:
    return next(e for e in EDITS if e.name == name)


def test_covering_edits_cover_what_they_say() -> None:
    pixels = np.full((32, 64, 3), 200, np.uint8)
    names = ("border", "frame", "corners", "centre")
    painted = {n: (by_name(n).run(pixels, NEUTRAL) == NEUTRAL.ground).all(2) for n in names}
    assert painted["corners"].sum() == 4 * 8 * 16
    assert painted["corners"][:8, :16].all()
    assert painted["border"].sum() == 32 * 64 - 24 * 48
    assert (painted["frame"] ^ painted["centre"]).all()
    assert painted["centre"][16, 32]


def test_levelling_takes_a_tint_out() -> None:
    rng = np.random.default_rng(0)
    plain = rng.normal(120, 30, (40, 40, 3)).clip(0, 255).astype(np.uint8)
    tinted = (plain * 0.7 + np.array([70, 60, 20])).astype(np.uint8)
    a, b = (by_name("balance").run(p, NEUTRAL).astype(int) for p in (plain, tinted))
    assert np.abs(a - b).mean() < 3
    assert (by_name("grey").run(tinted, NEUTRAL).std(2) == 0).all()
    level = by_name("level").run(tinted, NEUTRAL) @ LUMA
    assert level.mean() == pytest.approx(np.array(NEUTRAL.mean) @ LUMA, abs=3)
