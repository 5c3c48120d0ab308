"""The script that derives the label tables reads WordNet's own format and closes over all ancestors."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "derive_label_data.py"

NOUNS = """\
  1 This software and database is being provided to you, the LICENSEE, by
00001740 03 n 01 entity 0 001 ~ 00001930 n 0000 | that which is perceived to have its own distinct existence
00001930 03 n 01 physical_entity 0 001 @ 00001740 n 0000 | an entity that has physical existence
01440764 05 n 02 tench 0 Tinca_tinca 0 003 @ 00001930 n 0000 @i 00001740 n 0000 ;c 00001740 a 0000 | a fish; "it swam"
99999999 05 n 0a w0 0 w1 0 w2 0 w3 0 w4 0 w5 0 w6 0 w7 0 w8 0 w9 0 001 @ 00001740 n 0000 | ten words; and more
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("derive_label_data", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lines_of_wordnet(script: ModuleType) -> None:
    """Counts of words are hexadecimal; only pointers to what a noun is a kind or an instance of are parents."""
    nouns = script._nouns(NOUNS)
    assert len(nouns) == 4
    assert nouns["n01440764"] == ("tench, Tinca tinca", "a fish", ["n00001930", "n00001740"])
    assert nouns["n00001740"] == ("entity", "that which is perceived to have its own distinct existence", [])
    words, definition, parents = nouns["n99999999"]
    assert (words.count(","), definition, parents) == (9, "ten words; and more", ["n00001740"])


def test_ancestors_come_along(script: ModuleType) -> None:
    table = script._synsets({"mine": ["n01440764"]}, ["n01440764"], script._nouns(NOUNS))
    assert table["wnid"].to_pylist() == ["n00001740", "n00001930", "n01440764"]
    assert table["parents"].to_pylist() == [[], [0], [1, 0]]
    assert table["mine"].to_pylist() == [False, False, True]
    assert table["devkit_id"].to_pylist() == [None, None, 1]


def test_packages_that_are_missing(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="0 files timm"):
        script._text(tmp_path, "timm-*.whl", "x")
    with zipfile.ZipFile(tmp_path / "timm-1.whl", "w") as wheel:
        wheel.writestr("timm-1.dist-info/licenses/LICENSE", "words")
    assert script._text(tmp_path, "timm-*.whl", "timm-*.dist-info/licenses/LICENSE") == "words"


def test_literals_are_read_and_nothing_is_run(script: ModuleType) -> None:
    assert script._assigned("import nothing_there\nA = ('b', 'a')", "A") == ["b", "a"]
    with pytest.raises(SystemExit):
        script._assigned("A = 1", "B")
