"""Edits that take a factor out of a picture and leave its content, and the model that answers to them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageFilter

from sightline.predictions import Predictions

Array = np.ndarray[Any, Any]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, kw_only=True)
class Neutral:
    """What an ordinary picture of the data looks like, in levels of 0 … 255: what edits paint, and level to."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def ground(self) -> Array:
        """The colour of a covered part, uint8 [3]: the mean, so that after normalization it is nothing."""
        return np.array(self.mean).round().astype(np.uint8)


@dataclass(frozen=True)
class Edit:
    """A named edit of upright pixels, uint8 [height, width, 3]."""

    name: str
    does: str
    run: Callable[[Array, Neutral], Array]


class Trial(Protocol):
    """A trained model that answers edited images of val, and images of another source."""

    @property
    def name(self) -> str:
        """What to call the model."""

    def predictions(self, edit: Edit | None) -> Predictions:
        """Predictions for the same samples of val each time, their images edited, or as they are."""

    def elsewhere(self) -> Mapping[str, Predictions]:
        """Name of another source → predictions for its samples, labels in this model's classes; often empty."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """A trial whose answers are there already."""

    name: str
    before: Predictions
    after: Mapping[str, Predictions]
    """By name of the edit."""
    others: Mapping[str, Predictions] = field(default_factory=dict)

    def predictions(self, edit: Edit | None) -> Predictions:
        """The stored answers."""
        return self.before if edit is None else self.after[edit.name]

    def elsewhere(self) -> Mapping[str, Predictions]:
        """The stored answers for other sources."""
        return self.others


def _matched(values: Array, mean: Array, std: Array, to_mean: Array, to_std: Array) -> Array:
    # A flat picture stays flat: contrast is changed by a factor of 3 at most.
    scale = np.clip(to_std / np.maximum(std, 1e-3), 1 / 3, 3)
    return np.asarray(np.clip((values - mean) * scale + to_mean + 0.5, 0, 255).astype(np.uint8))


def _level(pixels: Array, neutral: Neutral) -> Array:
    values = pixels.astype(np.float32)
    light = values @ LUMA
    to = np.array(neutral.mean) @ LUMA, np.array(neutral.std) @ LUMA
    return _matched(values, light.mean(), light.std(), *to)


def _balance(pixels: Array, neutral: Neutral) -> Array:
    values = pixels.astype(np.float32)
    to = np.array(neutral.mean, np.float32), np.array(neutral.std, np.float32)
    return _matched(values, values.mean((0, 1)), values.std((0, 1)), *to)


def _grey(pixels: Array, neutral: Neutral) -> Array:
    light = (pixels.astype(np.float32) @ LUMA + 0.5).astype(np.uint8)
    return np.repeat(light[:, :, None], 3, axis=2)


def _covered(pixels: Array, neutral: Neutral, part: Callable[[Array, Array], Array]) -> Array:
    """`part` says from the distances to the nearest sides, in shares of height and width, what is covered."""
    height, width = pixels.shape[:2]
    y, x = ((np.arange(n) + 0.5) / n for n in (height, width))
    y, x = np.minimum(y, 1 - y)[:, None], np.minimum(x, 1 - x)[None, :]
    return np.where(part(y, x)[:, :, None], neutral.ground, pixels)


def _border(pixels: Array, neutral: Neutral) -> Array:
    return _covered(pixels, neutral, lambda y, x: (y < 1 / 8) | (x < 1 / 8))


def _frame(pixels: Array, neutral: Neutral) -> Array:
    return _covered(pixels, neutral, lambda y, x: (y < 1 / 4) | (x < 1 / 4))


def _corners(pixels: Array, neutral: Neutral) -> Array:
    return _covered(pixels, neutral, lambda y, x: (y < 1 / 4) & (x < 1 / 4))


def _centre(pixels: Array, neutral: Neutral) -> Array:
    return _covered(pixels, neutral, lambda y, x: (y >= 1 / 4) & (x >= 1 / 4))


def _blur(pixels: Array, neutral: Neutral) -> Array:
    radius = max(0.8, min(pixels.shape[:2]) / 100)
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def _recode(pixels: Array, neutral: Neutral) -> Array:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=60, subsampling=2)
    return np.asarray(Image.open(stream).convert("RGB"))


EDITS: tuple[Edit, ...] = (
    Edit("level", "brightness and contrast made the same for all", _level),
    Edit("balance", "mean and spread of each colour made the same for all", _balance),
    Edit("grey", "colour taken out", _grey),
    Edit("border", "the outer eighth painted over", _border),
    Edit("frame", "the outer quarter painted over", _frame),
    Edit("corners", "the four corners covered", _corners),
    Edit("centre", "all but the outer quarter covered", _centre),
    Edit("blur", "fine detail blurred", _blur),
    Edit("recode", "encoded again as JPEG of quality 60", _recode),
)
