"""Which files of a WebDataset shard are one sample.

The rule of the field: a file's key is its path up to the first dot of its name, what follows the dot in small letters
is the field, and files with the same key that follow one another are a sample. Where the rule surprises people, it is
said here instead of passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.formats.class_tree import IMAGE_SUFFIXES, is_hidden

_META = re.compile(r"__[^/]*__($|/)")
"""Names of files about the shard."""
_PREFERRED = ("jpg", "jpeg", "png", "webp")
"""Which field is the image where several are: the others are usually masks or depths of it."""


@dataclass(slots=True)
class Sample:
    """Files that share a key."""

    key: str
    fields: dict[str, int]
    """Field, in small letters → position of the file in the shard."""
    reason: str | None = None
    """Why it cannot be read: two of its files are the same field."""


def fields_of(name: str) -> tuple[str, str] | None:
    """Key and field of a file's path; None where the rule gives none and loaders drop the file.

    Names that begin with a dot have none in a folder either, where loaders take the folder for a key.
    """
    folder, slash, base = name.rpartition("/")
    stem, dot, field = base.partition(".")
    if not stem or not dot:
        return None
    return f"{folder}{slash}{stem}", field.lower()


def samples_in(names: Sequence[str]) -> tuple[list[Sample], list[str]]:
    """The samples of a shard in its order, and notes on files that the rule drops or parts."""
    runs: list[Sample] = []
    num_dropped = 0
    for i, name in enumerate(names):
        if _META.match(name):
            continue
        found = fields_of(name)
        if found is None:
            num_dropped += not any(is_hidden(part) for part in name.split("/"))
            continue
        key, field = found
        if not runs or runs[-1].key != key:
            runs.append(Sample(key, {}))
        if field in runs[-1].fields:
            runs[-1].reason = f"two of its files are the field {field}: {names[runs[-1].fields[field]]} and {name}"
        else:
            runs[-1].fields[field] = i
    samples, num_joined = _joined(runs)
    notes = [f"{num_dropped} files without a key in their name left out, as loaders do"] if num_dropped else []
    if num_joined:
        notes.append(f"{num_joined} samples whose files lie apart in their shard: put together here, loaders cannot")
    several = sum(len(_plain_images(s)) > 1 for s in samples)
    if several:
        notes.append(f"{several} samples with several images: the first of {', '.join(_PREFERRED)} is taken")
    return samples, notes


def image_of(sample: Sample) -> tuple[int | None, str | None]:
    """Position of the sample's image, or why there is none."""
    if sample.reason:
        return None, sample.reason
    plain = _plain_images(sample)
    if plain:
        return sample.fields[min(plain, key=lambda f: _PREFERRED.index(f) if f in _PREFERRED else 99)], None
    dotted = [f for f in sample.fields if "." in f and _is_image(f)]
    if len(dotted) == 1:
        return sample.fields[dotted[0]], None
    if dotted:
        fields = ", ".join(sorted(dotted)[:3])
        return None, f"{len(dotted)} images in one sample ({fields}): a key ends at the first dot of a file's name"
    return None, f"no image among its files ({', '.join(sorted(sample.fields)[:4])})"


def _is_image(field: str) -> bool:
    return f".{field.rpartition('.')[2]}" in IMAGE_SUFFIXES


def _plain_images(sample: Sample) -> list[str]:
    return [f for f in sample.fields if "." not in f and _is_image(f)]


def _joined(runs: list[Sample]) -> tuple[list[Sample], int]:
    """Samples, those put together whose files lie apart: one part has the image, the other what belongs to it."""
    samples: list[Sample] = []
    partial: dict[str, Sample] = {}
    num_joined = 0
    for run in runs:
        former = partial.get(run.key)
        is_part = former is not None and not former.fields.keys() & run.fields.keys()
        if former is not None and is_part and not (_images(former) and _images(run)):
            former.fields.update(run.fields)
            former.reason = former.reason or run.reason
            num_joined += 1
        else:
            samples.append(run)
            partial[run.key] = run
    return samples, num_joined


def _images(sample: Sample) -> bool:
    return any(_is_image(f) for f in sample.fields)
