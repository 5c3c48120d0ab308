"""The study that the report's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reporting.made import Made, make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Everything that a report can be made from; its ledger is apart from that of the person who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLINE_STATE", str(tmp_path_factory.mktemp("state")))
        return make(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def page(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole report."""
    from sightline.reporting import report

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLINE_STATE", str(tmp_path_factory.mktemp("state")))
        return report(made.run, made.findings, made.test, to=tmp_path_factory.mktemp("report") / "report.html",
                      scores=made.val, checklist=made.checklist, ledger=made.ledger)  # fmt: skip
