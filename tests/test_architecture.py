"""The architecture is a test: layers, honesty line, torch line, the sealed test split, sizes and names."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from importlinter import api as importlinter

import sightline
from sightline.cli import VERBS

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "sightline"
MODULES = sorted(SOURCE.rglob("*.py"))
FORBIDDEN_WORDS = {
    "utils", "util", "common", "core", "base", "manager", "handler", "helper", "helpers", "engine", "misc",
}  # fmt: skip
MAX_LINES, MAX_LINES_OF_A_FUNCTION = 300, 60
SEALED_IDS = "_ids"
"""The field of `SealedSplit` that holds what is sealed."""


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_contracts_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = importlinter.read_configuration()
    assert len(config["contracts_options"]) >= 4
    code = "from importlinter.cli import lint_imports_command as command; command()"
    done = subprocess.run([sys.executable, "-c", code, "--no-cache", "--no-logo"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_layers_are_those_that_the_text_draws() -> None:
    drawn = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("## Layers", 1)[1].split("```")[1]
    lines = [re.split(r"\s{2,}", line)[0].split(" | ") for line in drawn.strip().splitlines()]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers, _, torchless = contracts[:3]
    assert [{name.removesuffix("ᵗ") for name in line} for line in lines] == [
        set(line.split(" | ")) for line in layers["layers"]
    ]
    unmarked = {f"sightline.{name}" for line in lines for name in line if not name.endswith("ᵗ")}
    # The two that only hand on reach torch through the verbs.
    assert unmarked - {"sightline.__main__", "sightline.cli"} == set(torchless["source_modules"])


def test_import_of_the_package_loads_nothing_heavy() -> None:
    heavy = _python(
        "import sys, sightline\n"
        "print([m for m in ('torch', 'numpy', 'pyarrow', 'PIL', 'plotly') if m in sys.modules])"
    )
    assert heavy.strip() == "[]"


def test_data_layer_runs_without_torch(photo_folder: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    code = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "timm"):
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Blocked())
from sightline.cli import main
for verb in (["index", {str(photo_folder)!r}], ["split"], ["audit"]):
    assert main([verb[0], *verb[1:], {str(study)!r}]) == 0, verb
import sightline as sl
sl.Preprocessing, sl.Ledger, sl.Predictions, sl.Score, sl.Recipe, sl.augmentation, sl.metrics
assert "torch" not in sys.modules
"""
    _python(code)
    assert (study / "findings.parquet").exists()


def test_every_public_name_exists() -> None:
    for name in sightline.__all__:
        assert getattr(sightline, name) is not None, name
    with pytest.raises(AttributeError):
        sightline.no_such_name  # noqa: B018


def test_only_the_ledger_reads_the_sealed_ids() -> None:
    readers = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == SEALED_IDS:
                readers.add(path.relative_to(SOURCE).as_posix())
    assert readers == {"ledger/__init__.py"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_module_is_small_and_named_after_a_concept(path: Path) -> None:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MAX_LINES
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= MAX_LINES_OF_A_FUNCTION] == []
    assert not FORBIDDEN_WORDS & set(path.relative_to(SOURCE).with_suffix("").parts)
    assert ast.get_docstring(tree), "a module says what it is in one sentence"


@pytest.mark.parametrize("verb", [v.name for v in VERBS])
def test_every_verb_is_a_function_with_a_page_and_a_test(verb: str) -> None:
    assert callable(getattr(sightline, verb))
    page = ROOT / "docs" / "verbs" / f"{verb}.md"
    assert page.exists(), f"docs/verbs/{verb}.md is missing"
    assert f"sightline {verb}" in page.read_text("utf-8")
    called = re.compile(rf'["\']{verb}["\']|\bsl\.{verb}\(|\b{verb}\(')
    assert any(called.search(p.read_text("utf-8")) for p in (ROOT / "tests").rglob("test_*.py") if p != Path(__file__))


def _tracked() -> list[Path]:
    try:
        done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


def test_tracked_files_name_no_index_and_no_machine() -> None:
    # Written in pieces, so that this file does not find itself.
    marks = ["pypi" + ".org", "--extra-index" + "-url", "--index-" + "url", "find-" + "links",
             "/home" + "/", "/root" + "/", "/wo" + "rk/", "/op" + "t/"]  # fmt: skip
    found = [
        (path.relative_to(ROOT).as_posix(), mark)
        for path in _tracked()
        for mark in marks
        if mark.encode() in path.read_bytes()
    ]
    assert found == []


def test_tracked_files_are_small_text() -> None:
    large = [p.relative_to(ROOT).as_posix() for p in _tracked() if p.stat().st_size > 2_000_000]
    assert large == []


def test_lock_pins_everything_by_hash() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in lock.splitlines() if line.strip()]
    assert all(re.match(r"[a-z0-9._-]+==\S+( ; .+?)?\s+--hash=sha256:[0-9a-f]{64}", line) for line in lines), lines[:1]
    pinned = {line.partition("==")[0] for line in lines}
    assert {"torch", "torchvision", "timm", "numpy", "pyarrow", "pillow", "setuptools", "pytest"} <= pinned
