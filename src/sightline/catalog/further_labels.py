"""What others say of a dataset's samples, as label rows with a source beside the dataset's own; never instead of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.catalog.label_files import LabelFile, Vote, read_labels
from sightline.errors import DataError, did_you_mean
from sightline.samples import SCHEMA, SampleTable

MIN_JUDGED = 50
"""Fewer samples than this may disagree by chance alone."""
MIN_KAPPA = 0.05
"""Cohen's kappa with the dataset's own labels below which labels are in another order. The worst of real raters, those
of CIFAR-N, have 0.55 and more; a permutation has 0 ± 0.01 on 10,000 samples."""
MIN_OWN = 0.99


def with_labels(samples: SampleTable, file: str | os.PathLike[str], *, source: str, split: str | None = None,
                field: str | None = None) -> SampleTable:  # fmt: skip
    """The samples with the labels of a file as further entries of the column `labels`, under the name `source`.

    `label` stays what the dataset says. The file is an array of class numbers or of counts for each class (.npy, .npz),
    a dict of such arrays as CIFAR-N has it (.npy, .pt; `field` chooses one), a table with a label and perhaps a key and
    a score (CSV, Parquet, JSON lines), a list of labels in order or by key, or one of the published lists of label
    errors (.json). Rows without keys are in the official order of `split`.

    Raises DataError where labels are in another order or of another dataset, as far as the dataset's own labels tell.
    """
    path = Path(file)
    told = {e["source"] for entries in samples.column("labels") for e in entries or []}
    if not source or source == "dataset" or source in told:
        raise DataError(f"The source {source!r} has labels in {samples.name} already, or is no name. Give another one; "
                        f"used are: {', '.join(sorted({'dataset', *told}))}.")  # fmt: skip
    found = read_labels(path, field)
    if found.num_classes not in {None, len(samples.classes)}:
        raise DataError(f"{path} counts votes for {found.num_classes} classes; {samples.name} has "
                        f"{len(samples.classes)}. It belongs to another dataset.")  # fmt: skip
    rows = _rows(samples, found, path, split)
    _refuse_other_labels(samples, found, rows, path)
    entries: list[list[dict[str, Any]] | None] = samples.column("labels")
    ids = _Classes(samples, path)
    taken = [(row, votes) for row, votes in zip(rows, found.votes, strict=True) if row is not None and votes]
    for row, votes in taken:
        entries[row] = [*(entries[row] or []), *(ids.entry(vote, source) for vote in votes)]
    if not taken:
        raise DataError(f"{path} has no label for any of the {len(samples):,} samples of {samples.name}.")
    if found.keys is None:
        _refuse_chance(samples, entries, [row for row, _ in taken], source, path)
    at = SCHEMA.get_field_index("labels")
    table = samples.table.set_column(at, SCHEMA.field(at), pa.array(entries, SCHEMA.field(at).type))
    note = f"labels of {source} for {len({row for row, _ in taken}):,} samples"
    return replace(samples, table=table, notes=(*samples.notes, note))


class _Classes:
    """Votes as entries: numbers and words as class ids."""

    def __init__(self, samples: SampleTable, path: Path) -> None:
        self.space, self.path = samples.classes, path
        self.is_part = "classes" in samples.subset
        names = list(samples.classes.names)
        self.named = {name: i for i, name in enumerate(names) if names.count(name) == 1}

    def entry(self, vote: Vote, source: str) -> dict[str, Any]:
        """An entry of the column `labels`. Raises DataError for a label that is no class."""
        return {"space": "", "id": self.id_of(vote.label), "state": vote.state, "score": vote.score, "source": source}

    def id_of(self, label: int | str) -> int:
        """Class id of a label."""
        if isinstance(label, str):
            known = self.space.index.get(label, self.named.get(label))
            if known is not None:
                return known
            if not label.isdigit():
                hint = did_you_mean(label, self.space.ids)
                raise DataError(f"{self.path} has the label {label!r}, which is no class.{hint}")
        if self.is_part:
            raise DataError(f"{self.path} numbers the classes of the whole dataset, and this table has some of them "
                            "under other numbers. Index all classes, or name them in the file.")  # fmt: skip
        if not 0 <= int(label) < len(self.space):
            raise DataError(f"{self.path} has the class number {label}; wanted 0 … {len(self.space) - 1}.")
        return int(label)


def _rows(samples: SampleTable, found: LabelFile, path: Path, split: str | None) -> list[int | None]:
    """Of each row of a file its row in the table; None for a sample that a part of a dataset leaves out."""
    if found.keys is not None and isinstance(found.keys[0] if found.keys else None, str):
        return _by_key(samples, [str(k) for k in found.keys], path)
    numbers = [int(k) for k in found.keys] if found.keys is not None else list(range(len(found.votes)))
    places = _numbered(samples, _chosen(samples, split, found, path))
    beyond = [n for n in numbers if n not in places]
    if beyond and not samples.subset:
        raise DataError(f"{path} has a label for sample number {beyond[0]}, but there are {len(places):,}. It belongs "
                        "to another dataset or split.")  # fmt: skip
    if found.keys is None and not samples.subset and len(numbers) != len(places):
        raise DataError(f"{path} has {len(numbers):,} rows, but there are {len(places):,} samples. It belongs to "
                        "another dataset or split.")  # fmt: skip
    return [places.get(n) for n in numbers]


def _by_key(samples: SampleTable, keys: Sequence[str], path: Path) -> list[int | None]:
    """Rows by key, by sample id in hex, or by the file name alone where no two samples share it."""
    whole = samples.column("key")
    known = {key: i for i, key in enumerate(whole)}
    stems: dict[str, int | None] = {}
    for i, key in enumerate(whole):
        name = key.rpartition("/")[2]
        for word in {name, name.rpartition(".")[0] or name}:
            stems[word] = None if word in stems else i
    ids = {b.hex(): i for i, b in enumerate(samples.column("sample_id"))}
    rows = [known.get(k, ids.get(k, stems.get(k))) for k in keys]
    missing = [k for k, row in zip(keys, rows, strict=True) if row is None]
    if missing and (not samples.subset or len(missing) == len(keys)):
        raise DataError(f"{path} has labels for {len(missing):,} samples that {samples.name} does not have, such as "
                        f"{missing[0]!r}. Keys look like {whole[0]!r}.")  # fmt: skip
    return rows


def _chosen(samples: SampleTable, split: str | None, found: LabelFile, path: Path) -> str | None:
    """The split whose order a file is in. Raises DataError where that is not clear."""
    counts = {s: n for s, n in _counts(samples).items() if s is not None}
    if split is not None:
        if split not in counts:
            raise DataError(f"{samples.name} has no official split {split!r}.{did_you_mean(split, counts)}")
        return split
    fitting = [s for s, n in counts.items() if n == len(found.votes)] if found.keys is None else list(counts)
    if len(fitting) == 1:
        return fitting[0]
    if not counts or (found.keys is None and len(found.votes) == len(samples) and not samples.subset):
        return None
    sizes = ", ".join(f"{s} {n:,}" for s, n in counts.items())
    raise DataError(f"{path} has {len(found.votes):,} rows, and does not say for which split ({sizes}). Give split=.")


def _counts(samples: SampleTable) -> dict[str | None, int]:
    splits = samples.column("split")
    return {s: splits.count(s) for s in dict.fromkeys(splits)}


def _numbered(samples: SampleTable, split: str | None) -> dict[int, int]:
    """Official number → row. Raises DataError where a part of a dataset does not know its numbers."""
    splits, keys = samples.column("split"), samples.column("key")
    rows = [i for i in range(len(samples)) if split is None or splits[i] == split]
    numbers = [re.fullmatch(rf"{split or r'[^/]*'}/(\d+)", keys[i]) for i in rows]
    if split is not None and all(numbers):
        return {int(m[1]): i for m, i in zip(numbers, rows, strict=True) if m is not None}
    if samples.subset:
        raise DataError(f"{samples.name} is a part of its dataset, whose samples have no numbers. Index all of it, or "
                        "give a table with keys.")  # fmt: skip
    return dict(enumerate(rows))


def _refuse_other_labels(samples: SampleTable, found: LabelFile, rows: Sequence[int | None], path: Path) -> None:
    """Compare the labels that a file calls the dataset's own with those of the table."""
    if found.own is None:
        return
    ids, labels = _Classes(samples, path), samples.column("label")
    both = zip(found.own, rows, strict=True)
    pairs = [(ids.id_of(own), labels[row]) for own, row in both if own is not None and row is not None]
    agree = sum(a == b for a, b in pairs)
    if pairs and agree < MIN_OWN * len(pairs):
        raise DataError(f"{path} repeats the dataset's own labels, and {len(pairs) - agree:,} of {len(pairs):,} are "
                        "others than here: it is in another order, or of another split or dataset.")  # fmt: skip


def _refuse_chance(samples: SampleTable, entries: Sequence[Sequence[Mapping[str, Any]] | None], rows: Sequence[int],
                   source: str, path: Path) -> None:  # fmt: skip
    """Compare the best of the new labels with the dataset's own: they may be wrong, but not as if drawn by lot."""
    labels, n = samples.column("label"), len(samples.classes)
    pairs = [(labels[row], _best(entries[row] or [], source)) for row in rows if labels[row] is not None]
    judged = np.array([p for p in pairs if p[1] is not None], np.int64).reshape(-1, 2)
    if len(judged) < MIN_JUDGED:
        return
    own, new = (np.bincount(judged[:, k], minlength=n) / len(judged) for k in (0, 1))
    agree, chance = float((judged[:, 0] == judged[:, 1]).mean()), float(own @ new)
    if chance < 1 and (agree - chance) / (1 - chance) < MIN_KAPPA:
        raise DataError(f"{path} agrees with the dataset's own labels on {agree:.1%} of {len(judged):,} samples, where "
                        f"chance gives {chance:.1%}: its rows, or its classes, are in another order.")  # fmt: skip


def _best(entries: Sequence[Mapping[str, Any]], source: str) -> int | None:
    told = [e for e in entries if e["source"] == source and e["state"] == 1]
    best = max(told, key=lambda e: 1.0 if e["score"] is None else e["score"], default=None)
    return None if best is None else int(best["id"])
