"""Numbers in words: fractions become % here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sightline.samples import Classes

MISSING = "–"
_NARROW = "\u202f"  # narrow no-break space: a number and its unit stay on one line


def percent(fraction: float | None, digits: int = 1) -> str:
    """A fraction as "97.8 %"; a dash for None."""
    return MISSING if fraction is None else f"{100 * fraction:.{digits}f}{_NARROW}%"


def interval(estimate: Any, digits: int = 1) -> str:
    """The interval of an `Estimate` of a fraction as "95.7 – 98.9 %"."""
    return f"{100 * estimate.low:.{digits}f} – {100 * estimate.high:.{digits}f}{_NARROW}%"


def sample_size(estimate: Any) -> str:
    """The n of an `Estimate`, with its groups where the interval was drawn over groups."""
    groups = getattr(estimate, "groups", None)
    return f"n = {estimate.n:,}" + (f" in {groups:,} groups" if groups else "")


def plural(n: int, noun: str, nouns: str | None = None) -> str:
    """ "1 image", "1,797 images"; `nouns` where the plural is not made with an s."""
    return f"{n:,} {noun if n == 1 else nouns or noun + 's'}"


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def duration(seconds: float | None) -> str:
    """ "41 s", "3 min 20 s", "2 h 5 min"; a dash for None."""
    if seconds is None:
        return MISSING
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def number(value: float | None) -> str:
    """Four significant digits."""
    if value is None:
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def nats(value: float) -> str:
    """A log-likelihood to three decimals, as an `Estimate` shows it."""
    return f"{value:.3f}"


def shortened(text: str, length: int) -> str:
    """`text` cut to `length` characters, the last an ellipsis where something was cut."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def class_names(classes: Classes) -> list[str]:
    """What to call each class: its name where no other class has it, else name and native id."""
    if len(set(classes.names)) == len(classes):
        return list(classes.names)
    return [classes.title(i) for i in range(len(classes))]
