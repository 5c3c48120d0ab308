"""Arrays of images and of labels: which belong together by their names, and what their values mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sightline.errors import DataError
from sightline.formats.listing import split_of
from sightline.formats.records import words_of

_IMAGES = frozenset(["x", "images", "image", "imgs", "img", "data", "pixels", "inputs"])
_LABELS = frozenset(["y", "labels", "label", "targets", "target"])
_NAMES = frozenset(["names", "name", "classes"])
_MODES: Mapping[int, str] = {1: "L", 3: "RGB", 4: "RGBA"}


class Role(NamedTuple):
    """What a name says."""

    what: str
    """images | labels | names (of the classes) | other."""
    split: str | None
    rest: tuple[str, ...]
    """Words that say neither; equal ones belong together."""


class Pair(NamedTuple):
    """Names of arrays that belong together."""

    split: str | None
    images: str
    labels: str | None


def role_of(name: str) -> Role:
    """What the name of an array or its file says: `X_train`, `train_images`, `camelyonpatch_split_valid_y`."""
    words = words_of(name)
    splits = {split_of(w) for w in words} - {None}
    split = splits.pop() if len(splits) == 1 else None
    rest = tuple(w for w in words if w not in _IMAGES | _LABELS and (split is None or split_of(w) != split))
    if _NAMES & set(words):
        return Role("names", split, rest)
    of_labels, of_images = _LABELS & set(words), _IMAGES & set(words)
    # `image_labels` are labels.
    return Role("labels" if of_labels else "images" if of_images else "other", split, rest)


def pairs_of(names: Sequence[str], source: str) -> list[Pair]:
    """Images with their labels, one pair for a split; empty where nothing pairs.

    Raises DataError for several pairs of a split.
    """
    roles = {name: role_of(name) for name in names}
    labels = {(r.split, r.rest): n for n, r in roles.items() if r.what == "labels"}
    pairs = [Pair(r.split, n, labels.get((r.split, r.rest))) for n, r in roles.items() if r.what == "images"]
    # A test split may come without labels; other images without labels are somebody's other arrays.
    pairs = [p for p in pairs if p.labels is not None or p.split == "test"]
    if all(p.labels is None for p in pairs):
        return []
    splits = [p.split for p in pairs]
    if len(set(splits)) < len(splits):
        raise DataError(
            f"{source} holds several arrays of images for a split ({', '.join(p.images for p in pairs)}). Give the "
            "path of one, or move the others to a folder of their own."
        )
    return pairs


def image_fields(kind: np.dtype[Any], shape: Sequence[int], source: str) -> dict[str, Any]:
    """Fields of `samples.IMAGE` that all images of an array share. Raises DataError for an array that holds none."""
    type_name = {"|u1": "u1", "|b1": "b1", "<u2": "u2le", ">u2": "u2be"}.get(kind.str)
    seen = f"{source} holds {' × '.join(map(str, shape))} values of type {kind}"
    if type_name is None:
        advice = "Scale them to 0 … 255 and save them as uint8" if kind.kind == "f" else "Save them as uint8 or uint16"
        raise DataError(f"{seen}; wanted uint8, uint16 or bool. {advice}: how a value is a brightness is not guessed.")
    one = tuple(shape[1:])
    # 3 × 5 × 4 are three planes of 5 × 4: nobody keeps RGBA images of three rows.
    if len(one) == 3 and one[2] not in (1, 3) and one[0] in (1, 3):
        order, (channels, height, width) = "chw:", one
    elif len(one) == 2 or (len(one) == 3 and one[2] in _MODES):
        order, (height, width), channels = "", one[:2], one[2] if len(one) == 3 else 1
    else:
        raise DataError(f"{seen}; wanted images × height × width (× 1, 3 or 4), or images × channels × height × width. "
                        "Save them in that shape.")  # fmt: skip
    if 0 in one or (type_name != "u1" and channels != 1):
        raise DataError(f"{seen}; wanted images with pixels, and one channel where they are not uint8.")
    mode = "I;16" if type_name.startswith("u2") else _MODES[channels]
    return {
        "codec": "raw", "layout": f"{type_name}:{order}" + ",".join(map(str, one)), "height": height, "width": width,
        "mode": mode, "bits": 8 * kind.itemsize,
    }  # fmt: skip


def bytes_of_one(kind: np.dtype[Any], shape: Sequence[int]) -> int:
    """Bytes of one image of an array."""
    return math.prod(shape[1:]) * kind.itemsize


def values_of(array: np.ndarray[Any, Any], source: str) -> list[Any]:
    """Labels, or other values of samples, as Python objects; of one-hot rows the class.

    Raises DataError for arrays with several values of a sample.
    """
    if array.ndim > 1:
        array = array.reshape(len(array), -1)
        if array.shape[1] == 1:
            array = array[:, 0]
        elif _is_one_hot(array):
            array = array.argmax(axis=1)
        else:
            raise DataError(
                f"{source} has {array.shape[1]} values for each sample; wanted one class, or one-hot rows. For several "
                "labels of a sample write a manifest."
            )
    if array.dtype.kind == "S":
        return [v.decode("utf-8", "replace") for v in array.tolist()]
    if array.dtype.kind not in "iufbUO" or array.ndim != 1:
        raise DataError(f"{source} holds values of type {array.dtype}; wanted whole numbers or text.")
    return [int(v) if isinstance(v, bool) else str(v, "utf-8", "replace") if isinstance(v, bytes) else v
            for v in array.tolist()]  # fmt: skip


def _is_one_hot(array: np.ndarray[Any, Any]) -> bool:
    if array.dtype.kind not in "iufb" or array.shape[1] < 2:
        return False
    return bool(((array == 0) | (array == 1)).all() and (array.sum(axis=1, dtype=np.int64) == 1).all())
