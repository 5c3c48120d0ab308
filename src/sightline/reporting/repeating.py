"""Everything needed to run it again: commands, and the environment the run was made in."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from sightline.reporting.history import value_in_words
from sightline.samples import SampleTable
from sightline.splits import Splits


def commands(samples: SampleTable, splits: Splits) -> list[dict[str, str]]:
    """Commands, a block each with a sentence before it."""
    source = _source(samples)
    job = [
        f"sightline index {_line(source)} study{_options(samples.subset)}",
        f"sightline split study{_options(_split_options(splits.how))}",
        "sightline audit study",
        "sightline check study --recipe recipe.json",
        "sightline train study --recipe recipe.json",
        'sightline evaluate study --note "a repetition"',
        "sightline report study",
    ]
    return [
        {"told": "The same version:", "text": f"pip install 'sightline[all]=={version('sightline')}'"},
        {"told": "The same job, with the recipe above saved as recipe.json. Equal digests at the top of the new page "
                 "mean that the same data, split, preprocessing and weights were made again.", "text": "\n".join(job)},
    ]  # fmt: skip


def _source(samples: SampleTable) -> str:
    """The folder the images lie in, or the dataset's name where a package carries them."""
    root = next(iter(samples.roots.values()), "SOURCE")
    return samples.name if root.startswith("package:") else root


def _split_options(how: Mapping[str, Any]) -> dict[str, Any]:
    by = how.get("by", "auto")
    options = {"by": by, **{name: how.get(name) for name in ("val", "seed", "group", "folds")}}
    if not how.get("folds") and by != "official":
        options["test"] = how.get("test")
    return {k: v for k, v in options.items() if not (k == "seed" and by == "time")}


def _options(values: Mapping[str, Any]) -> str:
    said = []
    for name, value in values.items():
        if value is None or value in ([], ()) or (name == "folds" and not value):
            continue
        text = ",".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
        said.append(f" --{name} {_line(text)}")
    return "".join(said)


def _line(text: str) -> str:
    return shlex.quote(text)


def environment_facts(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of everything that was recorded about the environment."""
    return [(str(k).replace("_", " "), value_in_words(v)) for k, v in environment.items()]
