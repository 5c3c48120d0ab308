"""The ledger: every look at a test split, written down before it happens.

A look is one opening of the sealed split for a set of checkpoints. Its line is on disk, in the study's ledger and in a
log of the user's own, before any id is handed out, so a look that crashes still counts, and deleting a study does not
reset the count. Each line carries the digest of the line before: a changed, moved or missing line shows. This protects
against accident, not against malice: who deletes both files and writes new ones is not found out.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

from sightline.digests import canonical_json, plain
from sightline.errors import LedgerError
from sightline.splits import SealedSplit

VERSION = 1
"""Version of a line; a reader refuses a newer one."""

STATE = "SIGHTLINE_STATE"
"""Environment variable: the directory of the user's own log."""

START = hashlib.sha256(b"sightline ledger").hexdigest()
"""What the first line carries for the digest of the line before."""

TOLD = 3
"""Earlier looks told in a refusal."""

Line = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """One opening of a test split."""

    number: int
    """1 is the first. The folds of one cross-validation share a number."""
    time: str
    """ISO 8601, UTC."""
    fingerprint: str
    """Of the content of the test split."""
    n: int
    verb: str
    note: str
    """Why; for the first look the verb, where nothing else was said."""
    checkpoints: tuple[str, ...]
    """Digests or names of what was to be scored."""
    fold: tuple[int, int] | None = None
    """Fold number and number of folds."""
    plan: str | None = None
    """Digest of how the folds were made."""
    id: str = ""
    result: Mapping[str, Any] | None = field(default=None, compare=False)
    """What came of it; None when it was interrupted."""

    def __str__(self) -> str:
        when = datetime.fromisoformat(self.time).strftime("%Y-%m-%d %H:%M")
        fold = f', fold {self.fold[0]} of {self.fold[1]}' if self.fold else ""
        return f'look {self.number}: {when}, "{self.note}"{fold}, {_said(self.result)}'

    def to_json(self) -> dict[str, Any]:
        """The look as JSON types."""
        return {k: v for k, v in plain(self).items() if k != "type"}


def _said(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "no result"
    top1 = result.get("top1")
    values = top1 if isinstance(top1, Sequence) and not isinstance(top1, str) else [top1]
    numbers = [v["value"] if isinstance(v, Mapping) else v for v in values]
    shown = [f"{100 * v:.1f} %" for v in numbers if isinstance(v, int | float)]
    return f"top-1 {', '.join(shown)}" if shown else "result recorded"


@dataclass(frozen=True)
class Ledger:
    """The looks of a study, united with the user's own log."""

    path: Path
    """The study's ledger.jsonl; made by the first look."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    def looks(self, fingerprint: str | None = None) -> tuple[Look, ...]:
        """Looks at the test content with this fingerprint (None: at any), here and in the user's log, oldest first.

        Raises LedgerError when a line of either was changed.
        """
        return _looks([*_lines(own_log()), *_lines(self.path)], fingerprint)

    def verify(self) -> int:
        """Number of lines in the study's ledger, after checking its chain and that of the user's log.

        Raises LedgerError naming the first line that does not follow from the one before.
        """
        _lines(own_log())
        return len(_lines(self.path))

    def require(self, sealed: SealedSplit, note: str | None) -> int:
        """Number that the next look would have; nothing is written. Raises LedgerError when it lacks a note."""
        return _next_number(sealed, self.looks(sealed.fingerprint), note)

    def open(
        self, sealed: SealedSplit, *, checkpoints: Sequence[str], verb: str = "evaluate", note: str | None = None
    ) -> tuple[Look, tuple[bytes, ...]]:
        """The look, and the ids of the test split in the samples' order; the line is on disk before they are out.

        Raises LedgerError when a reason is missing, when a line was changed, or when the line cannot be written.
        """
        if not checkpoints:
            raise LedgerError("A look is made for at least one checkpoint, got none. Name what is to be scored.")
        with _appending(self.path) as study, _appending(own_log()) as own:
            looks = _looks([*own.lines, *study.lines], sealed.fingerprint)
            number = _next_number(sealed, looks, note)
            fold = sealed.fold
            look = Look(
                number, datetime.now(UTC).isoformat(timespec="seconds"), sealed.fingerprint, sealed.n, verb,
                (note or "").strip() or verb, tuple(checkpoints),
                (fold.number, fold.of) if fold else None, fold.plan if fold else None, secrets.token_hex(8),
            )  # fmt: skip
            line = {"kind": "look", **look.to_json(), "split_digest": sealed.digest}
            del line["result"]
            study.append(line)
            own.append(line)
        return look, sealed._ids

    def record(self, look: Look, result: Mapping[str, Any]) -> None:
        """Write down what came of a look: JSON values, `top1` among them where it was measured (one, or a list)."""
        line = {"kind": "result", "of": look.id, "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "result": plain(dict(result))}  # fmt: skip
        with _appending(self.path) as study, _appending(own_log()) as own:
            study.append(line)
            own.append(line)


def own_log() -> Path:
    """The user's own log of looks: $SIGHTLINE_STATE/looks.jsonl, by default ~/.local/state/sightline/looks.jsonl."""
    state = os.environ.get(STATE)
    return (Path(state) if state else Path.home() / ".local" / "state" / "sightline") / "looks.jsonl"


def _next_number(sealed: SealedSplit, looks: Sequence[Look], note: str | None) -> int:
    """The number of the next look; for a fold that the latest look has not opened yet, that look's number."""
    latest = max((look.number for look in looks), default=0)
    if sealed.fold is not None and looks:
        same = [look for look in looks if look.number == latest]
        opened = {look.fold[0] for look in same if look.fold}
        if {look.plan for look in same} == {sealed.fold.plan} and sealed.fold.number not in opened:
            return latest
    if latest and not (note or "").strip():
        told = "; ".join(str(look) for look in looks[-TOLD:])
        more = f"; {len(looks) - TOLD} more before" if len(looks) > TOLD else ""
        raise LedgerError(f"this would be look {latest + 1} at the test split ({told}{more}).\n"
                          '  Say why it is needed: --note "…". Every later number will carry it.')  # fmt: skip
    return latest + 1


def _looks(lines: Sequence[Line], fingerprint: str | None) -> tuple[Look, ...]:
    """Looks in the order of their time, numbered anew: a line that is in both files counts once, and two looks that
    were made apart under one number, in copies of a study, count as two."""
    results = {line["of"]: line["result"] for line in lines if line["kind"] == "result"}
    opened = {line["id"]: line for line in lines if line["kind"] == "look"}
    chosen = sorted((o for o in opened.values() if fingerprint in {None, o["fingerprint"]}), key=lambda o: o["time"])
    seen: dict[str, list[tuple[int, str]]] = {}
    looks = []
    for o in chosen:
        # The folds of a plan share their number; any other look is one of its own.
        known, one = seen.setdefault(o["fingerprint"], []), (o["number"], o["plan"] or o["id"])
        known += [] if one in known else [one]
        fold = tuple(o["fold"]) if o["fold"] else None
        looks.append(
            Look(known.index(one) + 1, o["time"], o["fingerprint"], o["n"], o["verb"], o["note"],
                 tuple(o["checkpoints"]), fold, o["plan"], o["id"], results.get(o["id"]))
        )  # fmt: skip
    return tuple(looks)


def _lines(path: Path) -> list[Line]:
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
class _Appender:
    """A ledger that is locked for this process; `append` returns when its line is on disk."""

    path: Path
    file: FileIO
    lines: list[Line]
    needs_newline: bool

    def append(self, body: Mapping[str, Any]) -> None:
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
def _appending(path: Path) -> Iterator[_Appender]:
    """The ledger at `path`, locked against other processes. If the block fails, what it appended is taken back."""
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            f = stack.enter_context(FileIO(path, "a+"))  # unbuffered: a failed write leaves nothing to be written later
            fcntl.flock(f, fcntl.LOCK_EX)
            f.seek(0)
            data = f.readall()
            if not data:
                _sync_directory(path.parent)
            lines, size = _parse(data, path)
            f.truncate(size)
        except OSError as e:
            raise _unwritable(path, e) from e
        try:
            yield _Appender(path, f, lines, needs_newline=size > 0 and data[size - 1 : size] != b"\n")
        except BaseException:
            f.truncate(size)
            raise


def _unwritable(path: Path, error: OSError) -> LedgerError:
    hint = f" The user's own log can lie elsewhere: set {STATE} to a directory." if path == own_log() else ""
    return LedgerError(f"{path} cannot be written ({error.strerror or error}), so the test split stays sealed. Free "
                       f"space or fix permissions.{hint}")  # fmt: skip


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
