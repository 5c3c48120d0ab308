"""Zip files read in place: class folders inside one, or a folder of zips named by class or split.

A stored member is a byte range. A deflated or encrypted one is a byte range too, that of its local header and its data;
`images.containers.zipped` makes bytes of it, checks them, and never makes more than a limit.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from sightline.errors import DataError
from sightline.formats.archived_folders import archives_in, blocks_of
from sightline.formats.listing import Attributes, Format, Listing, joined
from sightline.formats.members import Members, tidied
from sightline.images.parsing import ZIP_ERRORS

SUFFIX = ".zip"
DEFLATED, BZIP2, AES = 8, 12, 99
_METHODS = {1: "shrink", 6: "implode", 9: "deflate64", 14: "LZMA", 93: "zstd", 95: "xz", 98: "PPMd", AES: "AES"}
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED, _UTF8 = 1 << 0, 1 << 11
_UNICODE_PATH = 0x7075


def is_at(path: Path) -> bool:
    """Whether `path` is a zip, or a folder of zips that hold the samples. Raises DataError for a damaged one."""
    if path.is_dir():
        return bool(archives_in(path, SUFFIX))
    if path.suffix.lower() == SUFFIX or path.suffix or not path.is_file():
        return path.suffix.lower() == SUFFIX
    try:
        with path.open("rb") as f:
            return f.read(4) == b"PK\3\4"
    except OSError:
        return False  # whoever reads it will say why it cannot be


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of class folders in zips, byte-wise by key as in the unpacked tree."""
    return joined(list(read_blocks(path, attributes)))


def read_blocks(path: Path, attributes: Attributes) -> Iterator[Listing]:
    """The samples that `read` gives, some thousands at a time."""
    return blocks_of(path, SUFFIX, _pieces)


FORMAT = Format(name="zip", is_at=is_at, read=read, read_blocks=read_blocks)


def _pieces(path: Path) -> Iterator[Members]:
    yield members_of(path)


def members_of(path: Path) -> Members:
    """Files of a zip under their tidied names. Raises DataError when its directory cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            start = archive.start_dir
    except ZIP_ERRORS as e:
        raise DataError(f"{path} is not a readable zip file ({e}): cut off, or damaged. Fetch it again.") from None
    found = Members(containers=[])
    guessed = 0
    with path.open("rb", buffering=0) as f:
        for info in infos:
            name, is_guess = _name(info)
            guessed += is_guess
            name = tidied([name], str(path))[0]
            if info.filename.endswith("/"):  # its own is_dir fails on a name of no letters
                found.folders.append(name)
            else:
                _add(found, info, name, f.fileno(), start)
    if guessed:
        found.notes = (f"{guessed} names in {path.name} do not say how they are written; read as UTF-8",)
    return found


def _add(found: Members, info: zipfile.ZipInfo, name: str, file: int, end: int) -> None:
    position = len(found)
    container, offset, length, reason = "zip", None, None, _refused(info)
    if reason is None:
        # The directory's copy of name and extra field may have other lengths than the one in front of the data.
        local = os.pread(file, _LOCAL.size, info.header_offset) if info.header_offset >= 0 else b""
        if len(local) < _LOCAL.size or local[:4] != b"PK\3\4":
            reason = f"no member begins at byte {info.header_offset:,}: the archive is damaged"
        else:
            head = _LOCAL.size + sum(_LOCAL.unpack(local)[-2:])
            if info.header_offset + head + info.compress_size > end:
                reason = "it goes on behind the end of the archive's data: the archive is damaged"
            elif info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & _ENCRYPTED:
                offset, length = info.header_offset + head, info.compress_size
            else:
                container = "zip.encrypted" if info.flag_bits & _ENCRYPTED else "zip.compressed"
                offset, length = info.header_offset, head + info.compress_size
    found.names.append(name)
    found.offsets.append(offset)
    found.lengths.append(length)
    assert isinstance(found.containers, list)
    found.containers.append(container)
    if reason is not None:
        found.reasons[position] = reason


def _refused(info: zipfile.ZipInfo) -> str | None:
    """Why a member cannot be read at all."""
    if (info.external_attr >> 16) & 0o170000 == 0o120000:
        return "a symbolic link, which a zip does not lead to; make the archive with the files themselves"
    if info.compress_type not in {zipfile.ZIP_STORED, DEFLATED, BZIP2}:
        method = _METHODS.get(info.compress_type, f"number {info.compress_type}")
        return f"compressed or encrypted by {method}, which is not read; make the archive with deflate, or with none"
    return None


def _name(info: zipfile.ZipInfo) -> tuple[str, bool]:
    """A member's name, and whether its encoding had to be guessed.

    Names without the UTF-8 flag are in code page 437 by the letter. Some systems write UTF-8 without the flag, and
    text that is valid UTF-8 by chance is rare; others add the UTF-8 name as an extra field.
    """
    name = info.orig_filename.split("\0", 1)[0]
    if info.flag_bits & _UTF8 or name.isascii():
        return name, False
    raw = name.encode("cp437")
    told = _unicode_path(info.extra, raw)
    if told is not None:
        return told, False
    try:
        return raw.decode(), True
    except UnicodeDecodeError:
        return name, False


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """The name in the Unicode path field, as far as it belongs to the name beside it."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        body = extra[at + 4 : at + 4 + size]
        if kind == _UNICODE_PATH and len(body) > 5 and struct.unpack_from("<L", body, 1)[0] == zlib.crc32(raw):
            return body[5:].decode("utf-8", "replace")
        at += 4 + size
    return None
