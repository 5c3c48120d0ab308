"""What a person asks of a division, checked before any image is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import index
from pathlib import Path
from typing import Any

from sightline.errors import SplitError, did_you_mean

OFFICIAL, RANDOM, STRATIFIED, GROUP, TIME, HASH, DOMAIN = (
    "official", "random", "stratified", "group", "time", "hash", "domain"
)  # fmt: skip
FILE = "file"
METHODS = ("auto", OFFICIAL, RANDOM, STRATIFIED, GROUP, TIME, HASH, DOMAIN)
"""Values of `by`; the path of a CSV or Parquet file is one more."""

FILES = (".csv", ".parquet")

DRAWN = (RANDOM, STRATIFIED, GROUP, HASH)
"""Methods that a seed decides."""

DEFAULT_VAL = 0.1
DEFAULT_TEST = 0.2

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "min": 60, "s": 1}


@dataclass(frozen=True, kw_only=True)
class Request:
    """How samples are to be divided. Raises SplitError for options that contradict one another or have no effect."""

    by: str = "auto"
    """One of METHODS, or the path of a file that assigns samples (.csv or .parquet: `key` or `sample_id`, `split`).
    auto: official where the source has splits, else group where a group holds several samples, else stratified."""
    val: float | str | None = None
    """Share for choosing, of what is divided here (default 0.1); "official" keeps an official val for choosing."""
    test: float | None = None
    """Share to seal (default 0.2), where the method leaves a choice."""
    seed: int = 0
    group: Sequence[str] = ()
    """Kinds of groups that must not be parted; all of them when empty."""
    together: Iterable[tuple[bytes, bytes]] = ()
    """Pairs of sample ids that must not be parted either, such as near copies."""
    embargo: str | timedelta = ""
    """By time: at least this long between train and val and between val and test, such as "30d" (w, d, h, min, s)."""
    domain: str = ""
    """By domain: the kind of group that is the domain (each fold's test is one), or KIND=A,B for these as the test."""
    folds: int = 0
    """The test is one of so many folds."""
    repeats: int = 1
    """So many times all folds, each time drawn anew."""
    fold: int = 0
    """Which fold: 0 … folds × repeats - 1."""
    inner: int = 0
    """Val is one of so many folds of what is not test."""
    inner_fold: int = 0
    """Which of them: 0 … inner - 1."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", str(self.by))
        self._take("group", "a name or several", lambda v: (v,) if isinstance(v, str) else tuple(v))
        self._take("together", "pairs of sample ids (bytes)", lambda v: tuple((bytes(a), bytes(b)) for a, b in v))
        self._take("val", "a share such as 0.1, or 'official'", lambda v: v if v == OFFICIAL else _share(v))
        self._take("test", "a share such as 0.2", _share)
        for name in ("seed", "repeats", "folds", "fold", "inner", "inner_fold"):
            self._take(name, "a whole number", index)
        if isinstance(self.embargo, timedelta):
            object.__setattr__(self, "embargo", f"{self.embargo.total_seconds():f}".rstrip("0").rstrip(".") + "s")
        self._check_method()
        self._check_shares()
        self._check_folds()

    def _take(self, name: str, what: str, made: Callable[[Any], Any]) -> None:
        value = getattr(self, name)
        try:
            object.__setattr__(self, name, made(value))
        except (TypeError, ValueError):
            raise SplitError(f"{name} is {what}, got {value!r}.") from None

    def _check_method(self) -> None:
        if self.by not in METHODS and not self.is_file:
            raise SplitError(f"There is no split by {self.by!r}.{did_you_mean(self.by, METHODS)} A file of keys and "
                             "splits ends in .csv or .parquet.")  # fmt: skip
        if self.by == TIME and self.seed:
            raise SplitError(f"A split by time has no randomness; leave out seed {self.seed}.")
        if self.embargo and self.by != TIME:
            raise SplitError(f"An embargo ({self.embargo}) lies between times; it needs --by time, got by {self.by!r}.")
        if bool(self.domain) != (self.by == DOMAIN):
            raise SplitError(f"A split by domain names the kind of group that is the domain, got by {self.by!r} and "
                             f"domain {self.domain!r}. Say: --by domain --domain KIND")  # fmt: skip
        duration_us(str(self.embargo))

    def _check_shares(self) -> None:
        val, test = self.val_share, self.test_share
        if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
            raise SplitError(f"val and test are shares that leave some to train on, got val {val} and test {test}.")
        if self.test is not None and (self.is_file or self.by == DOMAIN):
            what = "the domain" if self.by == DOMAIN else "the file"
            raise SplitError(f"The test is what {what} says, so a share for it ({self.test}) has no effect. Leave it "
                             "out.")  # fmt: skip

    def _check_folds(self) -> None:
        if self.inner and self.val is not None:
            raise SplitError(f"With inner folds val is one of them; leave out val {self.val}.")
        _require_place("inner fold", self.inner_fold, self.inner, "inner")
        if self.repeats != 1 and not (self.repeats > 1 and self.folds and self.by in {"auto", *DRAWN}):
            raise SplitError(f"repeats draws the folds of random, stratified, group or hash again, got {self.repeats} "
                             f"with {self.folds} folds by {self.by!r}.")  # fmt: skip
        if self.by == DOMAIN and not self.folds:
            if self.fold and not self.is_every_domain:
                raise SplitError(f"The test is {self.domain!r}; leave out fold {self.fold}.")
            return  # as many folds as there are domains
        _require_place("fold", self.fold, self.folds * self.repeats if self.folds != 1 else 1, "folds")
        if self.folds and self.test is not None:
            raise SplitError(f"With folds the test is one of them; leave out test {self.test}.")
        if self.folds and (self.by == OFFICIAL or self.is_file):
            raise SplitError(f"Folds of the test are made by random, stratified, group, hash, time or domain, got by "
                             f"{self.by!r}. Folds of its train, for choosing: --inner {self.folds}")  # fmt: skip

    @property
    def is_file(self) -> bool:
        """Whether a file says where each sample goes."""
        return Path(self.by).suffix.lower() in FILES

    @property
    def is_every_domain(self) -> bool:
        """Whether each fold's test is one domain."""
        return self.by == DOMAIN and "=" not in self.domain

    @property
    def domain_kind(self) -> str:
        """The kind of group that is the domain; "" for other methods."""
        return self.domain.partition("=")[0].strip()

    @property
    def val_share(self) -> float:
        """The share of val where it is carved here."""
        return 0.0 if self.inner else float(self.val) if isinstance(self.val, int | float) else DEFAULT_VAL

    @property
    def test_share(self) -> float:
        """The share of test where it is carved here."""
        return DEFAULT_TEST if self.test is None else self.test


def request_of(request: Request | None, options: dict[str, object]) -> Request:
    """The request, or the one that the options make. Raises SplitError for an option that does not exist."""
    known = list(Request.__dataclass_fields__)
    for name in options:
        if name not in known:
            raise SplitError(f"split has no option {name!r}.{did_you_mean(name, known)}")
    if request is not None and not isinstance(request, Request):
        raise SplitError(f"split takes a Request, or its fields by name (by=…, val=…), got {type(request).__name__}.")
    if request is not None and options:
        raise SplitError(f"Give split a Request or options, not both: got {', '.join(options)} beside one.")
    return request if request is not None else Request(**options)  # type: ignore[arg-type]


def _share(value: Any) -> float | None:
    return None if value is None else float(value + 0.0)  # a sum: float() alone would take text


def _require_place(what: str, number: int, count: int, option: str) -> None:
    """Raises SplitError unless `number` is a place among `count`, or both are 0."""
    if count == 0 and number:
        raise SplitError(f"{what} {number} needs the number of folds: give {option} too, such as 5.")
    if count and not (count >= 2 and 0 <= number < count):
        raise SplitError(f"{option} is 2 or more and {what} one of 0 … {option} - 1, got {count} and {number}.")


def duration_us(text: str) -> int:
    """A duration such as "30d" in microseconds, 0 for "". Raises SplitError for another text."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(w|d|h|min|s)", text.strip())
    if found is None and text:
        raise SplitError(f"An embargo is a number and a unit (w, d, h, min or s), such as 30d, got {text!r}.")
    return round(float(found[1]) * _SECONDS[found[2]] * 1_000_000) if found else 0
