"""The checklist as a value: text, JSON, and a warning that says nothing to do is a defect."""

from __future__ import annotations

import json

import pytest

from sightline.checklist import Check, Checklist

LINES = (
    Check(name="seed", level="pass", message="0"),
    Check(name="clipping", level="warn", message="off with a <transformer>", todo="Set clip_norm=1."),
)
FAILING = Check(name="classes", level="fail", message="one class", todo="Index a source with two.")


def test_good_until_something_fails() -> None:
    assert Checklist(LINES).is_good
    assert not Checklist((*LINES, FAILING)).is_good
    assert Checklist((*LINES, FAILING)).summary == "1 of 3 pass · warn: clipping · fail: classes"


def test_text_names_what_to_do() -> None:
    text = str(Checklist(LINES, {"training_min": 2.5, "device": "cpu"})).splitlines()
    assert text[0].split() == ["ok", "seed", "0"]
    assert text[1].endswith("→ Set clip_norm=1.")
    assert text[2].split() == ["estimate", "training", "min", "2.5", "·", "device", "cpu"]


def test_json_round_trip() -> None:
    made = Checklist((*LINES, FAILING), {"training_min": 2.5, "device": "cpu"})
    stored = json.loads(json.dumps(made.to_json()))
    assert Checklist.from_json(stored) == made
    assert stored["is_good"] is False


def test_html_is_escaped() -> None:
    assert "<transformer>" not in Checklist(LINES)._repr_html_()


def test_to_pandas() -> None:
    assert Checklist(LINES).to_pandas()["level"].tolist() == ["pass", "warn"]
    assert Checklist(()).to_pandas().columns.tolist() == ["name", "level", "message", "todo"]


@pytest.mark.parametrize("level", ["warn", "fail"])
def test_a_warning_without_advice_is_a_defect(level: str) -> None:
    with pytest.raises(ValueError, match="not what to do"):
        Check(name="x", level=level, message="y")  # type: ignore[arg-type]
