"""The page's values to one HTML file: template, style, script and Plotly in it, and a policy that allows no more."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from sightline.digests import short
from sightline.reporting.figures import Figure
from sightline.reporting.wording import interval, percent, plural


def html_of(values: Mapping[str, Any], made: datetime) -> str:
    """The page: every value escaped, every figure that occurs in `values` drawn.

    The browser is told to run these scripts alone (by their hashes) and to fetch nothing, so that not even a defect
    of the escaping could.
    """
    plotly, script, style, template = get_plotlyjs(), _asset("report.js"), _asset("report.css"), _asset("report.html")
    allowed = " ".join(f"'sha256-{_sha256(s)}'" for s in (plotly, script))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "interval": interval, "plural": plural, "short": short}
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "ensure_ascii": False}
    page = {
        **values, "version": version("sightline"), "date": f"{made.day} {made:%B %Y}",
        "figures": {f.id: f.plotly for f in figures_in(values)},
        "policy": f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; "
                  "base-uri 'none'; form-action 'none'",
        # Files of this package and of Plotly's, not of people: they go in as they are.
        "style": Markup(style), "script": Markup(script), "plotly": Markup(plotly),  # noqa: S704
    }  # fmt: skip
    return environment.from_string(template).render(page=page)


def figures_in(value: Any) -> Iterator[Figure]:
    """Every figure inside nested mappings and sequences."""
    if isinstance(value, Figure):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from figures_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from figures_in(inner)


def _asset(name: str) -> str:
    return files("sightline.reporting").joinpath(name).read_text("utf-8")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
