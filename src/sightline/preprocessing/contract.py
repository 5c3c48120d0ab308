"""The contract: one frozen value that training, evaluation and serving share, stored with the weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sightline.digests import digest_of, short
from sightline.errors import ContractError, did_you_mean
from sightline.images import Pixels
from sightline.images.upright import oriented
from sightline.preprocessing import reference, sources
from sightline.preprocessing.arrays import pixels_of
from sightline.preprocessing.reference import Geometry

if TYPE_CHECKING:
    from sightline.samples import SampleTable
    from sightline.splits import Splits

CHOICES = {
    "color_mode": ("RGB", "L"),
    "orientation": ("apply", "ignore"),
    "alpha": ("white", "black", "drop"),
    "resize": ("shortest", "squash", "cover", "contain", "none"),
    "interpolation": ("bilinear", "bicubic", "nearest", "lanczos"),
    "crop": ("center", "center-floor", "none"),
    "padding": ("black", "mean"),
}
"""What each worded field may say."""


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How the pixels of any image become the numbers a model was made for."""

    size: tuple[int, int]
    """Height and width given to the model."""
    mean: tuple[float, ...]
    """Per channel, of values in [0, 1]."""
    std: tuple[float, ...]
    color_mode: str = "RGB"
    """RGB | L."""
    bits: tuple[int, ...] = (8,)
    """Stored depths that are accepted; each image is scaled to [0, 1] by its own."""
    orientation: str = "apply"
    """EXIF orientation: apply | ignore (what torchvision and timm do)."""
    alpha: str = "white"
    """Transparent pixels lie over white | black, or drop: the hidden colour shows (what torchvision and timm do)."""
    resize: str = "shortest"
    """shortest: the shorter side becomes `resize_to`; squash: both sides do, the ratio is lost; cover | contain: the
    smallest image around | the largest inside the box `resize_to`; none: pixels stay as they are."""
    resize_to: int | tuple[int, int] | None = None
    """shortest: pixels; squash, cover, contain: (height, width); none: None."""
    interpolation: str = "bilinear"
    """bilinear | bicubic | nearest | lanczos."""
    antialias: bool = True
    """Whether shrinking averages over the whole footprint of a pixel, as Pillow always does."""
    crop: str = "center"
    """center: the middle window, offsets rounded as torchvision does; center-floor: rounded down, as Hugging Face does;
    none: the resized image has `size` already."""
    padding: str = "black"
    """What lies around an image smaller than its window: black | mean."""
    classes: tuple[str, ...] = ()
    """Native ids of the classes in the order of the model's outputs; empty where nobody has said."""
    origin: str = field(default="", compare=False)
    """Where the contract comes from, for people; not part of its identity."""

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise ContractError(
                    f"preprocessing.{name} got {getattr(self, name)!r}.{did_you_mean(str(getattr(self, name)), known)}"
                )
        self._check_numbers()
        self._check_geometry()

    def _check_numbers(self) -> None:
        if not (len(self.mean) == len(self.std) == self.num_channels):
            raise ContractError(
                f"preprocessing: color_mode {self.color_mode} has {self.num_channels} channels, but mean has "
                f"{len(self.mean)} values and std {len(self.std)}. Give one of each per channel."
            )
        if not all(np.isfinite((*self.mean, *self.std))) or min(self.std) <= 0:
            raise ContractError(
                f"preprocessing: std must be above 0 and all numbers finite, got mean {self.mean}, std {self.std}. "
                "A std of 0 means that every training image is the same."
            )
        if not self.bits or not set(self.bits) <= {8, 16}:
            raise ContractError(f"preprocessing.bits got {self.bits}, wanted (8,), (16,) or (8, 16).")
        if not self.antialias and self.interpolation not in {"bilinear", "bicubic"}:
            raise ContractError(f"preprocessing.antialias=False means nothing with {self.interpolation} interpolation.")
        if len(set(self.classes)) != len(self.classes):
            raise ContractError("preprocessing.classes must be unique native ids; names may repeat, ids may not.")

    def _check_geometry(self) -> None:
        wanted = int if self.resize == "shortest" else type(None) if self.resize == "none" else tuple
        if not isinstance(self.resize_to, wanted):
            raise ContractError(
                f"preprocessing: resize {self.resize!r} takes resize_to as "
                f"{'pixels' if wanted is int else 'nothing' if wanted is type(None) else '(height, width)'}, "
                f"got {self.resize_to!r}."
            )
        edges = (*self.size, *(self.resize_to if isinstance(self.resize_to, tuple) else (self.resize_to or 1,)))
        if len(self.size) != 2 or min(edges) < 1:
            raise ContractError(f"preprocessing: sizes are at least 1 pixel, got {self.size} and {self.resize_to}.")
        if self.crop == "none" and self.resize != "none" and (self.resize != "squash" or self.resize_to != self.size):
            raise ContractError(
                f"preprocessing: without a crop, resize must be 'squash' to the size {self.size} (or 'none'), got "
                f"{self.resize!r} to {self.resize_to!r}."
            )

    @property
    def num_channels(self) -> int:
        """3 for RGB, 1 for L."""
        return 3 if self.color_mode == "RGB" else 1

    @property
    def digest(self) -> str:
        """sha256 over every field but `origin`, hex."""
        return digest_of({k: v for k, v in self.to_json().items() if k != "origin"})

    def __str__(self) -> str:
        to = self.resize_to if isinstance(self.resize_to, int) else "×".join(str(n) for n in self.resize_to or ())
        way = f"{self.resize} {to}, {self.interpolation}" if self.resize != "none" else "native size"
        return f"{self.color_mode} {self.size[0]}×{self.size[1]} ({way}, crop {self.crop}) · {short(self.digest)}"

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON types."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Preprocessing:
        """The contract that `to_json` described. Raises ContractError for an unknown or a missing field."""
        known = {f.name for f in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise ContractError(f"Preprocessing has no field {name!r}.{did_you_mean(name, known)}")
        missing = {"size", "mean", "std"} - set(values)
        if missing:
            raise ContractError(f"The stored preprocessing lacks {', '.join(sorted(missing))}; it cannot be guessed.")
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**fields)

    @classmethod
    def from_timm(cls, source: Any, *, test_size: bool = True) -> Preprocessing:
        """The contract of timm weights: a name ("resnet50.a1_in1k"), a model, or a `pretrained_cfg` / data config.

        `test_size` takes the size that the weights were evaluated at where it differs from the training size, as
        timm's validation does. Raises MissingExtraError when a name is given and timm is not installed.
        """
        return cls(**sources.of_timm(source, test_size))

    @classmethod
    def from_torchvision(cls, weights: Any) -> Preprocessing:
        """The contract of torchvision's `weights` (an enum member such as `ResNet50_Weights.IMAGENET1K_V2`)."""
        return cls(**sources.of_torchvision(weights))

    @classmethod
    def from_huggingface(cls, source: str | Path | Mapping[str, Any]) -> Preprocessing:
        """The contract of an image processor: a model folder, its preprocessor_config.json, or the parsed dict.

        Raises ContractError for a processor that does more to an image than this value can say.
        """
        return cls(**sources.of_huggingface(source))

    @classmethod
    def from_training_split(
        cls, samples: SampleTable, splits: Splits, size: tuple[int, int], *,
        resize_to: int | None = None, interpolation: str = "bilinear",
    ) -> Preprocessing:  # fmt: skip
        """An own contract: exact per-pixel mean and std of the training split alone, classes of the table.

        Images are turned upright, transparency lies over white, greyscale stays greyscale when every training image
        is; the shorter side becomes `resize_to` (the shorter side of `size`) and the middle is kept.
        """
        return cls(**sources.of_training_split(samples, splits, size, resize_to), interpolation=interpolation)

    def with_classes(self, classes: Sequence[str]) -> Preprocessing:
        """This contract for the native class ids in `classes`."""
        return dataclasses.replace(self, classes=tuple(classes))

    def at_size(self, size: tuple[int, int]) -> Preprocessing:
        """This contract for another input size, `resize_to` in proportion: what progressive training feeds."""
        if size == self.size:
            return self
        factors = (size[0] / self.size[0], size[1] / self.size[1])
        if isinstance(self.resize_to, int):
            to: int | tuple[int, int] | None = max(round(self.resize_to * min(factors)), 1)
        elif self.resize_to is None:
            raise ContractError(
                f"preprocessing: this contract resizes nothing, so images of {self.size} cannot be fed at {size}. "
                "Use a contract that resizes, or leave the size alone."
            )
        else:
            to = (max(round(self.resize_to[0] * factors[0]), 1), max(round(self.resize_to[1] * factors[1]), 1))
        return dataclasses.replace(self, size=size, resize_to=to)

    def require_same(self, other: Preprocessing, what: str) -> None:
        """Nothing when `other` is equal. Raises ContractError that names `what`, the field and both values."""
        for f in dataclasses.fields(self):
            mine, theirs = getattr(self, f.name), getattr(other, f.name)
            if f.compare and mine != theirs:
                if f.name == "classes":
                    mine, theirs = _difference(mine, theirs)
                raise ContractError(
                    f"{what}: preprocessing.{f.name} is {theirs!r}, this model's contract says {mine!r}. "
                    "Use the preprocessing stored with the weights, or train with the other one."
                )

    def require_classes(self, classes: Sequence[str], what: str) -> None:
        """Nothing when `classes` are the model's, or the contract names none. Raises ContractError where they part."""
        if self.classes and tuple(classes) != self.classes:
            mine, theirs = _difference(self.classes, tuple(classes))
            raise ContractError(
                f"{what}: its classes are {theirs}, this model's are {mine}. Labels would mean other things; "
                "index the data with the class file the model was trained with."
            )

    def check_array(self, array: npt.NDArray[Any], name: str) -> Pixels:
        """Pixels of an array of height × width × channels (height × width for L): uint8, uint16, or floats in [0, 1].

        Raises ContractError naming `name` for a depth, range or number of channels outside the contract.
        """
        pixels = pixels_of(array, name, self.num_channels, self.color_mode)
        if np.asarray(array).dtype.kind == "f":
            return dataclasses.replace(pixels, bits=self.bits[0])  # scaled already, so of any depth
        self.check_bits(pixels, name)
        return pixels

    def check_bits(self, pixels: Pixels, name: str) -> None:
        """Nothing when the stored depth is one the contract accepts. Raises ContractError otherwise."""
        if pixels.bits not in self.bits:
            accepted = " or ".join(f"{b}-bit images (0 … {2**b - 1})" for b in self.bits)
            raise ContractError(
                f"{name} is stored with {pixels.bits} bits (values up to {int(pixels.values.max())}); this model's "
                f"preprocessing expects {accepted}. Convert the image, or train with a {pixels.bits}-bit contract."
            )

    def levels(self, pixels: Pixels, name: str = "the image") -> npt.NDArray[Any]:
        """Upright height × width × channels in the colour mode, at native size: uint8, or float32 of 0 … 255."""
        self.check_bits(pixels, name)
        levels = reference.levels_of(pixels)
        if self.orientation == "apply":
            levels = oriented(levels, pixels.orientation)
        return reference.in_colour_mode(reference.without_alpha(levels, self.alpha), self.color_mode)

    def geometry(self, height: int, width: int) -> Geometry:
        """Where an upright image of `height` × `width` goes. Raises ContractError where it cannot have `size`."""
        if self.crop == "none" and self.resize == "none" and (height, width) != self.size:
            raise ContractError(
                f"An image of {height} × {width} cannot be fed: the contract resizes nothing and wants "
                f"{self.size[0]} × {self.size[1]}."
            )
        return reference.geometry_of(height, width, self.resize, self.resize_to, self.crop, self.size)

    @property
    def ground(self) -> tuple[int, ...]:
        """Level of each channel around an image that is smaller than its window."""
        return tuple(round(255 * m) if self.padding == "mean" else 0 for m in self.mean)

    def framed(self, levels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`size` × channels of levels at native size: resized and cropped by Pillow."""
        g = self.geometry(levels.shape[0], levels.shape[1])
        out = reference.resized(levels, g.height, g.width, self.interpolation, self.antialias)
        return reference.window(out, g.top, g.left, self.size, self.ground)

    def pixels(self, pixels: Pixels, name: str = "the image") -> npt.NDArray[Any]:
        """`size` × channels before normalization: uint8, or float32 of 0 … 255 for images of more than 8 bits."""
        return self.framed(self.levels(pixels, name))

    def normalized(self, levels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """(levels / 255 - mean) / std in float32, in this order: bit for bit what torchvision computes."""
        unit = levels.astype(np.float32) / np.float32(255)
        return np.asarray((unit - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32), np.float32)

    def __call__(self, pixels: Pixels, name: str = "the image") -> npt.NDArray[np.float32]:
        """The model's input: float32, channels × height × width."""
        return np.ascontiguousarray(self.normalized(self.pixels(pixels, name)).transpose(2, 0, 1))


def _difference(mine: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, str]:
    if len(mine) != len(theirs):
        return f"{len(mine)} classes", f"{len(theirs)} classes"
    i = next(i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
    return f"{mine[i]!r} at place {i}", f"{theirs[i]!r} at place {i}"
