"""Stacked bars as a self-contained SVG that follows the light or dark scheme of whoever shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 760
LEFT, RIGHT = 120, 130
"""Pixels beside the bars: their names, and a note behind each."""
BAR, GAP = 26, 12
LETTER = 6.6
"""Pixels of a letter at 12 px, on average."""

SHORTEST_LABEL = 30
"""Pixels of a part that holds its number."""

STYLE = """
svg { --card: #ffffff; --text: #1d2024; --muted: #5c626b; --line: #e4e1da;
  --read: #5c626b; --decode: #0072b2; --transform: #c47a00; --collate: #009e73; --update: #5b7082; --wait: #d5661a;
  font: 12px ui-sans-serif, system-ui, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif }
@media (prefers-color-scheme: dark) { svg { --card: #1b1e22; --text: #e9e7e2; --muted: #a4a9b0; --line: #2c3036;
  --read: #a4a9b0; --decode: #56b4e9; --transform: #f0b34a; --collate: #2fc49a; --update: #8fa6b8; --wait: #d97a3a } }
text { fill: var(--text) } .muted { fill: var(--muted) } .title { font-size: 15px; font-weight: 600 }
.strong { font-weight: 600 } .inside { fill: var(--card); text-anchor: middle } .right { text-anchor: end }
"""
"""Colours of the report; blue, orange and green are told apart with every kind of colour vision."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar."""

    name: str
    parts: Mapping[str, float]
    """Part → its length; the part's name is also that of its colour."""
    note: str = ""
    """What stands behind the bar."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Bars that share one scale."""

    title: str
    unit: str
    bars: tuple[Bar, ...]


def svg(title: str, subtitle: str, charts: Sequence[Chart], below: str) -> str:
    """An SVG document with the charts one under the other; `below` is a paragraph under them."""
    body, y = [_text(0, 16, title, "title"), _text(0, 36, subtitle, "muted")], 66.0
    for chart in charts:
        drawn, height = _chart(chart, y)
        body += drawn
        y += height + 20
    for line in _lines(below, int((WIDTH - 10) / LETTER)):
        body.append(_text(0, y, line))
        y += 18
    height = round(y) + 6
    alt = escape(". ".join([title, subtitle, *map(_in_words, charts), below]))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 32} {height + 32}" width="{WIDTH + 32}" '
        f'height="{height + 32}" role="img"><title>{escape(title)}</title><desc>{alt}</desc><style>{STYLE}</style>'
        f'<rect width="100%" height="100%" rx="12" fill="var(--card)"/><g transform="translate(16 16)">'
        f"{''.join(body)}</g></svg>\n"
    )


def _chart(chart: Chart, top: float) -> tuple[list[str], float]:
    """Elements of a chart whose first line stands at `top`, and its height."""
    parts = list(dict.fromkeys(part for bar in chart.bars for part in bar.parts))
    longest = max((sum(bar.parts.values()) for bar in chart.bars), default=0.0) or 1.0
    scale = (WIDTH - LEFT - RIGHT) / longest
    out, x = [_text(0, top, f"{chart.title}, {chart.unit}", "strong")], float(LEFT)
    y = top + 14
    for part in parts:
        out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="10" height="10" rx="2" fill="var(--{part})"/>')
        out.append(_text(x + 15, y + 9, part, "muted"))
        x += 30 + LETTER * len(part)
    y += 20
    for bar in chart.bars:
        out.append(_text(LEFT - 10, y + 17, bar.name, "right"))
        x = float(LEFT)
        for part, length in bar.parts.items():
            wide = length * scale
            out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{BAR}" fill="var(--{part})">'
                       f"<title>{escape(part)} {number(length)} {escape(chart.unit)}</title></rect>")  # fmt: skip
            if wide >= SHORTEST_LABEL:
                out.append(_text(x + wide / 2, y + 17, number(length), "inside"))
            x += wide
        out.append(_text(x + 8, y + 17, bar.note, "muted"))
        y += BAR + GAP
    return out, y - top


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{named}>{escape(words)}</text>'


def _in_words(chart: Chart) -> str:
    bars = (f"{b.name}: {', '.join(f'{part} {number(v)}' for part, v in b.parts.items())} {b.note}" for b in chart.bars)
    return f"{chart.title}, {chart.unit}. {'; '.join(bars)}"


def _lines(words: str, length: int) -> list[str]:
    lines = [""]
    for word in words.split():
        if lines[-1] and len(lines[-1]) + len(word) >= length:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def number(value: float) -> str:
    """Two significant digits below 100, whole above."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.0f}" if value >= 10 else f"{value:.2g}"
