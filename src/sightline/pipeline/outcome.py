"""What a verb did: a line for people, facts for programs, the artifact it wrote."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightline.digests import short


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one verb."""

    verb: str
    summary: str
    """One line without the verb's name."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What a program wants to know, as JSON types."""
    wrote: Path | None = None
    digest: str | None = None
    """Digest of what was written, hex."""
    details: tuple[str, ...] = ()
    """Further lines for people who asked for this verb alone."""
    is_whole: bool = False
    """True where the summary is all there is to print: the headline of `run`, a card."""
    is_good: bool = True
    """False where the verb did its work and the answer is that something must be done first."""

    def __str__(self) -> str:
        return f"{self.verb:<9} {self.summary}"

    def lines(self) -> list[str]:
        """What the command prints; the last line names what was written and its digest."""
        if self.is_whole:
            return [self.summary]
        written = [f"wrote {self.wrote} · {short(self.digest or '')}"] if self.wrote is not None else []
        return [str(self), *self.details, *written]

    def to_json(self) -> dict[str, Any]:
        """The facts, with the path and the digest of what was written."""
        written = {} if self.wrote is None else {"wrote": str(self.wrote), "digest": self.digest}
        return {**self.facts, **written}
