"""Files of further labels, as people publish them: arrays, tables, JSON, and the dicts of arrays of CIFAR-N."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from sightline.errors import DataError, did_you_mean
from sightline.formats.columns import LABEL, find, labels_of
from sightline.formats.restricted_pickle import MAX_BYTES, load, text
from sightline.formats.tables import SUFFIXES, columns_of
from sightline.images.parsing import ZIP_ERRORS

KEY = ("key", "sample_id", "sample", "path", "file", "filename", "image", "id")
SCORE = ("score", "probability", "weight", "confidence")
CLEAN = ("clean_label", "clean")
"""What CIFAR-N calls the dataset's own labels, which it repeats: they tell its order."""


@dataclass(frozen=True)
class Vote:
    """What a source says of one sample."""

    label: int | str
    """A number counts classes in their official order; text is a native id or a name."""
    state: int = 1
    """1 present · 0 not said · -1 absent."""
    score: float | None = None


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """Votes, row by row, and what the rows are about."""

    votes: Sequence[Sequence[Vote]]
    keys: Sequence[str | int] | None = None
    """Of each row its sample: a key, or an official number; None: rows are in the dataset's order."""
    own: Sequence[int | str | None] | None = None
    """The dataset's own label of each row, where the file repeats it."""
    num_classes: int | None = None
    """How many classes an array of counts tells apart."""


def read_labels(file: Path, field: str | None) -> LabelFile:
    """The votes in a file; `field` names the array or column where there are several. Raises DataError."""
    if not file.is_file():
        raise DataError(f"{file} does not exist. Give the file with the labels.")
    suffix = file.suffix.lower()
    if suffix in SUFFIXES:
        return _of_table(file, field)
    if suffix == ".json":
        return _of_json(file)
    if suffix in {".npy", ".npz", ".pt", ".pth"}:
        return _of_arrays(file, _arrays(file), field)
    raise DataError(f"{file} is not a file of labels that is read. Wanted .npy, .npz, .pt, .json, or a table: "
                    f"{', '.join(SUFFIXES)}.")  # fmt: skip


def _arrays(file: Path) -> Any:
    """An array, or a dict of arrays."""
    if file.stat().st_size > MAX_BYTES:
        raise DataError(f"{file} has more than {MAX_BYTES:,} bytes, which is no file of labels.")
    data = file.read_bytes()
    try:
        if data.startswith(b"\x93NUMPY"):
            return _of_npy(data, file)
        if file.suffix.lower() == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [n for n in archive.namelist() if PurePosixPath(n).name == "data.pkl"]
            if len(names) != 1 or archive.getinfo(names[0]).file_size > MAX_BYTES:
                raise ValueError("no data.pkl in it")
            return load(archive.read(names[0]), f"{file} (as torch.save wrote it)")
    except ZIP_ERRORS as e:
        raise DataError(f"{file} is no file of arrays, or is damaged ({e}). Fetch it again, or save the labels with "
                        "numpy.save as an array of whole numbers.") from None  # fmt: skip


def _of_npy(data: bytes, file: Path) -> Any:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    _, _, kind = head(stream)
    if not kind.hasobject:
        return np.load(io.BytesIO(data), allow_pickle=False)
    found = load(data[stream.tell() :], str(file))
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def _of_arrays(file: Path, found: Any, field: str | None) -> LabelFile:
    own: Sequence[int] | None = None
    if isinstance(found, dict):
        named = {text(name): np.asarray(values) for name, values in found.items()}
        clean = find(list(named), CLEAN)
        choices = [name for name in named if name != clean]
        if field is None and len(choices) == 1:
            field = choices[0]
        if field not in named:
            asked = f"has no {field!r}.{did_you_mean(field, choices)}" if field else f"has {', '.join(choices)}."
            raise DataError(f"{file} {asked} Choose one with field=.")
        own = _whole(file, named[clean]).tolist() if clean is not None and clean != field else None
        found = named[field]
    elif field is not None:
        raise DataError(f"{file} holds one array; leave the field {field!r} out.")
    values = np.asarray(found)
    if values.ndim == 2 and values.dtype.kind in "iuf" and values.shape[1] > 1:
        return LabelFile(votes=_shares(file, values), own=own, num_classes=values.shape[1])
    whole = _whole(file, values).tolist()
    return LabelFile(votes=[[Vote(v)] if v >= 0 else [] for v in whole], own=own)


def _whole(file: Path, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    flat = values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values
    if flat.ndim != 1 or flat.dtype.kind not in "iuf" or not np.array_equal(flat, np.round(flat)):
        raise DataError(f"{file} holds {values.dtype} of shape {values.shape}; wanted a list of class numbers, or "
                        "counts for each sample (rows) and class (columns).")  # fmt: skip
    return flat.astype(np.int64)


def _shares(file: Path, counts: np.ndarray[Any, Any]) -> list[list[Vote]]:
    """Votes from how many raters chose each class, or with what probability."""
    if not np.isfinite(counts).all() or counts.min() < 0:
        raise DataError(f"{file} has negative or missing counts; wanted how many raters chose each class.")
    totals = counts.sum(axis=1)
    return [
        [Vote(int(c), score=float(row[c] / total)) for c in np.flatnonzero(row)]
        for row, total in zip(counts, totals, strict=True)
    ]


def _of_table(file: Path, field: str | None) -> LabelFile:
    table = columns_of(file)
    names = list(table)
    key, score, clean = find(names, KEY), find(names, SCORE), find(names, CLEAN)
    column = field or find([n for n in names if n != key], LABEL)
    if column is None or column not in table:
        wanted = field or "label"
        raise DataError(f"{file} has no column {wanted!r}. It has: {', '.join(names)}. Choose one with field=.")
    labels = labels_of(table[column], str(file))
    scores = _scores(file, table[score]) if score is not None else [None] * len(labels)
    votes = [[] if v in (None, "-1") else [Vote(v, score=s)] for v, s in zip(labels, scores, strict=True)]
    own = labels_of(table[clean], str(file)) if clean is not None and clean != column else None
    return LabelFile(votes=votes, keys=None if key is None else [str(k) for k in table[key]], own=own)


def _scores(file: Path, values: Sequence[Any]) -> list[float | None]:
    try:
        scores = [None if v in (None, "") else float(v) for v in values]
    except (TypeError, ValueError) as e:
        raise DataError(f"{file} has a score that is no number ({e}).") from None
    if any(s is not None and not 0 <= s <= 1 for s in scores):
        raise DataError(f"{file} has scores beyond 0 … 1; wanted a share or a probability.")
    return scores


def _of_json(file: Path) -> LabelFile:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        raise DataError(f"{file} is not valid JSON ({e}). Fetch it again.") from None
    if isinstance(found, list) and found and all(isinstance(v, dict) for v in found):
        return _of_raters(file, found)
    if isinstance(found, dict):
        return LabelFile(votes=[_votes(file, v) for v in found.values()], keys=list(found))
    if isinstance(found, list):
        return LabelFile(votes=[_votes(file, v) for v in found])
    raise DataError(f"{file} holds a {type(found).__name__}; wanted a list of labels, or labels by key.")


def _votes(file: Path, value: Any) -> list[Vote]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(v, int | str) and not isinstance(v, bool) for v in values):
        raise DataError(f"{file} has {value!r} where a label, or a list of labels, was wanted.")
    return [Vote(v) for v in values if v != -1]


def _of_raters(file: Path, items: Sequence[Mapping[str, Any]]) -> LabelFile:
    """The lists of label errors of Northcutt and others: what raters saw of a given and a guessed label."""
    keys: list[str | int] = []
    votes, own = [], []
    try:
        for item in items:
            given, guessed = int(item["given_original_label"]), int(item["our_guessed_label"])
            count = {name: int(item["mturk"].get(name, 0)) for name in ("given", "guessed", "neither", "both")}
            # ImageNet's items are numbered as its files are, from 1; its address names the file.
            stem = PurePosixPath(str(item["url"])).stem
            keys.append(int(item["id"]) if stem.isdigit() else stem)
            own.append(given)
            seen = _seen(given, count["given"] + count["both"], count["guessed"] + count["neither"])
            other = _seen(guessed, count["guessed"] + count["both"], count["given"] + count["neither"])
            # Where the guess is the given label, raters were asked about one label alone.
            is_one = given == guessed
            votes.append([_seen(given, count["given"], count["neither"])] if is_one else [seen, other])
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise DataError(f"{file} is no list of label errors that is known ({type(e).__name__}: {e}). Wanted items with "
                        "id, given_original_label, our_guessed_label and mturk.") from None  # fmt: skip
    return LabelFile(votes=votes, keys=keys, own=own)


def _seen(label: int, yes: int, no: int) -> Vote:
    state = (yes > no) - (yes < no)
    return Vote(label, state, max(yes, no) / (yes + no) if yes + no else None)
