"""The ledger: every look at a test split, written down before it happens.

A look is one opening of the sealed split for a set of checkpoints. Its line is on disk, in the study's ledger and in a
log of the user's own, before any id is handed out, so a look that crashes still counts, and deleting a study does not
reset the count. A review that corrects the samples writes which test succeeds which, so that correcting a test does
not reset it either. Each line carries the digest of the line before: a changed, moved or missing line shows. This
protects against accident, not against malice: who deletes both files and writes new ones is not found out.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sightline.digests import plain
from sightline.errors import LedgerError
from sightline.ledger.lines import STATE, appending, lines_of, own_log
from sightline.ledger.looks import Look, corrections_of, looks_in, next_number
from sightline.splits import SealedSplit

__all__ = ["STATE", "Ledger", "Look", "own_log"]


@dataclass(frozen=True)
class Ledger:
    """The looks of a study, united with the user's own log."""

    path: Path
    """The study's ledger.jsonl; made by the first line."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    def looks(self, test: SealedSplit | str | None = None) -> tuple[Look, ...]:
        """Looks at a test, or at the test content with this fingerprint (None: at any), here and in the user's log,
        oldest first. Looks at what a review made of a test, or made it of, are among them.

        Raises LedgerError when a line of either was changed.
        """
        return looks_in([*lines_of(own_log()), *lines_of(self.path)], test)

    def verify(self) -> int:
        """Number of lines in the study's ledger, after checking its chain and that of the user's log.

        Raises LedgerError naming the first line that does not follow from the one before.
        """
        lines_of(own_log())
        return len(lines_of(self.path))

    def require(self, sealed: SealedSplit, note: str | None) -> int:
        """Number that the next look would have; nothing is written. Raises LedgerError when it lacks a note."""
        return next_number(sealed, self.looks(sealed), note)

    def open(
        self, sealed: SealedSplit, *, checkpoints: Sequence[str], verb: str = "evaluate", note: str | None = None
    ) -> tuple[Look, tuple[bytes, ...]]:
        """The look, and the ids of the test split in the samples' order; the line is on disk before they are out.

        Raises LedgerError when a reason is missing, when a line was changed, or when the line cannot be written.
        """
        if not checkpoints:
            raise LedgerError("A look is made for at least one checkpoint, got none. Name what is to be scored.")
        with appending(self.path) as study, appending(own_log()) as own:
            lines = [*own.lines, *study.lines]
            number = next_number(sealed, looks_in(lines, sealed), note)
            fold = sealed.fold
            look = Look(
                number, _now(), sealed.fingerprint, sealed.n, verb, (note or "").strip() or verb, tuple(checkpoints),
                (fold.number, fold.of) if fold else None, fold.plan if fold else None, secrets.token_hex(8),
                sealed.samples, corrections_of(lines, sealed.samples),
            )  # fmt: skip
            line = {"kind": "look", **look.to_json(), "split_digest": sealed.digest}
            del line["result"]
            study.append(line)
            own.append(line)
        return look, sealed._ids

    def record(self, look: Look, result: Mapping[str, Any]) -> None:
        """Write down what came of a look: JSON values, `top1` among them where it was measured (one, or a list)."""
        self._append({"kind": "result", "of": look.id, "time": _now(), "result": plain(dict(result))})

    def succeed(
        self, former: str, samples: str, *, test: SealedSplit | None, corrected: Mapping[str, int]
    ) -> None:
        """Write down that a review made the table with digest `samples` of the one with digest `former`.

        Looks at the `test` of the former (None: at those tests of it that were looked at) count for every test of the
        new one. `corrected` says how many samples of the test were `dropped` and `relabelled`.
        """
        looks = [look for look in self.looks() if look.samples == former]
        tests = [test.fingerprint] if test is not None else sorted({look.fingerprint for look in looks})
        self._append({"kind": "succession", "time": _now(), "former": former, "samples": samples,
                      "fingerprints": tests, "corrected": dict(corrected)})  # fmt: skip

    def _append(self, line: Mapping[str, Any]) -> None:
        with appending(self.path) as study, appending(own_log()) as own:
            study.append(line)
            own.append(line)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
