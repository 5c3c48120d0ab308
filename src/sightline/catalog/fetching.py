"""Downloads of files that publishers serve openly: resumed, checked, and in their place only when they are whole."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from sightline.artifacts import read_json, write_json
from sightline.catalog.card import Card, PublishedFile
from sightline.errors import DataError, did_you_mean
from sightline.progress import progress

CHUNK = 1 << 20
TIMEOUT_S = 60
ATTEMPTS = 4
"""A connection that breaks is taken up again this many times in all before a person is asked."""
MAX_REDIRECTS = 5
WAIT_S = 1.0


@dataclass(frozen=True)
class Fetched:
    """Files of a dataset in their folder."""

    folder: Path
    files: tuple[Path, ...]
    num_bytes: int
    """How many were transferred; 0 where everything was there."""
    left: tuple[str, ...]
    """Names of files that nobody serves openly."""


def fetch(card: Card, folder: str | os.PathLike[str] | None = None, *, form: str | None = None) -> Fetched:
    """The files of a dataset that are openly served, downloaded into a folder (by default ./data/NAME).

    `form` chooses one of several equal forms; else it is the first. A broken download goes on where it stopped, a file
    that is there already is checked and kept, and nothing takes its name before its checksum is right. Raises
    DataError where a file is gated, gone, larger than it should be or different from what was published.
    """
    wanted = _wanted(card, form)
    served = [file for file in wanted if file.address]
    if not served:
        what = card.gate or f"See {card.homepage}."
        raise DataError(f"No file of {card.title} can be fetched without you ({card.access}). {what}")
    target = Path(folder) if folder is not None else Path("data") / card.place
    moved = sum(_file(file, _place(target, file.name), card) for file in served)
    left = tuple(file.name for file in wanted if not file.address)
    return Fetched(target, tuple(target / file.name for file in served), moved, left)


def _wanted(card: Card, form: str | None) -> list[PublishedFile]:
    forms = list(dict.fromkeys(file.form for file in card.files if file.form))
    if form is not None and form not in forms:
        if not forms:
            raise DataError(f"{card.title} is published in one form only; leave the form out.")
        raise DataError(f"{card.title} has no form {form!r}.{did_you_mean(form, forms)}")
    chosen = form if form is not None else forms[0] if forms else ""
    return [file for file in card.files if file.form in ("", chosen)]


def _place(folder: Path, name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DataError(f"The card names a file {name!r} outside its folder.")
    return folder / path


def _file(file: PublishedFile, place: Path, card: Card) -> int:
    """Number of bytes that were transferred to have a file at its place."""
    kind, wanted = ("sha256", file.sha256) if file.sha256 else ("md5", file.md5)
    if place.is_dir():
        raise DataError(f"{place} is a folder, and a file of that name was to be fetched. Give another folder.")
    if place.exists():
        if _digest(place, kind) == wanted:
            return 0
        raise DataError(f"{place} is there, but it is not what {card.title} publishes ({kind} differs). Move it away, "
                        "then fetch again.")  # fmt: skip
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise DataError(f"{place.parent} cannot be a folder: a file is in its way. Give another folder.") from None
    part = place.with_name(f".{place.name}.part")
    _Transfer(file, part).run()
    moved = part.stat().st_size
    got = _digest(part, kind)
    if got != wanted:
        part.unlink()
        _forget(part)
        raise DataError(f"{file.address} served {moved:,} bytes with the {kind} {got}, wanted {wanted}. They were "
                        f"deleted. Fetch again; if it stays so, see {card.homepage}.")  # fmt: skip
    with part.open("rb+") as f:
        os.fsync(f.fileno())
    part.replace(place)
    _forget(part)
    return moved


def _digest(path: Path, kind: str) -> str:
    # md5 is what some publishers give; it guards against accidents, sha256 also against intent.
    with path.open("rb") as f:
        return hashlib.file_digest(f, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()


def _state(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _forget(part: Path) -> None:
    _state(part).unlink(missing_ok=True)


class _Transfer:
    """One file's way into `part`, over as many connections as it takes."""

    def __init__(self, file: PublishedFile, part: Path) -> None:
        self.file, self.part = file, part
        self.opener = urllib.request.build_opener(_Redirects())

    def run(self) -> None:
        """Complete `part`. Raises DataError, and keeps what came for the next time."""
        name = PurePosixPath(self.file.name).name
        total = self.file.num_bytes or 0
        with progress(f"{name} MB", -(-total // CHUNK)) as advance:
            advance(self._size() // CHUNK)
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    if self._connection(advance):
                        return
                    why = "the connection ended too early"
                except urllib.error.HTTPError as e:
                    if e.code < 500 and e.code not in {408, 429}:
                        raise DataError(f"{self.file.address} answers {e.code} {e.reason}. It may have moved: see the "
                                        "card's homepage.") from None  # fmt: skip
                    why = f"{e.code} {e.reason}"
                except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as e:
                    why = str(getattr(e, "reason", e)) or type(e).__name__
                if attempt < ATTEMPTS:
                    time.sleep(WAIT_S * 2 ** (attempt - 1))
        kept = f"{self._size():,} bytes are kept; run the command again to go on." if self._size() else (
            "Nothing came: check the connection, then run the command again.")  # fmt: skip
        raise DataError(f"{self.file.address}: {why}, {ATTEMPTS} times. {kept}")

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _connection(self, advance: Callable[..., None]) -> bool:
        """Whether the file is complete after one connection."""
        start = self._size()
        if start and start == self.file.num_bytes:
            return True
        with self._opened(start) as response:
            if response.status != 206 or _begins(response) != start:
                start = 0  # the server sends all of it: it knows no ranges, or the file has changed since
            whole = self._whole(response, start)
            self._check_room(whole, start)
            self._remember(response)
            with self.part.open("r+b" if start else "wb") as out:
                out.seek(start)
                got = self._copied(response, out, start, whole, advance)
        return whole is None or got == whole

    def _opened(self, start: int) -> Any:
        request = urllib.request.Request(self.file.address, headers={"User-Agent": "sightline"})  # noqa: S310 — a card's
        if start:
            request.add_header("Range", f"bytes={start}-")
            known = read_json(_state(self.part)).get("tag") if _state(self.part).exists() else None
            if known:
                request.add_header("If-Range", known)
        try:
            return self.opener.open(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as e:
            if e.code != 416 or not start:
                raise
            self.part.unlink()  # what is kept is longer than the file: it is another
            request.remove_header("Range")
            return self.opener.open(request, timeout=TIMEOUT_S)

    def _whole(self, response: Any, start: int) -> int | None:
        """Bytes of the whole file, as far as anybody tells. Raises DataError where the server has another file."""
        told = response.headers.get("Content-Length")
        size = start + int(told) if told and told.isdigit() else None
        wanted = self.file.num_bytes
        if size is not None and wanted is not None and size != wanted:
            raise DataError(f"{self.file.address} has {size:,} bytes, wanted {wanted:,}: it is not the file that was "
                            "published, or a page that asks for something. Open the address in a browser.")  # fmt: skip
        return wanted if wanted is not None else size

    def _check_room(self, whole: int | None, start: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if whole is not None and whole - start > free:
            raise DataError(f"{self.file.name} needs {whole - start:,} more bytes in {self.part.parent}, {free:,} are "
                            "free. Make room, or give another folder.")  # fmt: skip

    def _remember(self, response: Any) -> None:
        tag = response.headers.get("ETag")
        write_json(_state(self.part), {"tag": tag if tag and not tag.startswith("W/") else None})

    def _copied(self, response: Any, out: IO[bytes], start: int, whole: int | None,
                advance: Callable[..., None]) -> int:  # fmt: skip
        """Bytes in the file after what the connection gave was appended."""
        at = start
        out.truncate(at)
        while True:
            try:
                chunk = response.read(CHUNK)
            except http.client.IncompleteRead as e:
                chunk = e.partial
            except OSError as e:  # of the connection; those of the disk are below, and no other connection mends them
                raise ConnectionError(e.strerror or str(e)) from None
            if not chunk:
                return at
            at += len(chunk)
            if whole is not None and at > whole:
                raise DataError(f"{self.file.address} sends more than the {whole:,} bytes it should. Fetch it again.")
            out.write(chunk)
            advance(at // CHUNK - (at - len(chunk)) // CHUNK)


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MAX_REDIRECTS
    max_repeats = 2

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any,
                         newurl: str) -> urllib.request.Request | None:  # fmt: skip
        scheme = newurl.partition(":")[0].lower()
        if scheme != "https" and (scheme != "http" or req.type == "https"):
            raise DataError(f"{req.full_url} sends on to {newurl}, which is not as safe. It was not followed.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _begins(response: Any) -> int:
    """First byte of a part of a file, as the server counts it; -1 where it does not say."""
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1
