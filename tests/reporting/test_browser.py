"""The report in a real browser: no complaint, no missing picture, nothing cut, nothing asked of the network."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reporting.chromium import Chromium, installed

WIDTHS = {"wide": (1440, 900, False), "phone": (390, 844, True)}

MISSING_IMAGES = "[...document.images].filter(i => !i.complete || i.naturalWidth === 0).map(i => i.alt)"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OPEN_ALL = "document.querySelectorAll('details').forEach(d => { d.open = true; })"
# A chart's labels that reach out of its box are cut by it.
CUT_LABELS = """[...document.querySelectorAll('.plot')].flatMap(plot => {
  const box = plot.getBoundingClientRect();
  return [...plot.querySelectorAll('text')].filter(t => t.textContent.trim()).filter(t => {
    const r = t.getBoundingClientRect();
    return r.width && (r.left < box.left - 1 || r.right > box.right + 1
                       || r.top < box.top - 1 || r.bottom > box.bottom + 1);
  }).map(t => plot.id + ': ' + t.textContent);
})"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    path = installed()
    if path is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with Chromium(path, tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_report_in_a_browser(browser: Chromium, page: Path, width: str, scheme: str) -> None:
    w, h, is_phone = WIDTHS[width]
    browser.show(w, h, dark=scheme == "dark", is_phone=is_phone)
    browser.open(page.as_uri())
    browser.value(OPEN_ALL)
    browser.settle()
    assert browser.complaints() == []
    assert browser.value(MISSING_IMAGES) == []
    assert browser.value(OVERFLOW) <= 0
    assert browser.value(CUT_LABELS) == []
    assert browser.requests() == [page.as_uri()]
    assert browser.value("document.images.length") > 40
    drawn = browser.value("[...document.querySelectorAll('.plot')].filter(p => p.querySelector('svg.main-svg')).length")
    assert drawn == browser.value("Object.keys(JSON.parse(document.getElementById('figures').textContent)).length") >= 8


def test_charts_follow_the_colour_scheme(browser: Chromium, page: Path) -> None:
    colour = "getComputedStyle(document.querySelector('#figure-class-balance .point path')).fill"
    browser.show(1440, 900, dark=False)
    browser.open(page.as_uri())
    light = browser.value(colour)
    browser.show(1440, 900, dark=True)
    browser.settle()
    dark = browser.value(colour)
    assert light != dark
    ground = browser.value("getComputedStyle(document.querySelector('.main-svg')).backgroundColor")
    assert ground in {"rgba(0, 0, 0, 0)", "transparent"}
    # Paper is white whatever the screen is.
    browser.value("dispatchEvent(new Event('beforeprint'))")
    browser.settle()
    assert browser.value(colour) == light
    browser.value("dispatchEvent(new Event('afterprint'))")
    browser.settle()
    assert browser.value(colour) == dark


def test_a_digest_is_copied_by_a_click(browser: Chromium, page: Path) -> None:
    browser.show(1440, 900, dark=False)
    browser.open(page.as_uri())
    browser.value("navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve(); }, 0")
    wanted = browser.value("document.querySelector('.digest').dataset.copy")
    browser.value("document.querySelector('.digest code').click()")
    assert browser.value("window.copied") == wanted
    assert len(wanted) == 64


def test_the_test_itself_sees_faults(browser: Chromium, tmp_path: Path) -> None:
    """A page with every fault that the tests above look for: a check that cannot fail would show here."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = f"http://127.0.0.1:{server.server_port}/x.png"
        faulty = tmp_path / "faulty.html"
        faulty.write_text(
            f'<img src="{asked}" alt="gone"><div style="width:5000px">wide</div>'
            '<div class="plot" id="p" style="width:9px"><svg overflow="visible"><text x="50" y="9">cut</text></svg>'
            "<script>console.error('complaint'); undefinedName();</script>"
        )
        browser.show(390, 844, dark=False, is_phone=True)
        browser.open(faulty.as_uri())
        complaints = " ".join(browser.complaints())
        assert "complaint" in complaints
        assert "undefinedName" in complaints
        assert browser.value(MISSING_IMAGES) == ["gone"]
        assert browser.value(OVERFLOW) > 0
        assert browser.value(CUT_LABELS) == ["p: cut"]
        assert asked in browser.requests()
        server.shutdown()
