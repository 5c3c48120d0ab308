"""Progress of long work: one bar that redraws on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

REDRAW_S = 0.1
PLAIN_LINE_S = 15.0
QUIET_START_S = 0.5
"""Work shorter than this draws nothing."""


def track(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` while showing how many of `total` are done."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with progress(label, total or 0) as advance:
        for item in items:
            yield item
            advance(1)


def say(line: str) -> None:
    """Write one line to stderr that stays, also while a bar is drawn."""
    print(f"\r\x1b[K{line}" if sys.stderr.isatty() else line, file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[..., None]]:
    """A function `advance(n=1, note="")` that reports `n` more items of `total` done, with an optional short note."""
    bar = _Bar(label, total)
    try:
        yield bar.advance
    finally:
        bar.close()


class _Bar:
    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.done, self.note = label, total, 0, ""
        self.is_terminal = sys.stderr.isatty()
        self.start = time.monotonic()
        self.next_draw = self.start + (QUIET_START_S if self.is_terminal else PLAIN_LINE_S)
        self.was_drawn = False

    def advance(self, n: int = 1, note: str = "") -> None:
        self.done += n
        self.note = note or self.note
        now = time.monotonic()
        if now >= self.next_draw:
            self.next_draw = now + (REDRAW_S if self.is_terminal else PLAIN_LINE_S)
            self._draw(now)

    def _draw(self, now: float) -> None:
        rate = self.done / max(now - self.start, 1e-9)
        count = f"{self.done:,}/{self.total:,}" if self.total else f"{self.done:,}"
        left = f" {(self.total - self.done) / rate:.0f} s left" if self.total and rate > 0 else ""
        text = f"{self.label:<9} {count} · {rate:,.0f}/s{left}{' · ' + self.note if self.note else ''}"
        if self.is_terminal:
            share = self.done / self.total if self.total else 0.0
            filled = round(24 * min(share, 1.0))
            sys.stderr.write(f"\r\x1b[2K{'█' * filled}{'░' * (24 - filled)} {text}")
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()
        self.was_drawn = True

    def close(self) -> None:
        if self.was_drawn and self.is_terminal:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
