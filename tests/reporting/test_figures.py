from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.metrics import Estimate
from sightline.reporting import figures
from sightline.reporting.figures import Figure

NAMES = ["cat", "dog", "a <b>bold</b> name that is far too long for an axis"]
CSS = files("sightline.reporting").joinpath("report.css").read_text()


def named(n: int) -> list[str]:
    return [NAMES[i] if i < 3 else f"class {i}" for i in range(n)]


def estimates(n: int) -> list[tuple[str, Estimate]]:
    return [(name, Estimate(0.5 + i / (3 * n), 0.4, 0.9, 10)) for i, name in enumerate(named(n))]


def bins(n: int) -> list[dict[str, Any]]:
    return [{"low": i / n, "high": (i + 1) / n, "n": i + 1, "confidence": (i + 0.5) / n, "accuracy": i / n}
            for i in range(n)]  # fmt: skip


FIGURES = {
    "class balance": figures.class_balance(NAMES, {"train": np.array([5, 0, 7]), "test": np.array([1, 1, 1])}),
    "class balance, many": figures.class_balance(named(300), {"train": np.arange(300)}),
    "image sizes": figures.image_sizes(np.array([10, 10, 20]), np.array([10, 10, 5])),
    "curve": figures.curve("loss", "Loss", [1, 2], {"train": [1.0, None], "val": [2.0, 1.0]}, rangemode="tozero"),
    "confusion": figures.confusion(NAMES, np.array([[4.0, 1, 0], [0, 0, 0], [0.5, 0.5, 6]])),
    "confusion, no mistake": figures.confusion(named(40), np.eye(40)),
    "class accuracy": figures.class_accuracy(estimates(3), 0.9),
    "reliability": figures.reliability(bins(15)),
}


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [s for v in inner for s in strings(v)]


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
def test_plotly_knows_every_field(figure: Figure) -> None:
    # Plotly's own validators want real colours and fonts in the place of the CSS variables.
    plain = json.dumps(figure.plotly, allow_nan=False).replace("var(--font)", "serif")
    go.Figure(json.loads(re.sub(r"var\(--[\w-]+\)", "#123456", plain)))
    assert figure.alt.endswith(".")
    assert figure.height or figure.width


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
def test_colours_are_variables_of_the_style_and_text_is_escaped(figure: Figure) -> None:
    said = strings(figure.plotly)
    variables = {v for s in said for v in re.findall(r"var\((--[\w-]+)\)", s)}
    assert variables
    for variable in variables:
        assert len(re.findall(rf"{variable}:", CSS)) == (1 if variable == "--font" else 2), "one value for each scheme"
    assert not any("<b>" in s for s in said)
    for split in figure.legend:
        assert f".key.{split} " in CSS


@settings(max_examples=20)
@given(st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_a_confusion_cell_is_drawn_once(n: int, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 4, (n, n)).astype(float)
    right, wrong = (np.array(trace["z"], object) for trace in figures.confusion(named(n), counts).data)
    assert all((right[i, j] is not None) == (i == j) for i in range(n) for j in range(n))
    assert ((wrong != None) == ((counts > 0) & ~np.eye(n, dtype=bool))).all()  # noqa: E711
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    assert np.allclose([right[i, i] for i in range(n)], np.diag(shares), atol=1e-5)


def test_whiskers_reach_to_the_interval() -> None:
    points = figures.class_accuracy([("cat", Estimate(0.9, 0.7, 0.95, 20))], 0.9).data[0]
    assert points["x"] == [90.0]
    assert points["error_x"]["arrayminus"] == [20.0]
    assert points["error_x"]["array"] == [5.0]


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two #rrggbb colours as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_defined() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_in_both_schemes(scheme: int) -> None:
    blocks = re.findall(r":root[^{]*\{([^}]*)\}", CSS)
    colours = dict(re.findall(r"(--[\w-]+):\s*(#[0-9a-f]{6})", blocks[scheme]))
    for text in ("--text", "--muted", "--link"):
        for ground in ("--page", "--card", "--tile"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for level in ("--good", "--warn", "--bad", "--calm"):
        for ground in (f"{level}-ground", "--page", "--card"):
            assert contrast(colours[level], colours[ground]) >= 4.5, (level, ground)
    for mark in ("--train", "--val", "--test", "--plain", "--wrong"):
        assert contrast(colours[mark], colours["--page"]) >= 3, mark
