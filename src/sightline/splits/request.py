"""What a person asks of a division, checked before any image is read."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.errors import SplitError, did_you_mean

METHODS = ("auto", "official", "stratified", "group", "time", "hash")

DEFAULT_VAL = 0.1
DEFAULT_TEST = 0.2

OFFICIAL = "official"


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments of `split`."""

    by: str
    val: float | str | None
    """Share for choosing, "official", or None for the default."""
    test: float | None
    seed: int
    group: tuple[str, ...]
    """Kinds of groups that must not be parted; all of them when empty."""
    folds: int
    fold: int

    def __post_init__(self) -> None:
        if self.by not in METHODS:
            raise SplitError(f"There is no split by {self.by!r}.{did_you_mean(self.by, METHODS)}")
        if isinstance(self.val, str) and self.val != OFFICIAL:
            raise SplitError(f"val is a share such as 0.1, or 'official', got {self.val!r}.")
        val, test = self.val_share, self.test_share
        if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
            raise SplitError(f"val and test are shares that leave some to train on, got val {val} and test {test}.")
        if self.by == "time" and self.seed:
            raise SplitError(f"A split by time has no randomness; leave out seed {self.seed}.")
        self._check_folds()

    def _check_folds(self) -> None:
        if not self.folds:
            if self.fold:
                raise SplitError(f"fold {self.fold} needs the number of folds: give folds too, such as 5.")
            return
        if not (self.folds >= 2 and 0 <= self.fold < self.folds):
            raise SplitError(f"folds is 2 or more and fold one of 0 … folds - 1, got {self.folds} and {self.fold}.")
        if self.test is not None:
            raise SplitError(f"With folds the test is one of them; leave out test {self.test}.")
        if self.by in {OFFICIAL, "time"}:
            raise SplitError(f"Folds are made by stratified, group or hash, got by {self.by!r}.")

    @property
    def val_share(self) -> float:
        """The share of val where it is carved here."""
        return self.val if isinstance(self.val, int | float) else DEFAULT_VAL

    @property
    def test_share(self) -> float:
        """The share of test where it is carved here."""
        return DEFAULT_TEST if self.test is None else self.test
