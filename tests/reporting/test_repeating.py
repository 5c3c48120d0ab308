from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sightline.artifacts import write_json
from sightline.cli import build_parser
from sightline.reporting.repeating import commands, environment_facts
from sightline.runs import Run
from sightline.splits import split
from tests.reporting.made import Made


def parsed(made: Made, run: Run | None = None, **how: Any) -> dict[str, dict[str, Any]]:
    """The arguments of each command on the page, as the command line itself understands them."""
    splits = replace(made.splits, how={**made.splits.how, **how})
    lines = commands(run or made.run, made.samples, splits)[1]["text"].splitlines()
    words = [shlex.split(line) for line in lines]
    assert all(w[0] == "sightline" for w in words)
    return {w[1]: vars(build_parser().parse_args(w[1:])) for w in words}


def test_the_commands_are_the_verbs_of_the_job(made: Made) -> None:
    assert list(parsed(made)) == ["index", "split", "audit", "check", "train", "evaluate", "report"]


@pytest.mark.parametrize("how", [
    {"by": "stratified", "val": 0.15, "test": 0.25, "seed": 3, "group": []},
    {"by": "group", "val": 0.1, "test": 0.2, "seed": 0, "group": ["patient", "a b"]},
    {"by": "hash", "val": 0.1, "test": 0.2, "seed": 1, "group": [], "folds": 5, "fold": 2},
])  # fmt: skip
def test_the_split_is_asked_for_as_it_was_made(made: Made, how: dict[str, Any]) -> None:
    options = parsed(made, **how)["split"]
    wanted = {k: tuple(v) if isinstance(v, list) else v for k, v in how.items()}
    if how.get("folds"):
        wanted |= {"test": None}  # the test is one of the folds
    assert {k: options[k] for k in wanted} == wanted


def test_an_official_split_and_one_by_time_name_nothing_that_has_no_effect(made: Made) -> None:
    assert parsed(made)["split"]["test"] is None
    by_time = replace(made.splits, how={"by": "time", "val": 0.1, "test": 0.2, "seed": 0})
    assert "--seed" not in commands(made.run, made.samples, by_time)[1]["text"]


def test_the_same_options_make_the_same_split(made: Made) -> None:
    options = parsed(made)["split"]
    again = split(made.samples, by=options["by"], val=options["val"], seed=options["seed"], group=options["group"])
    assert again.digest == made.splits.digest


def test_the_source_is_the_one_the_study_was_indexed_from(made: Made, tmp_path: Path) -> None:
    run = replace(made.run, directory=tmp_path / "runs" / "abc")
    write_json(tmp_path / "study.json", {"source": "my photos/list.csv; rm -rf /"})
    assert parsed(made, run)["index"]["source"] == "my photos/list.csv; rm -rf /"


def test_environment_in_words() -> None:
    facts = environment_facts({"num_threads": 2, "accelerator": None, "is_exact": True})
    assert facts == [("num threads", "2"), ("accelerator", "none"), ("is exact", "yes")]
