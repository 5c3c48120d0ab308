"""The text is true of the code: links lead somewhere, commands can be given as they stand, names exist."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

import sightline
from sightline.cli import VERBS, Verb, build_parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = {p.relative_to(ROOT).as_posix(): p.read_text("utf-8") for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))}


@pytest.fixture(params=sorted(PAGES))
def page(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _anchors(text: str) -> set[str]:
    """What headings are called in links."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere(page: str) -> None:
    for place, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", PAGES[page]):
        if "://" in place:
            continue
        path = (ROOT / page).parent / place if place else ROOT / page
        assert path.exists(), place
        assert not anchor or anchor in _anchors(path.read_text("utf-8")), f"{place}#{anchor}"


def test_every_page_is_found_from_the_first() -> None:
    pages = {name.removeprefix("docs/") for name in PAGES if name.startswith("docs/")} - {"README.md"}
    assert pages <= set(re.findall(r"\]\(([^)#\s]+)", PAGES["docs/README.md"]))


def _commands(text: str) -> set[str]:
    """Commands of code blocks and inside sentences; those with brackets or dots tell what can be given, no more."""
    blocks = re.findall(r"```(?:sh|console)?\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in re.findall(r"^ *(?:\$ |torchrun .* )?sightline (.*)$", block, re.M)]
    inside = [" ".join(command.split()) for command in re.findall(r"`sightline ([^`]+)`", text)]
    found = {re.split(r" +(?:#|·) ", command)[0].strip() for command in (*lines, *inside)}
    return {c for c in found if not re.search(r"[\[…]|\.\.\.", c) and not c.startswith("-")}


def test_commands_can_be_given_as_they_stand(page: str) -> None:
    for command in sorted(_commands(PAGES[page])):
        if command in {v.name for v in VERBS}:
            continue  # the verb is spoken of
        build_parser().parse_args(shlex.split(re.sub(r"\$\w+", "0", command)))


def test_the_pages_show_commands() -> None:
    assert sum(len(_commands(text)) for text in PAGES.values()) > 50


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: v.name)
def test_a_page_tells_of_all_options_of_its_verb(verb: Verb) -> None:
    known = {"--json", *(name for option in verb.options for name in option.names if name.startswith("--"))}
    assert known <= set(re.findall(r"--[a-z-]+", PAGES[f"docs/verbs/{verb.name}.md"]))


FILES = {"sightline.json", "sightline.parquet"}
"""Names of files that look like modules."""


def test_names_exist(page: str) -> None:
    text = PAGES[page]
    for name in set(re.findall(r"\bsl\.([A-Za-z_]\w*)", text)):
        assert hasattr(sightline, name), name
    for name in set(re.findall(r"\bsightline(?:\.[A-Za-z_]\w*)+", text)) - FILES:
        found, *rest = name.split(".")
        value = importlib.import_module(found)
        for part in rest:
            found = f"{found}.{part}"
            value = getattr(value, part, None) or importlib.import_module(found)
