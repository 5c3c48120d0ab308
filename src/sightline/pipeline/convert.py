"""The verb `convert`, applied to a study."""

from __future__ import annotations

from pathlib import Path

from sightline import conversion
from sightline.pipeline.data import read_hashed, read_splits
from sightline.pipeline.outcome import Outcome
from sightline.study import Study


def convert(study: str | Path, out: str | Path, *, to: str, quality: int | None = None,
            max_side: int | None = None) -> Outcome:  # fmt: skip
    """Write the study's images anew in another form: a study of its own, or a folder for other tools."""
    home = Study.open(study)
    samples = read_hashed(home)
    splits = read_splits(home, samples) if home.splits_path.exists() else None
    made = conversion.convert(samples, out, to=to, splits=splits, quality=quality, max_side=max_side)
    if made.study is not None:
        steps = [*home.about.get("converted", []), *made.study.about["converted"]]
        made.study.record(source=home.about.get("source"), converted=steps)
    return Outcome(verb="convert", summary=repr(made), facts=made.to_json(), wrote=made.place,
                   digest=made.samples.digest)  # fmt: skip
