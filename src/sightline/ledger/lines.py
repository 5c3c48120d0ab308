"""The file of a ledger: lines of JSON, each with the digest of the line before, appended under a lock and synced."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from sightline.artifacts import sync_directory
from sightline.digests import canonical_json
from sightline.errors import LedgerError

VERSION = 2
"""Version of a line; a reader refuses a newer one. 2 has successions, which a reader of 1 would pass over."""

STATE = "SIGHTLINE_STATE"
"""Environment variable: the directory of the user's own log."""

START = hashlib.sha256(b"sightline ledger").hexdigest()
"""What the first line carries for the digest of the line before."""

Line = dict[str, Any]


def own_log() -> Path:
    """The user's own log of looks: $SIGHTLINE_STATE/looks.jsonl, by default ~/.local/state/sightline/looks.jsonl."""
    state = os.environ.get(STATE)
    return (Path(state) if state else Path.home() / ".local" / "state" / "sightline") / "looks.jsonl"


def lines_of(path: Path) -> list[Line]:
    """The lines of a ledger, their chain checked; none when the file does not exist."""
    try:
        return _parse(path.read_bytes(), path)[0]
    except FileNotFoundError:
        return []
    except OSError as e:
        raise LedgerError(f"{path} cannot be read ({e.strerror}), so looks cannot be counted. Fix permissions.") from e


def _parse(data: bytes, path: Path) -> tuple[list[Line], int]:
    """Lines, and how many bytes of the file they take: a last line that a kill cut short was never confirmed."""
    lines: list[Line] = []
    previous, size = START, 0
    *whole, tail = data.split(b"\n")
    for number, raw in enumerate([*whole, *([tail] if tail else [])], 1):
        is_tail = number > len(whole)
        line = _checked(raw, previous)
        if line is None and is_tail:
            break
        if line is None:
            raise LedgerError(f"{path}, line {number} does not follow from the line before: it was changed, moved, or "
                              "a line is missing. Looks cannot be counted; restore the file from a copy.")  # fmt: skip
        if line["version"] > VERSION:
            raise LedgerError(f"{path}, line {number} was written by a newer version of Sightline (format "
                              f"{line['version']}, this one reads {VERSION}). pip install -U sightline")  # fmt: skip
        lines.append(line)
        previous = line["digest"]
        size += len(raw) + (not is_tail)
    return lines, size


def _checked(raw: bytes, previous: str) -> Line | None:
    """The line, if it is whole and follows from the line with digest `previous`."""
    try:
        line = json.loads(raw)
        if line["previous"] == previous and line["digest"] == _digest(line):
            return dict(line)
    except (ValueError, KeyError, TypeError):
        pass
    return None


def _digest(line: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json({k: v for k, v in line.items() if k != "digest"}).encode()).hexdigest()


@dataclass
class Appender:
    """A ledger that is locked for this process; `append` returns when its line is on disk."""

    path: Path
    file: FileIO
    lines: list[Line]
    needs_newline: bool

    def append(self, body: Mapping[str, Any]) -> None:
        """Write a line; it is on disk when this returns."""
        line = {**body, "version": VERSION, "previous": self.lines[-1]["digest"] if self.lines else START}
        line["digest"] = _digest(line)
        rest = (b"\n" if self.needs_newline else b"") + canonical_json(line).encode() + b"\n"
        try:
            while rest:
                rest = rest[self.file.write(rest) :]
            os.fsync(self.file.fileno())
        except OSError as e:
            raise _unwritable(self.path, e) from e
        self.lines.append(line)
        self.needs_newline = False


@contextmanager
def appending(path: Path) -> Iterator[Appender]:
    """The ledger at `path`, locked against other processes. If the block fails, what it appended is taken back."""
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            f = stack.enter_context(FileIO(path, "a+"))  # unbuffered: a failed write leaves nothing to be written later
            fcntl.flock(f, fcntl.LOCK_EX)
            f.seek(0)
            data = f.readall()
            if not data:
                sync_directory(path.parent)
            lines, size = _parse(data, path)
            f.truncate(size)
        except OSError as e:
            raise _unwritable(path, e) from e
        try:
            yield Appender(path, f, lines, needs_newline=size > 0 and data[size - 1 : size] != b"\n")
        except BaseException:
            f.truncate(size)
            raise


def _unwritable(path: Path, error: OSError) -> LedgerError:
    hint = f" The user's own log can lie elsewhere: set {STATE} to a directory." if path == own_log() else ""
    return LedgerError(f"{path} cannot be written ({error.strerror or error}), so the test split stays sealed. Free "
                       f"space or fix permissions.{hint}")  # fmt: skip
