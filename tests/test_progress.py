"""Progress goes to stderr: a bar on a terminal, plain lines elsewhere, nothing for short work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sightline import progress as module
from sightline.progress import progress, track


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def work(clock: Clock, seconds: float, steps: int = 10) -> None:
    with progress("read", steps) as advance:
        for _ in range(steps):
            clock.now += seconds / steps
            advance(1, note="loss 0.1")


def test_short_work_is_silent(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    work(clock, 0.3)
    assert capsys.readouterr() == ("", "")


def test_plain_lines_without_a_terminal(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    work(clock, 40)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["read      4/10 · 0/s 24 s left · loss 0.1", "read      8/10 · 0/s 8 s left · loss 0.1"]


def test_a_bar_on_a_terminal_is_wiped_at_the_end(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    work(clock, 5)
    err = capsys.readouterr().err
    assert "█" in err
    assert "10/10" in err
    assert err.endswith("\r\x1b[2K")


def test_the_bar_is_wiped_when_the_work_fails(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    def fails() -> Iterator[int]:
        clock.now += 2
        yield 0
        raise RuntimeError

    with pytest.raises(RuntimeError):
        list(track(fails(), "read", 3))
    assert capsys.readouterr().err.endswith("\r\x1b[2K")


def test_an_unknown_total(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    def items() -> Iterator[int]:
        for i in range(3):
            clock.now += 10
            yield i

    assert list(track(items(), "list")) == [0, 1, 2]
    # The first item is done after 10 s, too early for a line; the second after 20 s.
    assert capsys.readouterr().err == "list      2 · 0/s\n"


def test_track_yields_what_it_was_given() -> None:
    assert list(track("abc", "letters")) == ["a", "b", "c"]
