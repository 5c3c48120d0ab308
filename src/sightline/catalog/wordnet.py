"""Names of WordNet ids (wnids), the class names of the ImageNet family."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_WNID = re.compile(r"n\d{8}")


def are_wnids(ids: Iterable[str]) -> bool:
    """Whether every id looks like `n01440764`."""
    return all(_WNID.fullmatch(i) for i in ids)


def names_of(wnids: Iterable[str]) -> dict[str, str]:
    """wnid → first word for it, for those that are known; nothing where timm is not installed.

    Names repeat (two classes are a `crane`): they are for people, never keys.
    """
    lemmas = _lemmas()
    return {w: lemmas[w] for w in wnids if w in lemmas}


@cache
def _lemmas() -> dict[str, str]:
    # timm carries the list; its files are read by path, because importing it would import torch.
    spec = importlib.util.find_spec("timm")
    for place in (spec.submodule_search_locations or []) if spec else []:
        file = Path(place) / "data" / "_info" / "imagenet_synset_to_lemma.txt"
        if file.is_file():
            pairs = (line.split("\t", 1) for line in file.read_text("utf-8").splitlines() if "\t" in line)
            return {wnid: words.split(",")[0].strip() for wnid, words in pairs}
    return {}
