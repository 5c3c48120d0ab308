"""The report: one self-contained HTML page about a number. Needs jinja2 and plotly, never torch."""

from sightline.reporting.page import report

__all__ = ["report"]
