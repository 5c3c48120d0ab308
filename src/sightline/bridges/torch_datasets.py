"""Tables of map-style datasets as torch knows them: anything with a length that gives an image and a label."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from sightline.errors import DataError, DecodeError
from sightline.formats import Listing
from sightline.images import Pixels, pixels_of_pillow
from sightline.images.containers.live import published
from sightline.indexing import samples_of
from sightline.samples import SampleTable

_COMPARED = 3
"""Samples that are asked for twice: what differs is augmented, and a sample is one image."""
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def from_torch(
    dataset: Any, *, name: str | None = None, classes: Sequence[str] | None = None, split: str | None = None
) -> SampleTable:
    """The samples of a map-style dataset (`len(dataset)`, `dataset[i]` → image, label), in its order.

    Images are PIL images, arrays of height × width × channels, or tensors of channels × height × width: uint8, uint16,
    or floats in [0, 1] that 8 bits hold, as `ToTensor` makes them. What is augmented or normalized already is refused,
    because `Preprocessing` and augmentation come after the table. `classes` names what labels count (else
    `dataset.classes`, else the numbers); `split` says which official split all of it is. Of torchvision's `ImageFolder`
    the files are listed, its transform left out; a `Subset` keeps the keys of the whole. Any other dataset is read once
    here, for labels and sizes, and later through the object, by this process alone: `sl.convert` writes such a table
    down. Raises DataError.
    """
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise DataError(f"Wanted a dataset with a length and items, got {type(dataset).__name__}. A stream cannot be "
                        "split or read in another order; collect it first.")  # fmt: skip
    if split not in {None, "train", "val", "test"}:
        raise DataError(f"split got {split!r}; wanted train, val or test, or nothing.")
    whole, rows = _unwrapped(dataset)
    known = tuple(str(c) for c in (classes if classes is not None else getattr(whole, "classes", None) or ()))
    if len(set(known)) < len(known):
        raise DataError("The classes must have different names. Give `classes` with a native id for each.")
    title = name or type(whole).__name__
    if not len(dataset):
        raise DataError(f"{title} has no samples.")
    if _is_image_folder(whole):
        listing = _listing_of_files(whole, known, split, title)
        return samples_of(listing if rows is None else listing.take(rows), name)
    return samples_of(_listing_of_items(dataset, rows or range(len(dataset)), known, split, title), name)


def _unwrapped(dataset: Any) -> tuple[Any, list[int] | None]:
    """The dataset that a `Subset` takes rows of, and these rows in order; None for all of them."""
    indices, below = getattr(dataset, "indices", None), getattr(dataset, "dataset", None)
    if indices is None or below is None:
        return dataset, None
    whole, rows = _unwrapped(below)
    own = [int(i) for i in indices]
    return whole, own if rows is None else [rows[i] for i in own]


def _is_image_folder(dataset: Any) -> bool:
    loader = getattr(getattr(dataset, "loader", None), "__name__", "")
    return loader == "default_loader" and isinstance(getattr(dataset, "samples", None), list)


def _listing_of_files(dataset: Any, known: tuple[str, ...], split: str | None, title: str) -> Listing:
    root = Path(dataset.root).resolve()
    paths = [os.path.relpath(path, dataset.root).replace(os.sep, "/") for path, _ in dataset.samples]
    return Listing(
        layout="torch dataset", name=title, roots={"source": str(root)}, keys=paths, splits=[split] * len(paths),
        labels=[_native(label, known, i) for i, (_, label) in enumerate(dataset.samples)],
        images={"root": "source", "path": paths, "container": "file"}, class_ids=known,
        policy="official" if known else None,
        notes=("files as they are, without the dataset's transform",) if dataset.transform is not None else (),
    )  # fmt: skip


def _listing_of_items(
    dataset: Any, rows: Sequence[int], known: tuple[str, ...], split: str | None, title: str
) -> Listing:
    labels: list[str | None] = []
    reasons: list[str | None] = []
    fields: dict[str, list[Any]] = {n: [] for n in ("codec", "layout", "width", "height", "mode", "bits", "row")}
    for i in range(len(dataset)):
        image, label = _item(dataset, i)
        labels.append(_native(label, known, i))
        try:
            pixels = _pixels(image, i)
        except DecodeError as e:
            header: dict[str, Any] = {}
            reasons.append(str(e))
        else:
            header = _header(pixels)
            reasons.append(None)
            _refuse_augmented(dataset, i, pixels)
        for field, values in fields.items():
            values.append(i if field == "row" else header.get(field))

    def payload(row: int) -> bytes:
        return _stored(_pixels(_item(dataset, row)[0], row))

    # Named by their rows in the whole, two parts of it show what they share.
    numbers = [f"{row:08d}" for row in rows]
    return Listing(
        layout="torch dataset", name=title, roots={"live": published(payload)},
        keys=[f"{split}/{n}" if split else n for n in numbers], splits=[split] * len(labels), labels=labels,
        images={"root": "live", "path": "items", "container": "live", **fields}, class_ids=known,
        policy="official" if known else None, reasons=reasons if any(reasons) else None,
    )  # fmt: skip


def _item(dataset: Any, i: int) -> tuple[Any, Any]:
    item = dataset[i]
    if isinstance(item, Mapping):
        image = next((item[n] for n in ("image", "img", "pixel_values", "x") if n in item), None)
        label = next((item[n] for n in ("label", "labels", "target", "y") if n in item), None)
    elif isinstance(item, tuple | list) and len(item) >= 2:
        image, label = item[0], item[1]
    else:
        image = label = None
    if image is None:
        raise DataError(f"Item {i} of the dataset is a {type(item).__name__}; wanted (image, label), or a mapping with "
                        "image and label.")  # fmt: skip
    return image, label


def _native(label: Any, known: tuple[str, ...], i: int) -> str | None:
    """Native id of a label: a class's name where names are known, else the number or the text."""
    value = label.item() if hasattr(label, "item") and getattr(label, "ndim", 0) == 0 else label
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if not isinstance(value, int) or value < -1:
        raise DataError(f"The label of item {i} is {value!r}; wanted a class number or a name. Of several labels, list "
                        "the images in a manifest.")  # fmt: skip
    if value == -1:
        return None
    if known and value >= len(known):
        raise DataError(f"Item {i} has the label {value}; there are {len(known)} classes.")
    return known[value] if known else str(value)


def _pixels(image: Any, i: int) -> Pixels:
    """Native pixels of what a dataset gives. Raises DataError for what is no image as it was taken, DecodeError."""
    if isinstance(image, Image.Image):
        # A live image has no file that could say how it is turned.
        found = pixels_of_pillow(ImageOps.exif_transpose(image))
        return Pixels(found.values, found.bits)
    is_tensor = hasattr(image, "detach")
    values = np.asarray(image.detach().cpu().numpy() if is_tensor else image)
    if values.ndim == 3 and is_tensor:
        values = values.transpose(1, 2, 0)
    values = values[:, :, None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[2] not in _MODES or 0 in values.shape:
        raise DataError(f"Item {i} has an image of the shape {np.shape(image)}; wanted height × width × channels, or a "
                        "tensor of channels × height × width.")  # fmt: skip
    if values.dtype.kind == "f":
        values = _levels(values, i)
    if values.dtype not in (np.uint8, np.uint16):
        raise DataError(f"Item {i} has pixels of type {values.dtype}; wanted uint8, uint16, or floats in [0, 1].")
    return Pixels(np.ascontiguousarray(values), 16 if values.dtype == np.uint16 else 8)


def _levels(values: npt.NDArray[Any], i: int) -> npt.NDArray[np.uint8]:
    """8-bit levels of floats in [0, 1] that were levels before."""
    scaled = values.astype(np.float64) * 255
    levels = np.rint(scaled)
    if not np.isfinite(scaled).all() or levels.min() < 0 or levels.max() > 255 or np.abs(scaled - levels).max() > 1e-3:
        raise DataError(f"Item {i} has floats from {values.min():g} to {values.max():g} that are not 8-bit levels over "
                        "255: it is normalized or resized already. Give the dataset without these transforms; "
                        "Preprocessing does them, and is stored with the model.")  # fmt: skip
    return levels.astype(np.uint8)


def _refuse_augmented(dataset: Any, i: int, pixels: Pixels) -> None:
    if i < _COMPARED and not np.array_equal(_pixels(_item(dataset, i)[0], i).values, pixels.values):
        raise DataError(f"Item {i} is another image each time: the dataset augments. Give it without random "
                        "transforms; Loader(augmentation=…) does them, the same for every run.")  # fmt: skip


def _header(pixels: Pixels) -> dict[str, Any]:
    height, width, channels = pixels.values.shape
    kind = "u1" if pixels.bits == 8 else "u2le"
    mode = "I;16" if channels == 1 and pixels.bits == 16 else _MODES[channels]
    return {"codec": "raw", "layout": f"{kind}:{height},{width},{channels}", "width": width, "height": height,
            "mode": mode, "bits": pixels.bits}  # fmt: skip


def _stored(pixels: Pixels) -> bytes:
    return np.ascontiguousarray(pixels.values, "<u2" if pixels.bits == 16 else np.uint8).tobytes()
