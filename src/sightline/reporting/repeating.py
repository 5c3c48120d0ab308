"""Everything needed to run it again: commands, and the environment the run was made in."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from sightline.artifacts import read_json
from sightline.reporting.history import value_in_words
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import Splits


def commands(run: Run, samples: SampleTable, splits: Splits) -> list[dict[str, str]]:
    """Commands, a block each with a sentence before it."""
    steps = _about(run).get("converted", [])
    homes = [*(f"original-{i}" for i in range(1, len(steps) + 1)), "study"]
    job = [
        f"sightline index {_line(_source(run, samples))} {homes[0]}{_options(_index_options(samples))}",
        *(f"sightline convert {homes[i]} {homes[i + 1]}{_conversion_options(step)}" for i, step in enumerate(steps)),
        f"sightline split study{_options(_split_options(splits.how))}",
        "sightline audit study",
        *(["sightline split study --without leaks", "sightline audit study"] if splits.how.get("without") else []),
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


def _source(run: Run, samples: SampleTable) -> str:
    """What the study was indexed from; outside a study the folder of the images, or the name of an embedded dataset."""
    if source := _about(run).get("source"):
        return str(source)
    root = next(iter(samples.roots.values()), "SOURCE")
    return samples.name if root.startswith("package:") else root


def _about(run: Run) -> dict[str, Any]:
    study = run.directory.absolute().parents[1] / "study.json"
    return dict(read_json(study)) if study.exists() else {}


def _conversion_options(step: Mapping[str, Any]) -> str:
    encoding = step["encoding"] or {}
    return _options({"to": step["to"], "quality": encoding.get("quality"), "max-side": encoding.get("max_side")})


def _index_options(samples: SampleTable) -> dict[str, Any]:
    kinds = {group["kind"] for groups in samples.column("groups") for group in groups or ()}
    return {**samples.subset, "group": sorted(kinds)}


def _split_options(how: Mapping[str, Any]) -> dict[str, Any]:
    by = how.get("by", "auto")
    names = ("val", "seed", "group", "embargo", "domain", "folds", "repeats", "fold", "inner", "inner_fold")
    options = {"by": how.get("file", by), **{name.replace("_", "-"): how.get(name) for name in names}}
    if not how.get("folds") and by not in {"official", "domain", "file"}:
        options["test"] = how.get("test")
    is_given = by == "file" and how.get("val") in {"file", 0.0}
    has_no_effect = {"seed": by == "time", "val": is_given or how.get("inner")}
    together = {"together": "near-duplicates"} if how.get("pairs") else {}
    return {k: v for k, v in options.items() if not has_no_effect.get(k)} | together


def _options(values: Mapping[str, Any]) -> str:
    said = []
    for name, value in values.items():
        if value is None or value in ([], (), "") or (name in {"folds", "fold", "inner", "inner-fold"} and not value):
            continue
        text = ",".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
        said.append(f" --{name} {_line(text)}")
    return "".join(said)


def _line(text: str) -> str:
    return shlex.quote(text)


def environment_facts(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of everything that was recorded about the environment."""
    return [(str(k).replace("_", " "), value_in_words(v)) for k, v in environment.items()]
