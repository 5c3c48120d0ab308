"""The tree of errors, and the help at the end of a message."""

from __future__ import annotations

import pytest

from sightline import errors
from sightline.errors import MissingExtraError, SightlineError, did_you_mean, extra_needed


def test_the_drawn_tree_is_the_tree() -> None:
    classes = {c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, SightlineError)}
    drawn = {SightlineError}
    for line in (errors.__doc__ or "").splitlines():
        if "──" in line:
            error = getattr(errors, line.split("──")[1].split()[0])
            drawn.add(error)
            assert error.__base__.__name__ == ("DataError" if line.startswith("│") else "SightlineError")
    assert drawn == classes


def test_did_you_mean() -> None:
    assert did_you_mean("optimiser", ["optimizer", "schedule"]) == " Did you mean 'optimizer'?"
    assert did_you_mean("zzz", ["b", "a"]) == " Known: a, b."
    assert did_you_mean("zzz", []) == ""


@pytest.mark.parametrize(
    ("package", "extra"), [("torch", "train"), ("plotly.graph_objects", "report"), ("sklearn", "digits")]
)
def test_an_import_that_failed_names_the_extra(package: str, extra: str) -> None:
    found = extra_needed(ModuleNotFoundError(name=package), "This")
    assert isinstance(found, MissingExtraError)
    assert f"pip install 'sightline[{extra}]'" in str(found)


def test_an_import_that_failed_for_another_reason() -> None:
    assert extra_needed(ModuleNotFoundError(name="json_but_misspelt"), "This") is None
