"""The training job as a bar chart: an SVG without scripts or fonts of its own, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from benchmarks.contenders import Contender
from benchmarks.jobs import TRAIN
from benchmarks.records import Records

WIDTH, LABEL, VALUE = 780, 258, 64
"""Pixels: of the chart, of the names on the left, of the figures on the right."""
ROW, BAR, HEAD, FOOT = 25, 15, 52, 30
STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .small { font-size: 12px; fill: #59636e }
  .own { font-weight: 600 }
  .bar { fill: #9aa4af } .bar.own { fill: #0969da } .bar.lossy { fill: none; stroke: #9aa4af; stroke-dasharray: 3 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 }
    .bar { fill: #6e7681 } .bar.own { fill: #4493f8 } .bar.lossy { fill: none; stroke: #8b949e }
  }
"""
TITLE = "Training batches of ImageNet photographs, images per second on two cores"
NOTE = "RandomResizedCrop 224 + flip, normalized float32, batches of 64; dashed: other pixels than the files'"


def bars(records: Records, contenders: Sequence[Contender]) -> list[tuple[Contender, float]]:
    """Contenders of the training job with their rates, the fastest first."""
    measured = [(c, records.rate(c.name)) for c in contenders if c.job == TRAIN.name and c.name in records.rounds]
    return sorted(measured, key=lambda bar: -bar[1])


def rendered(records: Records, contenders: Sequence[Contender]) -> str:
    """The SVG document."""
    rows = bars(records, contenders)
    height = HEAD + ROW * len(rows) + FOOT
    highest = max(rate for _, rate in rows)
    words = "; ".join(f"{c.title}: {rate:,.0f}" for c, rate in rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="title words">',
        f'<title id="title">{TITLE}</title>', f'<desc id="words">{escape(words)}</desc>', f"<style>{STYLE}</style>",
        f'<text class="title" x="0" y="20">{TITLE}</text>',
    ]  # fmt: skip
    for i, (contender, rate) in enumerate(rows):
        lines += bar(contender, rate, (WIDTH - LABEL - VALUE) * rate / highest, HEAD + ROW * i)
    lines += [f'<text class="small" x="0" y="{height - 8}">{escape(NOTE)}</text>', "</svg>", ""]
    return "\n".join(lines)


def bar(contender: Contender, rate: float, length: float, top: int) -> list[str]:
    """One row: name, bar, figure."""
    own = " own" if contender.is_own else ""
    kind = own or (" lossy" if contender.note else "")
    middle = top + BAR / 2 + 4.5
    return [
        f'<text class="name{own}" x="{LABEL - 10}" y="{middle}" text-anchor="end">{escape(contender.title)}</text>',
        f'<rect class="bar{kind}" x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR}" rx="2"/>',
        f'<text class="value{own}" x="{LABEL + length + 8:.1f}" y="{middle}">{rate:,.0f}</text>',
    ]
