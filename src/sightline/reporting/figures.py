"""The page's charts as Plotly figures in plain JSON.

Colours are names of CSS variables ("var(--train)"): the page's script puts in the values of the scheme in force and
draws again when it changes. Text is escaped, because Plotly reads a few HTML tags in labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from sightline.metrics import Estimate, wilson
from sightline.reporting.wording import interval, percent, shortened

MAX_BARS = 40
"""Up to this many classes each gets its own bar; beyond it the sorted counts are drawn as lines."""

MAX_CELLS = 60
"""Up to this many classes the confusion matrix is drawn."""

MAX_NUMBERS = 12
"""Up to this many classes its cells hold their counts: on a phone more would not be legible."""

LABEL_LENGTH = 18
"""Characters of a class name on an axis; the full name is in the hover text."""

HOVER_LENGTH = 60

Array = np.ndarray[Any, Any]
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One chart."""

    name: str
    alt: str
    """What the chart shows, for people who cannot see it."""
    data: list[Json]
    layout: Json
    height: int
    """CSS pixels; 0 for a square as wide as its column, up to `width`."""
    width: int = 0
    legend: tuple[str, ...] = ()
    """Splits whose colours the page explains above the chart: Plotly's own legend takes width from narrow screens."""

    @property
    def id(self) -> str:
        """Id of its element in the page; the plain names belong to the sections."""
        return f"figure-{self.name}"

    @property
    def plotly(self) -> Json:
        """The figure as plotly.js takes it."""
        return {"data": self.data, "layout": self.layout}


def _text(name: str, length: int = HOVER_LENGTH) -> str:
    return escape(shortened(name, length), quote=False)


def _axis(title: str = "", **settings: Any) -> Json:
    named = {"title": {"text": title, "font": {"size": 12, "color": "var(--muted)"}, "standoff": 8}} if title else {}
    return {
        "gridcolor": "var(--line)", "zeroline": False, "linecolor": "var(--line)", "automargin": True,
        "tickfont": {"color": "var(--muted)"}, "fixedrange": True, **named, **settings,
    }  # fmt: skip


def _class_axis(names: Sequence[str], title: str = "", length: int = LABEL_LENGTH, **settings: Any) -> Json:
    labels = [_text(n, length) for n in names]
    ticks = {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": labels, "ticklabelstandoff": 4}
    return _axis(title, showgrid=False, range=[-0.5, len(names) - 0.5], **ticks, **settings)


def _class_rows(names: Sequence[str], title: str = "", length: int = LABEL_LENGTH, **settings: Any) -> Json:
    """The classes from top to bottom."""
    return _class_axis(names, title, length, **settings) | {"range": [len(names) - 0.5, -0.5]}


def _layout(**settings: Any) -> Json:
    return {
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "dragmode": False,
        "font": {"family": "var(--font)", "size": 12, "color": "var(--text)"},
        "margin": {"l": 8, "r": 20, "t": 8, "b": 8}, "showlegend": False,
        "hoverlabel": {"bgcolor": "var(--card)", "bordercolor": "var(--strong-line)",
                       "font": {"family": "var(--font)", "color": "var(--text)"}},
        **settings,
    }  # fmt: skip


def _hover(texts: Sequence[Any]) -> Json:
    return {"customdata": list(texts), "hovertemplate": "%{customdata}<extra></extra>"}


def _whiskers(values: Array, low: Array, high: Array) -> Json:
    """Asymmetric error bars, in percentage points."""
    up, down = ([round(100 * max(float(v), 0.0), 3) for v in d] for d in (high - values, values - low))
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": "var(--train)",
            "thickness": 1.5, "width": 0}  # fmt: skip


def class_balance(names: Sequence[str], counts: Mapping[str, Array]) -> Figure:
    """Samples of each class in each split: stacked bars, or sorted curves where there are too many classes for bars."""
    total = np.sum(list(counts.values()), axis=0)
    alt = f"Samples per class by split. The smallest class has {total.min():,}, the largest {total.max():,}."
    if len(names) > MAX_BARS:
        spread = total.max() > 20 * max(total.min(), 1)
        scale = {"type": "log", "dtick": 1} if spread else {"rangemode": "tozero"}
        layout = _layout(xaxis=_axis("classes, largest first", showgrid=False), yaxis=_axis("samples", **scale))
        data, height = [_sorted_counts(split, n) for split, n in counts.items()], 280
    else:
        layout = _layout(barmode="stack", bargap=0.32, xaxis=_axis("samples", rangemode="tozero", nticks=6),
                         yaxis=_class_rows(names))  # fmt: skip
        data, height = [_bars(split, names, n) for split, n in counts.items()], 64 + 24 * len(names)
    return Figure(name="class-balance", alt=alt, data=data, layout=layout, height=height, legend=tuple(counts))


def _bars(split: str, names: Sequence[str], counts: Array) -> Json:
    hover = [f"{_text(name)}: {n:,} in {split}" for name, n in zip(names, counts, strict=True)]
    return {"type": "bar", "orientation": "h", "x": [int(n) for n in counts], "y": list(range(len(names))),
            "marker": {"color": f"var(--{split})"}, **_hover(hover)}  # fmt: skip


def _sorted_counts(split: str, counts: Array) -> Json:
    return {"type": "scatter", "mode": "lines", "x": list(range(1, len(counts) + 1)),
            "y": sorted(map(int, counts), reverse=True), "line": {"color": f"var(--{split})", "width": 2},
            "hovertemplate": f"%{{y:,}} in {split}, class %{{x}} by size<extra></extra>"}  # fmt: skip


def image_sizes(widths: Array, heights: Array) -> Figure:
    """Width against height of the stored images; the area of a point grows with the number of images."""
    sizes, counts = np.unique(np.stack([widths, heights], 1), axis=0, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:600]
    diameters = 6 + 26 * np.sqrt(counts[most] / counts.max())
    x, y, n = sizes[most, 0].tolist(), sizes[most, 1].tolist(), counts[most].tolist()
    data = [{
        "type": "scatter", "mode": "markers", "x": x, "y": y,
        **_hover([f"{w} × {h} px: {many:,} images" for w, h, many in zip(x, y, n, strict=True)]),
        "marker": {"size": diameters.round(1).tolist(), "color": "var(--train)", "opacity": 0.5, "line": {"width": 0}},
    }]  # fmt: skip
    layout = _layout(xaxis=_axis("width, px", rangemode="tozero"), yaxis=_axis("height, px", rangemode="tozero"))
    alt = f"Width against height: {len(sizes):,} distinct sizes, {widths.min()} to {widths.max()} pixels wide."
    return Figure(name="image-sizes", alt=alt, data=data, layout=layout, height=300)


def curve(
    name: str, title: str, x: Sequence[float], lines: Mapping[str, Sequence[float | None]], **scale: Any
) -> Figure:
    """Lines over epochs; the names of `lines` are splits, which choose the colour, or `plain`."""
    several = len(lines) > 1
    data = [
        {"type": "scatter", "mode": "lines+markers" if len(x) <= 20 else "lines", "x": list(x), "y": list(y),
         "line": {"color": f"var(--{split})", "width": 2}, "marker": {"size": 5},
         "hovertemplate": f"epoch %{{x}}: %{{y}}<extra>{split if several else ''}</extra>"}
        for split, y in lines.items()
    ]  # fmt: skip
    layout = _layout(xaxis=_axis("epoch", showgrid=False, nticks=6), yaxis=_axis(nticks=6, **scale))
    legend = tuple(split for split in lines if split != "plain")
    return Figure(name=name, alt=f"{title} over {len(x)} epochs.", data=data, layout=layout, height=220, legend=legend)


def confusion(names: Sequence[str], counts: Array) -> Figure:
    """Confusion matrix, true classes in rows. Right and wrong have scales of their own, so that few errors show."""
    is_right = np.eye(len(names), dtype=bool)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    is_wrong = ~is_right & (counts > 0)
    worst = float(share[is_wrong].max()) if is_wrong.any() else 1.0
    hover = [[f"true {_text(t)}<br>predicted {_text(p)}<br>{counts[i, j]:,.4g} ({percent(share[i, j])} of the class)"
              for j, p in enumerate(names)] for i, t in enumerate(names)]  # fmt: skip
    data = [
        {"type": "heatmap", "z": _cells(share, shown, None, "{:.5f}", float), "zmin": 0, "zmax": top,
         "showscale": False, "colorscale": [[0, "var(--card)"], [1, f"var(--{colour})"]], "xgap": 1, "ygap": 1,
         "hoverongaps": False, **_hover(hover), **_numbers(counts, shown)}
        for shown, top, colour in ((is_right, 1.0, "right"), (is_wrong, worst, "wrong"))
    ]  # fmt: skip
    small = {"tickfont": {"size": 12 if len(names) <= MAX_NUMBERS else 9, "color": "var(--muted)"}}
    angle = -90 if max(map(len, names)) > 3 else 0
    layout = _layout(xaxis=_class_axis(names, "predicted", 12, tickangle=angle, **small),
                     yaxis=_class_rows(names, "true", 12, **small))  # fmt: skip
    on_diagonal = percent(float(np.trace(counts) / max(counts.sum(), 1)))
    alt = f"Confusion matrix of {len(names)} classes; {on_diagonal} lie on the diagonal."
    width = 200 + 44 * len(names) if len(names) <= MAX_NUMBERS else max(640, 200 + 12 * len(names))
    return Figure(name="confusion", alt=alt, data=data, layout=layout, height=0, width=width)


def _numbers(counts: Array, shown: Array) -> Json:
    if len(counts) > MAX_NUMBERS:
        return {}
    return {"text": _cells(counts, shown, "", "{:,.4g}", str), "texttemplate": "%{text}", "textfont": {"size": 11}}


def _cells(values: Array, shown: Array, empty: Any, form: str, kind: type) -> list[list[Any]]:
    """Formatted values where shown, else `empty`."""
    return [[kind(form.format(v)) if s else empty for v, s in zip(*rows, strict=True)]
            for rows in zip(values.tolist(), shown.tolist(), strict=True)]  # fmt: skip


def class_accuracy(classes: Sequence[tuple[str, Estimate]], overall: float) -> Figure:
    """Accuracy of each class with its interval, in the order given; the line is the accuracy over all samples."""
    value, low, high = (np.array([getattr(e, name) for _, e in classes]) for name in ("value", "low", "high"))
    hover = [f"{_text(name)}: {percent(e.value)} [{interval(e)}], n = {e.n:,}" for name, e in classes]
    data = [{
        "type": "scatter", "mode": "markers", "x": (100 * value).round(3).tolist(), "y": list(range(len(classes))),
        "marker": {"color": "var(--train)", "size": 8},
        "cliponaxis": False, "error_x": _whiskers(value, low, high), **_hover(hover),
    }]  # fmt: skip
    start = max(0.0, float(np.floor(10 * low.min() - 0.05) / 10))
    line = {"type": "line", "x0": 100 * overall, "x1": 100 * overall, "yref": "paper", "y0": 0, "y1": 1,
            "line": {"color": "var(--muted)", "width": 1, "dash": "dot"}, "layer": "below"}  # fmt: skip
    layout = _layout(xaxis=_axis(range=[100 * start, 101], ticksuffix=" %", nticks=6), shapes=[line],
                     yaxis=_class_rows([name for name, _ in classes]))  # fmt: skip
    worst, lowest = classes[0]
    alt = f"Accuracy per class with 95 % intervals; the lowest is {worst} with {percent(lowest.value)}."
    return Figure(name="class-accuracy", alt=alt, data=data, layout=layout, height=64 + 24 * len(classes))


def reliability(bins: Sequence[Mapping[str, Any]]) -> Figure:
    """Reliability diagram above the histogram of confidence, from the bins of `metrics.calibration`; none is empty."""
    accuracy = np.array([b["accuracy"] for b in bins])
    low, high = np.array([wilson(b["accuracy"] * b["n"], b["n"]) for b in bins]).T
    hover = [f"confidence {percent(b['confidence'])}, right {percent(b['accuracy'])}<br>{b['n']:,} samples"
             for b in bins]  # fmt: skip
    data: list[Json] = [
        {"type": "scatter", "mode": "lines", "x": [0, 100], "y": [0, 100], "hoverinfo": "skip",
         "line": {"color": "var(--muted)", "width": 1, "dash": "dot"}},
        {"type": "scatter", "mode": "lines+markers", "x": [round(100 * b["confidence"], 3) for b in bins],
         "y": (100 * accuracy).round(3).tolist(), "line": {"color": "var(--train)", "width": 2}, "marker": {"size": 7},
         "error_y": _whiskers(accuracy, low, high), **_hover(hover)},
        {"type": "bar", "x": [50 * (b["low"] + b["high"]) for b in bins], "y": [b["n"] for b in bins], "yaxis": "y2",
         "width": [98 * (b["high"] - b["low"]) for b in bins], "marker": {"color": "var(--strong-line)"},
         **_hover(hover)},
    ]  # fmt: skip
    layout = _layout(
        xaxis=_axis("confidence of the prediction", range=[-1, 101], ticksuffix=" %", nticks=6, anchor="y2"),
        yaxis=_axis("share that is right", range=[-2, 102], ticksuffix=" %", domain=[0.32, 1]),
        yaxis2=_axis("samples", domain=[0, 0.24], nticks=3, rangemode="tozero"),
    )
    alt = "Reliability diagram: share of right predictions against their confidence, over a histogram of confidence."
    return Figure(name="reliability", alt=alt, data=data, layout=layout, height=400)
