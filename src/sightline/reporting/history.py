"""How the model was made: the recipe in words, the curves of the run, and where its time went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sightline.digests import plain
from sightline.reporting.figures import Figure, curve
from sightline.reporting.wording import duration, number, percent

Log = Sequence[Mapping[str, Any]]


def recipe_rows(recipe: Any) -> list[tuple[str, str]]:
    """Each field of a recipe with its value in words, in the recipe's order."""
    fields = {k: v for k, v in plain(recipe).items() if k != "type"}
    return [(name.replace("_", " "), value_in_words(value)) for name, value in fields.items()]


def value_in_words(value: Any) -> str:
    """A JSON value for people: parts as "Sgd · lr 0.1 · momentum 0.9", sizes as "128 × 128"."""
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int):
        return str(value) if value < 10_000 else f"{value:,}"
    if isinstance(value, list):
        return _list_in_words(value)
    if isinstance(value, dict):
        inner = {k: v for k, v in value.items() if k != "type" and v not in (None, [], {})}
        kind = str(inner.pop("name", value.get("type", "")))
        only = next(iter(inner.values())) if len(inner) == 1 else None
        if isinstance(only, list):
            return value_in_words(only)
        if [kind.lower()] == list(inner):
            return f"{value_in_words(only)} {kind.lower()}"
        return " · ".join(filter(None, [kind, *(f"{k.replace('_', ' ')} {_nested(v)}" for k, v in inner.items())]))
    return str(value)


def _list_in_words(values: list[Any]) -> str:
    kinds = {type(v) for v in values}
    if len(values) == 2 and kinds == {int}:
        return " × ".join(map(value_in_words, values))
    if len(values) == 2 and kinds == {float}:
        return " – ".join(map(value_in_words, values))
    return ("; " if dict in kinds else ", ").join(map(value_in_words, values))


def _nested(value: Any) -> str:
    words = value_in_words(value)
    return f"({words})" if isinstance(value, dict) and " · " in words else words


def epochs_of(log: Log) -> list[Mapping[str, Any]]:
    """The log's lines about epochs; of an epoch logged twice (a resumed run), the later line."""
    return list({line["epoch"]: line for line in log if line.get("kind") == "epoch"}.values())


def curves(epochs: Log) -> list[tuple[str, Figure]]:
    """Training loss (with NLL on val where measured), val top-1 and learning rate over epochs, with their titles."""
    x = [line["epoch"] for line in epochs]
    losses = {"train": _column(epochs, "train_loss"), "val": _column(epochs, "val_nll")}
    known = {k: v for k, v in losses.items() if any(y is not None for y in v)}
    drawn = [("Loss", curve("loss", "Loss", x, known, rangemode="tozero"))] if known else []
    top1 = _column(epochs, "val_top1", 100)
    if any(y is not None for y in top1):
        drawn.append(("Top-1 on val", curve("val-top1", "Top-1 on val", x, {"val": top1}, ticksuffix=" %")))
    lr = _column(epochs, "lr")
    if any(y is not None for y in lr):
        drawn.append(("Learning rate", curve("lr", "Learning rate", x, {"plain": lr}, rangemode="tozero")))
    return drawn


def _column(epochs: Log, name: str, factor: float = 1.0) -> list[float | None]:
    values = [line.get(name) for line in epochs]
    return [None if v is None or not np.isfinite(v) else round(factor * float(v), 6) for v in values]


def describe_speed(epochs: Log) -> dict[str, Any]:
    """Time of the run, images per second and the share of time spent waiting for the loader."""
    rates = [v for v in _column(epochs, "images_per_s") if v is not None]
    times = [v or 0.0 for v in _column(epochs, "time_s")]
    waits = _column(epochs, "wait_share")
    measured = [(w, t) for w, t in zip(waits, times, strict=True) if w is not None]
    total = sum(t for _, t in measured)
    wait = sum(w * t for w, t in measured) / total if total else None
    x = [line["epoch"] for line in epochs]
    figure = curve("speed", "Images per second", x, {"plain": _column(epochs, "images_per_s")}, rangemode="tozero")
    return {
        "facts": [
            ("training", duration(sum(times))), ("epochs", f"{len(epochs):,}"),
            ("images per second", f"{float(np.median(rates)):,.0f}" if rates else "–"),
            ("waiting for the loader", percent(wait)),
        ],
        "figure": figure if len(rates) > 1 else None,
    }  # fmt: skip
