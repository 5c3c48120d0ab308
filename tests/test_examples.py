"""Every script in examples/ runs and ends with its number."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_example(script: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    number = re.search(r"(\d+\.\d) %.* n=(\d+)", last)
    assert number, last
    assert float(number[1]) > 90
    if script.name == "ten_lines.py":
        assert (tmp_path / "study" / "report.html").exists()
        assert last.endswith("n=360, look 1")


def test_ten_lines_are_ten() -> None:
    _, _, code = (EXAMPLES / "ten_lines.py").read_text("utf-8").rpartition("\n\n")
    assert len(code.splitlines()) <= 10
