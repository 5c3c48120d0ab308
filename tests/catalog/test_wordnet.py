"""Names, definitions and the hierarchy of wnids come from the package's own table."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from sightline.catalog import datasets, wordnet
from sightline.catalog.label_data import listed
from sightline.errors import DataError


def test_what_a_wnid_is() -> None:
    assert wordnet.are_wnids(["n01440764", "n02102040"])
    assert not wordnet.are_wnids(["n01440764", "tench"])


def test_names_agree_with_the_card_and_never_are_keys() -> None:
    card = datasets("imagenette")
    found = wordnet.names_of(card.class_ids)
    assert set(found) == set(card.class_ids)
    agree = [w for w in card.class_ids if found[w].lower() == card.class_names[w].lower()]
    assert len(agree) >= 7  # the card has the short names that its authors use
    assert wordnet.names_of(["n02012849", "n03126707"]) == {"n02012849": "crane", "n03126707": "crane"}
    assert wordnet.names_of(["n03710637", "n03710721"]) == {"n03710637": "maillot", "n03710721": "maillot"}
    assert wordnet.names_of(["n99999999"]) == {}


def test_a_synset() -> None:
    tench = wordnet.synset("n01440764")
    assert tench.words == ("tench", "Tinca tinca")
    assert tench.definition.startswith("freshwater dace-like game fish")
    assert wordnet.synset(tench.parents[0]).words[0] == "cyprinid"
    assert wordnet.ancestors("n01440764")[0] == tench.parents[0]
    assert wordnet.ancestors("n01440764")[-1] == "n00001740"  # entity
    with pytest.raises(DataError, match="eight digits"):
        wordnet.synset("tench")


def test_the_hierarchy_of_the_thousand_is_no_tree() -> None:
    leaves = set(listed("imagenet_1k"))
    above = {w: wordnet.ancestors(w) for w in leaves}
    internal = {w for ancestors in above.values() for w in ancestors}
    assert len(internal) == 860
    assert not leaves & internal
    assert sum(len(wordnet.synset(w).parents) > 1 for w in leaves) == 38
    assert all(len(set(ancestors)) == len(ancestors) for ancestors in above.values())


def test_against_the_lists_that_timm_carries() -> None:
    spec = importlib.util.find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("timm, whose lists are compared, is not installed")
    folder = Path(next(iter(spec.submodule_search_locations))) / "data" / "_info"
    for what in ("lemma", "definition"):
        lines = (folder / f"imagenet_synset_to_{what}.txt").read_text("utf-8").splitlines()
        theirs = dict(line.split("\t", 1) for line in lines)
        ours = {w: wordnet.synset(w) for w in listed("imagenet_1k")}
        for wnid, synset in ours.items():
            own = ", ".join(synset.words) if what == "lemma" else synset.definition
            assert own.split("; ")[0] == theirs[wnid].split("; ")[0], wnid
