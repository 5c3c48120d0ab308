"""Decisions of a review: one line of a CSV file each, on disk before the page shows them as made."""

from __future__ import annotations

import csv
import fcntl
import io
import os
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, fields
from io import FileIO
from pathlib import Path
from typing import Self

from sightline.artifacts import sync_directory
from sightline.errors import DataError

KEEP, DROP, RELABEL, MERGE, UNDO = "keep", "drop", "relabel", "merge-group", "undo"

ACTIONS = (KEEP, DROP, RELABEL, MERGE)
"""What a person can say to a finding; `undo` takes back what was said to it last."""

MAX_TEXT = 2000
"""Characters of a reason, and of a key as the file shows it."""

_FORMULA = ("=", "+", "-", "@", "\t")
"""A cell that begins like this is computed by spreadsheets: a file's name may not become a formula."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One line of decisions.csv; the fields are its columns."""

    time: str
    """ISO 8601, UTC."""
    table: str
    """The first digits of the digest of the sample table that was looked at."""
    check: str
    sample_id: bytes | None
    """The sample that the action is about; None for a finding about a class or a column."""
    related_id: bytes | None
    """The other sample of a pair."""
    key: str
    """The source's own name of the sample, or the name of the class or column; for people, see `shown`."""
    action: str
    value: str = ""
    """The native id of the new class, of a relabelled sample."""
    who: str = ""
    why: str = ""

    @property
    def about(self) -> Hashable:
        """What tells findings apart: the check with the sample, the unordered pair, or the name."""
        return finding_of(self.check, self.sample_id, self.related_id, self.key)

    def line(self) -> bytes:
        """The line of the file."""
        return _row(_text(getattr(self, name)) for name in COLUMNS)


COLUMNS = tuple(f.name for f in fields(Decision))


def finding_of(check: str, sample_id: bytes | None, related_id: bytes | None, subject: str) -> Hashable:
    """What tells findings apart: the check with the sample, the unordered pair, or the name of the subject."""
    ids = frozenset(i for i in (sample_id, related_id) if i is not None)
    return (check, ids or shown(subject))


def shown(text: str) -> str:
    """A text as a cell: on one line, not too long, and no formula."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return (f"'{line}" if line.startswith(_FORMULA) else line)[:MAX_TEXT]


def live(decisions: Iterable[Decision]) -> list[Decision]:
    """The decisions that were not taken back, oldest first."""
    said: list[Decision] = []
    for decision in decisions:
        if decision.action != UNDO:
            said.append(decision)
            continue
        last = next((i for i in reversed(range(len(said))) if said[i].about == decision.about), None)
        if last is not None:
            del said[last]
    return said


def standing(decisions: Iterable[Decision]) -> dict[Hashable, Decision]:
    """The decision that holds for each finding: the last one that was not taken back."""
    return {decision.about: decision for decision in live(decisions)}


def read_decisions(path: Path) -> tuple[Decision, ...]:
    """The decisions in a file, the undone ones and the undoing among them; none where there is no file.

    A last line that was cut short was never confirmed and is left out. Raises DataError, naming the line, for a file
    that is no table of decisions.
    """
    try:
        return tuple(_parse(path.read_bytes(), path)[0])
    except FileNotFoundError:
        return ()
    except OSError as e:
        raise DataError(f"{path} cannot be read: {e.strerror or e}. Fix permissions.") from e


class Journal:
    """decisions.csv, open for one process alone: each appended decision is on disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        """Open the file, or begin it. Raises DataError when another process has it open, or it cannot be written."""
        self.path = path
        try:
            self._file = FileIO(path, "a+")  # unbuffered: a failed write leaves nothing to be written later
        except OSError as e:
            raise self._unwritable(e) from e
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file.seek(0)
            data = self._file.readall()
            self._decisions, size = _parse(data, path)
            self._file.truncate(size)
        except BlockingIOError:
            self._file.close()
            raise DataError(f"Another review has {path} open. Go on there, or end it (Ctrl-C) first.") from None
        except OSError as e:
            self._file.close()
            raise self._unwritable(e) from e
        except BaseException:
            self._file.close()
            raise
        self._prefix = b"" if data[:size].endswith(b"\n") else b"\n" if size else _row(COLUMNS)

    @property
    def decisions(self) -> Sequence[Decision]:
        """All lines, oldest first."""
        return self._decisions

    def append(self, decision: Decision) -> None:
        """Write a decision down; it is on disk when this returns. Raises DataError when no part of it is."""
        size = os.fstat(self._file.fileno()).st_size
        try:
            rest = self._prefix + decision.line()
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
            if not size:
                sync_directory(self.path.parent)
        except OSError as e:
            self._file.truncate(size)
            raise self._unwritable(e) from e
        self._prefix = b""
        self._decisions.append(decision)

    def close(self) -> None:
        """Close the file; one without a decision is removed."""
        if not self._file.closed:
            if not os.fstat(self._file.fileno()).st_size:
                self.path.unlink(missing_ok=True)
            self._file.close()

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(f"{self.path} cannot be written ({error.strerror or error}), so no decision would last. Free "
                         "space or fix permissions.")  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _text(value: str | bytes | None) -> str:
    return value.hex() if isinstance(value, bytes) else value or ""


def _row(cells: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def _parse(data: bytes, path: Path) -> tuple[list[Decision], int]:
    """Decisions, and how many bytes of the file they take: all but a last line that was cut short."""
    end = data.rfind(b"\n") + 1
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig", "replace"))))
    except csv.Error as e:
        raise DataError(f"{path} is no table of decisions ({e}). Restore it, or move it away.") from None
    # Without its end a line is either cut short, or was saved by an editor that leaves out the last line break.
    is_torn = end < len(data) and bool(rows) and len(rows[-1]) < len(COLUMNS)
    size = end if is_torn else len(data)
    rows = rows[:-1] if is_torn else rows
    if rows and sorted(rows[0]) != sorted(COLUMNS):
        raise DataError(f"{path} has the columns {rows[0]}; wanted {', '.join(COLUMNS)}. Restore it, or move it away "
                        "and review anew.")  # fmt: skip
    return [_decision(dict(zip(rows[0], row, strict=False)), path, n) for n, row in enumerate(rows[1:], 2) if row], size


def _decision(cells: dict[str, str], path: Path, number: int) -> Decision:
    try:
        ids = {name: bytes.fromhex(cells[name]) or None for name in ("sample_id", "related_id")}
        decision = Decision(**{name: cells[name] for name in COLUMNS if name not in ids}, **ids)  # type: ignore[arg-type]
        if {len(i) for i in ids.values() if i is not None} <= {16} and decision.action in (*ACTIONS, UNDO):
            return decision
    except (KeyError, ValueError):
        pass
    raise DataError(f"{path}, line {number} is no decision: an id has 32 hex digits, an action is one of "
                    f"{', '.join((*ACTIONS, UNDO))}. Did a spreadsheet change it? Restore the line, or delete it.")
