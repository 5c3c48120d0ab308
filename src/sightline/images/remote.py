"""Files that lie elsewhere and are read by their address: object stores, hubs and web servers. Needs fsspec."""

from __future__ import annotations

import importlib
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from sightline.errors import DataError, DecodeError, MissingExtraError

PROTOCOLS = ("s3", "gs", "gcs", "az", "abfs", "hf", "http", "https", "memory")
"""Places that a table may name. Not those that run something or reach around: a table may come from anybody."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.:*-]*://")
_TRIES, _PAUSE_S = 3, 0.5


def is_address(text: str) -> bool:
    """Whether a source or a root is an address (`s3://bucket/photos`) rather than a path."""
    return _ADDRESS.match(text) is not None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file below a remote folder."""

    name: str
    """POSIX path below the folder."""
    num_bytes: int | None
    """None where the server does not say."""


class Remote:
    """A folder elsewhere; safe to share between threads. Raises DataError for places that are not read, or not known.

    Who may read it is settled as the place's own library does it: by the environment and its configuration files.
    """

    def __init__(self, address: str) -> None:
        protocol = address.partition("://")[0].lower()
        if protocol not in PROTOCOLS:
            raise DataError(f"{address}: {protocol}:// is not read. Places that are: {', '.join(PROTOCOLS)}. Copy the "
                            "files to a disk.")  # fmt: skip
        self.address = address.rstrip("/")
        self._is_web = protocol in {"http", "https"}
        self._files, self._folder = _opened(self.address)

    def entries(self) -> list[Entry]:
        """All files below the folder, byte-wise by name. Raises DataError when it cannot be listed."""
        try:
            found: dict[str, Any] = self._try(lambda: self._files.find(self._folder, detail=True), self.address)
            if not found:  # walking a web server takes one that does not answer for an empty one
                self._try(lambda: self._files.ls(self._folder), self.address)
        except FileNotFoundError:
            raise DataError(f"{self.address} does not exist. Check the address.") from None
        names = {path: _below(path, self._folder) for path in found}
        if self._is_web:
            names = {path: unquote(name) for path, name in names.items()}
        entries = [Entry(name=names[path], num_bytes=about.get("size")) for path, about in found.items() if names[path]]
        return sorted(entries, key=lambda e: e.name.encode())

    def read(self, name: str, start: int | None = None, stop: int | None = None) -> bytes:
        """Bytes `start` … `stop` - 1 of a file below the folder, or all of them.

        What lies behind the end is not there, as in a slice. Raises DecodeError when the file is missing, DataError
        when its place does not answer.
        """
        if ".." in name.split("/"):
            raise DecodeError(f"{name} leads out of {self.address}")
        path, where = f"{self._folder}/{quote(name) if self._is_web else name}", f"{self.address}/{name}"
        try:
            data = bytes(self._try(lambda: self._files.cat_file(path, start=start, end=stop), where))
        except FileNotFoundError:
            raise DecodeError(f"file is missing: {name}") from None
        if start is not None and stop is not None and len(data) > stop - start:
            return data[start:stop]  # a server that knows no ranges sends the whole file
        return data

    def _try(self, work: Any, what: str) -> Any:
        for attempt in range(1, _TRIES + 1):
            try:
                return work()
            except FileNotFoundError:
                raise
            except Exception as e:  # each place's library has errors of its own
                if attempt == _TRIES or isinstance(e, PermissionError | NotImplementedError):
                    raise DataError(f"{what} cannot be read: {type(e).__name__}: {e}. Check the address, your "
                                    "credentials and the network, then run the command again.") from e  # fmt: skip
                time.sleep(_PAUSE_S * attempt)
        raise AssertionError


def _opened(address: str) -> tuple[Any, str]:
    try:
        url_to_fs = importlib.import_module("fsspec.core").url_to_fs
    except ModuleNotFoundError as e:
        raise MissingExtraError("fsspec", "remote", f"Reading {address}") from e
    try:
        files, folder = url_to_fs(address)
    except (ImportError, ValueError) as e:
        raise DataError(f"{address} cannot be opened: {e}") from None
    return files, str(folder).rstrip("/")


def _below(path: str, folder: str) -> str:
    """Name of a path below a folder; empty for what lies elsewhere, which a server's links may."""
    clean = path.partition("?")[0]
    return clean.removeprefix(f"{folder}/") if clean.startswith(f"{folder}/") and ".." not in clean.split("/") else ""
