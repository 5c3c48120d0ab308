"""Names of wnids come from timm's files, without importing timm."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from sightline.catalog import datasets, wordnet


def test_what_a_wnid_is() -> None:
    assert wordnet.are_wnids(["n01440764", "n02102040"])
    assert not wordnet.are_wnids(["n01440764", "tench"])


def test_names_agree_with_the_card_and_never_are_keys() -> None:
    if importlib.util.find_spec("timm") is None:
        pytest.skip("timm, whose list of names is read, is not installed")
    card = datasets("imagenette")
    found = wordnet.names_of(card.class_ids)
    assert set(found) == set(card.class_ids)
    agree = [w for w in card.class_ids if found[w].lower() == card.class_names[w].lower()]
    assert len(agree) >= 7  # the card has the short names that its authors use
    assert wordnet.names_of(["n02012849", "n03126707"]) == {"n02012849": "crane", "n03126707": "crane"}
    assert wordnet.names_of(["n99999999"]) == {}


def test_torch_is_not_imported() -> None:
    code = (
        "import sys; from sightline.catalog import wordnet; wordnet.names_of(['n01440764']); "
        "print({'torch', 'timm', 'torchvision'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "set()"


def test_without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    wordnet._lemmas.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert wordnet.names_of(["n01440764"]) == {}
    wordnet._lemmas.cache_clear()
