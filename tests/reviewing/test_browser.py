"""The page in a real browser, by keyboard: what it shows as decided is on disk, whatever is killed then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sightline as sl
from sightline.reviewing import Review, read_decisions
from sightline.reviewing.decisions import live
from tests.reporting.chromium import Chromium, installed
from tests.reviewing.material import HOSTILE, Material

MISSING_IMAGES = "[...document.images].filter(i => !i.complete || i.naturalWidth === 0).map(i => i.src)"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHOWN = "document.getElementById('item').hidden ? null : document.querySelector('.path, .subject').textContent"
COUNT = "document.getElementById('count').textContent"
LOADED = "document.body.dataset.waiting === '0' && [...document.images].every(i => i.complete)"
WIDTHS = {"wide": (1440, 900, False), "phone": (390, 844, True)}


def chromium() -> str:
    path = installed()
    if path is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(chromium(), tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def opened(made: Material) -> Iterator[Review]:
    with sl.review(made.samples, made.findings, made.splits, decisions=made.study.decisions_path) as review:
        yield review


@pytest.fixture
def page(browser: Chromium, opened: Review) -> Chromium:
    """The page, drawn, on a wide window."""
    browser.show(1440, 900, dark=False)
    browser.open(opened.url)
    until(browser, LOADED)
    return browser


def until(browser: Chromium, condition: str, seconds: float = 30) -> None:
    """Wait for a condition in the page."""
    deadline = time.monotonic() + seconds
    while not browser.value(condition):
        assert time.monotonic() < deadline, f"{condition}: {browser.value('document.body.innerText')}"
        time.sleep(0.01)


def press(browser: Chromium, *keys: str) -> None:
    """Press keys one after the other, without waiting for what they do."""
    codes = {"Enter": 13, "Escape": 27, "ArrowRight": 39, "ArrowLeft": 37, "ArrowDown": 40}
    for key in keys:
        told = {"key": key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))}
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        browser.send("Input.dispatchKeyEvent", type="keyDown", **told, **text)
        browser.send("Input.dispatchKeyEvent", type="keyUp", **told)


def actions(made: Material) -> list[str]:
    return [d.action for d in live(read_decisions(made.study.decisions_path))]


def start(study: Path) -> tuple[subprocess.Popen[str], str]:
    """`sightline review` as a person runs it, and the address that it tells."""
    command = [sys.executable, "-m", "sightline", "review", str(study), "--no-open"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    line = server.stdout.readline()
    assert "http://127.0.0.1:" in line, line
    return server, line.split(" · ")[-1].strip()


def kill(server: subprocess.Popen[str]) -> None:
    server.send_signal(signal.SIGKILL)
    server.communicate()


def test_ten_decisions_by_keyboard_survive_the_tab_and_the_server(made: Material, tmp_path: Path) -> None:
    server, url = start(made.study.directory)
    with Chromium(chromium(), tmp_path / "profile") as browser:
        browser.open(url)
        until(browser, LOADED)
        press(browser, *"kdmkddssss")
        until(browser, f"{COUNT} === '10 of 12 decided'")
        os.killpg(browser._pid, signal.SIGKILL)  # no goodbye: not even an `unload` runs
    kill(server)
    said = read_decisions(made.study.decisions_path)
    assert [d.action for d in said] == ["keep", "drop", "merge-group", "keep", "drop", "drop", *["relabel"] * 4]
    assert [d.key for d in said[:6]] == [f"train/bright/{i:03d}.jpg" for i in range(6)]
    assert {d.value for d in said[6:]} == {made.samples.classes.ids[1]}

    server, url = start(made.study.directory)
    with Chromium(chromium(), tmp_path / "another profile") as browser:
        browser.open(url)
        until(browser, f"{COUNT} === '10 of 12 decided' && {LOADED}")
        assert browser.value(SHOWN) == HOSTILE, "it goes on where it stopped"
        press(browser, "k", "k")
        until(browser, "document.getElementById('empty-title').textContent === 'All decided'")
        press(browser, "u")
    # A key right before the end: its line is whole, or is not there.
    assert len(read_decisions(made.study.decisions_path)) in {12, 13}
    server.send_signal(signal.SIGINT)
    out, _ = server.communicate(timeout=20)
    assert server.returncode == 0
    assert "of 12 findings decided" in out
    assert "--apply" in out


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_whole_and_asks_nobody_else(
    browser: Chromium, opened: Review, width: str, scheme: str
) -> None:
    w, h, is_phone = WIDTHS[width]
    browser.show(w, h, dark=scheme == "dark", is_phone=is_phone)
    browser.open(opened.url)
    until(browser, LOADED)
    for _ in range(12):
        assert browser.value(MISSING_IMAGES) == []
        assert browser.value(OVERFLOW) <= 0
        press(browser, "n")
        browser.settle()
        until(browser, LOADED)
    assert browser.complaints() == []
    assert {u for u in browser.requests() if not u.startswith(opened.url)} == set()


def test_what_the_data_says_is_text(page: Chromium, opened: Review) -> None:
    press(page, "c", "c", "c")
    until(page, f"{SHOWN} === {HOSTILE!r} && {LOADED}")
    assert page.value("document.querySelector('.gallery h3').textContent") == f"with it: {HOSTILE}"
    assert page.value("document.querySelectorAll('.thumbs img').length") == 6
    sealed = "[...document.querySelectorAll('.no-image')].map(e => e.textContent)"
    assert page.value(sealed) == ["sealed: no score was made on the test split"] * 6
    assert page.value("[...document.images].every(i => i.src.startsWith(location.href))") is True
    # The test itself sees a violated policy.
    page.value("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>'), 0")
    page.settle()
    assert any("Content Security Policy" in c for c in page.complaints())


def test_relabel_by_typing(page: Chromium, made: Material) -> None:
    press(page, "r", *"dar", "Enter")
    until(page, f"{COUNT} === '1 of 12 decided'")
    (d,) = read_decisions(made.study.decisions_path)
    assert (d.action, d.value, d.key) == ("relabel", "dark", "train/bright/000.jpg")
    press(page, "r")
    until(page, "document.getElementById('relabel').open")
    assert page.value("[...document.querySelectorAll('#class-list li')].length") == 2, "not the class that it has"
    press(page, "ArrowDown", "Enter")
    until(page, f"{COUNT} === '2 of 12 decided'")
    press(page, "r", "Escape")
    until(page, "!document.getElementById('relabel').open")
    assert len(actions(made)) == 2


def test_undo_and_going_about(page: Chromium, made: Material) -> None:
    press(page, "k", "d")
    until(page, f"{COUNT} === '2 of 12 decided' && {LOADED}")
    press(page, "u")
    until(page, f"{COUNT} === '1 of 12 decided' && {LOADED}")
    assert page.value(SHOWN) == "train/bright/001.jpg"
    assert actions(made) == ["keep"]
    press(page, "a", "ArrowLeft")
    until(page, f"{SHOWN} === 'train/bright/000.jpg' && {LOADED}")
    assert page.value("document.getElementById('decision').textContent") == "kept"
    press(page, "d")
    until(page, f"{SHOWN} === 'train/bright/001.jpg' && {LOADED}")
    assert [d.action for d in read_decisions(made.study.decisions_path)] == ["keep", "drop", "undo", "drop"]
    press(page, "u")
    until(page, "document.getElementById('decision').textContent === 'kept'")


def test_filters_choose_what_comes(page: Chromium, made: Material) -> None:
    chosen = "document.querySelector('#checks [aria-pressed=true] span').textContent"
    press(page, "c", "c")
    until(page, f"{chosen} === 'Label errors' && {LOADED}")
    assert page.value(SHOWN) == "train/dark/000.jpg"
    press(page, *"kkkk")
    until(page, f"{COUNT} === '4 of 12 decided'")
    until(page, "document.getElementById('empty-title').textContent === 'Nothing here'")
    assert "8 findings elsewhere" in page.value("document.getElementById('empty-text').textContent")
    page.value("document.querySelector('#checks button').click()")
    until(page, f"{SHOWN} === 'train/bright/000.jpg' && {LOADED}")
    press(page, "l")
    until(page, "document.querySelector('#levels [aria-pressed=true] span').textContent === 'error'")
    assert actions(made) == ["keep"] * 4


def test_why_is_kept_and_its_letters_are_no_decisions(page: Chromium, made: Material) -> None:
    press(page, "w", *"kdm", "Enter", "d")
    until(page, f"{COUNT} === '1 of 12 decided'")
    (d,) = read_decisions(made.study.decisions_path)
    assert (d.action, d.why) == ("drop", "kdm")
    assert page.value("document.getElementById('why').value") == ""


def test_a_pair_is_laid_over_each_other(page: Chromium, made: Material) -> None:
    front = "[...document.querySelectorAll('.member')].map(m => getComputedStyle(m).visibility)"
    assert page.value(front) == ["visible", "visible"]
    boxes = "[...document.querySelectorAll('.frame')].map(f => f.getBoundingClientRect().left)"
    assert len(set(page.value(boxes))) == 2
    press(page, " ")
    until(page, f"{front}[1] === 'hidden'")
    assert len(set(page.value(boxes))) == 1
    press(page, " ")
    until(page, f"{front}[0] === 'hidden'")
    press(page, "Escape")
    until(page, f"{front}.every(v => v === 'visible')")
    assert actions(made) == []


def test_the_test_is_sealed_until_a_score_opens_it(
    browser: Chromium, page: Chromium, made: Material, opened: Review
) -> None:
    assert page.value("document.querySelectorAll('.member img').length") == 1
    assert page.value("document.getElementById('sealed').hidden") is False
    press(page, "2")
    until(page, "document.querySelector('[data-do=drop]').disabled")
    opened.close()
    with sl.review(made.samples, made.findings, made.splits, decisions=made.study.decisions_path,
                   is_test_open=True) as again:  # fmt: skip
        browser.open(again.url)
        until(browser, LOADED)
        assert browser.value("document.querySelectorAll('.member img').length") == 2
        press(browser, "2", "d")
        until(browser, f"{COUNT} === '1 of 12 decided'")
    (d,) = read_decisions(made.study.decisions_path)
    assert d.key == "test/bright/000.jpg"


def test_a_server_that_is_gone_is_told_and_nothing_is_shown_as_decided(page: Chromium, made: Material,
                                                                       opened: Review) -> None:  # fmt: skip
    press(page, "k")
    until(page, f"{COUNT} === '1 of 12 decided' && {LOADED}")
    opened.close()
    press(page, "d")
    until(page, "!document.getElementById('problem').hidden")
    assert "The review has ended" in page.value("document.getElementById('problem').textContent")
    assert page.value(COUNT) == "1 of 12 decided"
    assert page.value(SHOWN) == "train/bright/001.jpg"
    assert actions(made) == ["keep"]


@pytest.fixture
def keep_pictures(tmp_path: Path) -> Callable[[str], Path]:
    """Where a picture of the page goes: into the folder that SIGHTLINE_SCREENSHOTS names, else away."""
    folder = Path(os.environ.get("SIGHTLINE_SCREENSHOTS", tmp_path))
    return lambda name: folder / f"{name}.png"


def test_pictures_fill_their_frames(page: Chromium, keep_pictures: Callable[[str], Path]) -> None:
    """Tiny images are enlarged with sharp edges, large ones fitted: both pictures of a pair have the same frame."""
    tiny = "document.querySelector('.member img').classList.contains('tiny')"
    assert page.value(tiny) is True
    page.screenshot(keep_pictures("pair"))
    boxes = """['.member .frame', '.member img'].map(s => document.querySelector(s).getBoundingClientRect())
      .map(b => [b.left, b.top, b.width, b.height].map(Math.round))"""
    frame, image = page.value(boxes)
    assert frame == image, "nothing is cut off: `object-fit` sees to the rest"
    assert frame[2] > 300
    assert frame[3] > 200
    press(page, "n")
    until(page, f"{SHOWN} === 'train/bright/001.jpg' && {LOADED}")
    assert page.value(tiny) is False
    press(page, "c", "c")
    until(page, f"{SHOWN} === 'train/dark/000.jpg' && {LOADED}")
    page.screenshot(keep_pictures("label"))
