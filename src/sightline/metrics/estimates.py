"""A number with its interval and its n; how the intervals are made.

Shares of independent samples get Wilson's score interval (Wilson 1927). Everything else (means, calibration error,
and any metric where samples come in groups that stand or fall together) gets a bootstrap over independent units:
2,000 resamples with a fixed seed, so that the same predictions always give the same digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Z = 1.959963984540054
"""97.5 % quantile of the standard normal distribution: two-sided 95 % intervals."""

RESAMPLES = 2_000

SEED = 0

BLOCK = 4_000_000
"""Resampling counts held in memory at a time (32 MB, and three arrays of that size)."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    """Samples behind the value."""
    groups: int | None = None
    """Independent groups behind it, where groups hold more than one sample."""
    unit: str = "%"
    """`%` for a fraction in [0, 1], which is shown in per cent; `nat` for a log loss."""
    look: int | None = None
    """Which look at the test split gave it; None off the test split."""

    def __str__(self) -> str:
        if self.n == 0:
            return "no samples"
        if self.unit == "%":
            shown = f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"
        else:
            shown = f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
        groups = f" in {self.groups} groups" if self.groups is not None else ""
        look = f", look {self.look}" if self.look is not None else ""
        return f"{shown} n={self.n}{groups}{look}"

    def to_json(self) -> dict[str, Any]:
        """value, low, high, n, and groups where there are any; what is not finite is null."""
        numbers = {name: x if math.isfinite(x := getattr(self, name)) else None for name in ("value", "low", "high")}
        return {**numbers, "n": self.n, **({} if self.groups is None else {"groups": self.groups})}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, unit: str = "%", look: int | None = None) -> Estimate:
        """The estimate that `to_json` wrote."""
        absent = {"value": math.nan, "low": -math.inf, "high": math.inf}
        numbers = {name: missing if value[name] is None else value[name] for name, missing in absent.items()}
        return cls(**numbers, n=value["n"], groups=value.get("groups"), unit=unit, look=look)


def wilson(successes: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, within [0, 1]. `successes` may be fractional (credit for ties)."""
    p, z2 = successes / n, Z * Z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # The bounds of 0 and n successes are 0 and 1 exactly; floating point misses them by 1e-17.
    return (0.0 if successes == 0 else max(0.0, centre - half)), (1.0 if successes == n else min(1.0, centre + half))


def units_of(n: int, groups: Sequence[Any] | None) -> tuple[Array, int | None]:
    """The independent unit (int64) of each of `n` samples and, where one holds several samples, how many there are."""
    if groups is None:
        return np.arange(n), None
    _, units = np.unique(np.asarray([str(g) for g in groups]), return_inverse=True)
    count = int(units.max()) + 1 if n else 0
    return (np.arange(n), None) if count == n else (units.astype(np.int64), count)


def bootstrap(sums: Array, value: Callable[[Array], Array], units: Array) -> Array:
    """Values of a metric over 2,000 resamples of the independent units, float64.

    A metric is a function of sums over samples: `sums` (n, d) holds each sample's terms, `value` maps totals (r, d)
    to metrics (r,).
    """
    count = int(units.max()) + 1
    per_unit = np.stack([np.bincount(units, column, count) for column in sums.T], axis=1)
    rng = np.random.default_rng(SEED)
    rows = max(1, BLOCK // count)
    out = []
    for start in range(0, RESAMPLES, rows):
        size = min(rows, RESAMPLES - start)
        drawn = rng.integers(0, count, (size, count))
        drawn += (np.arange(size) * count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        out.append(value(times.astype(np.float64) @ per_unit))
    return np.concatenate(out)


def percentiles(values: Array) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles."""
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def share(credit: Array, groups: Sequence[Any] | None = None) -> Estimate:
    """The mean of per-sample credits in [0, 1]: Wilson, or bootstrap over groups where a group holds several samples.

    Without samples the value is NaN and the interval [0, 1]. Where every group has the same mean the bootstrap sees
    no spread (all right in five groups would give [100, 100]); then it is Wilson's with one observation a group.
    """
    n = len(credit)
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, 0)
    units, count = units_of(n, groups)
    total = float(credit.sum())
    if count is None:
        return Estimate(total / n, *wilson(total, n), n)
    sums = np.stack([credit, np.ones(n)], axis=1)
    low, high = percentiles(bootstrap(sums, lambda t: t[:, 0] / t[:, 1], units))
    if high - low < 1e-12:
        low, high = wilson(total / n * count, count)
    return Estimate(total / n, low, high, n, count)
