"""The checklist before training, as a value: what was looked at, whether it is right, and what to do if not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

Level = Literal["pass", "warn", "fail"]

MARKS: Mapping[Level, str] = {"pass": "ok  ", "warn": "warn", "fail": "FAIL"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the checklist."""

    name: str
    level: Level
    message: str
    """What was found."""
    todo: str = ""
    """What to do about it; given with every warning and failure."""

    def __post_init__(self) -> None:
        if self.level != "pass" and not self.todo:
            raise ValueError(f"check {self.name!r} says {self.level} but not what to do")

    def __str__(self) -> str:
        return f"{MARKS[self.level]} {self.name:<15} {self.message}{' → ' + self.todo if self.todo else ''}"


@dataclass(frozen=True)
class Checklist:
    """All lines in their order, and the estimate of what the training will take."""

    checks: tuple[Check, ...]
    estimate: Mapping[str, float | int | str] = field(default_factory=dict)
    """`training_min`, `memory_mib`, `images_per_s` and what they were measured on; empty when nothing was timed."""

    @property
    def is_good(self) -> bool:
        """Whether nothing fails; warnings are advice."""
        return not any(c.level == "fail" for c in self.checks)

    @property
    def summary(self) -> str:
        """How many lines pass, and what the others are about."""
        passed = sum(c.level == "pass" for c in self.checks)
        rest = "".join(f" · {c.level}: {c.name}" for c in self.checks if c.level != "pass")
        return f"{passed} of {len(self.checks)} pass{rest}"

    def __str__(self) -> str:
        return "\n".join([*map(str, self.checks), *self._estimate_line()])

    def _estimate_line(self) -> list[str]:
        values = {k.replace("_", " "): f"{v:g}" if isinstance(v, float) else str(v) for k, v in self.estimate.items()}
        shown = [f"{name} {value}" for name, value in values.items()]
        return [f"     {'estimate':<15} {' · '.join(shown)}"] if shown else []

    def _repr_html_(self) -> str:
        cells = ((c.level, escape(c.name), escape(c.message), escape(c.todo)) for c in self.checks)
        rows = "".join(f"<tr><td>{'<td>'.join(row)}</tr>" for row in cells)
        return f"<p>{escape(self.summary)}</p><table>{rows}</table>" + "".join(
            f"<p>{escape(line)}</p>" for line in self._estimate_line()
        )

    def to_json(self) -> dict[str, Any]:
        """`checks` in order, `estimate` and `is_good`."""
        return {"checks": [asdict(c) for c in self.checks], "estimate": dict(self.estimate), "is_good": self.is_good}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Checklist:
        """The checklist that `to_json` wrote."""
        return cls(tuple(Check(**c) for c in value["checks"]), value["estimate"])

    def to_pandas(self) -> pd.DataFrame:
        """One row a check: name, level, message, todo."""
        import pandas as pd

        return pd.DataFrame([asdict(c) for c in self.checks], columns=["name", "level", "message", "todo"])
