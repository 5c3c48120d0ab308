"""Members of zip files that are compressed or encrypted: a byte range from the local header to the end of the data.

Everything that is needed stands in the local header or in the descriptor behind the data; the archive's directory is
not read again. Each member's checksum is compared.
"""

from __future__ import annotations

import bz2
import os
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from sightline.errors import DecodeError
from sightline.images.containers import Reference
from sightline.images.ranges import Ranges

MAX_BYTES = 1 << 30
"""A member that grows beyond this is refused: a few kilobytes can claim to be terabytes."""
PASSWORD = "SIGHTLINE_ZIP_PASSWORD"  # noqa: S105 - the name of the variable
"""Environment variable with the password of encrypted archives."""

_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED, _DESCRIBED_BEHIND = 1 << 0, 1 << 3
_DESCRIPTOR = 24
"""Bytes of the longest descriptor: signature, checksum, and two sizes of 8 bytes."""
_ENCRYPTION_HEADER = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class _Member:
    packed: memoryview
    method: int
    is_encrypted: bool
    sums: set[int]
    """Checksums that are right."""
    check: int
    """Last byte of the encryption's header."""


class Zipped:
    """Bytes of a zip's member; `offset` is where its local header begins, `length` goes to the end of its data."""

    def __init__(self) -> None:
        self._ranges = Ranges()

    def payload(self, reference: Reference) -> bytes:
        """The member's bytes. Raises DecodeError for a wrong checksum or password, and for more than the limit."""
        member = self._member(reference)
        plain = _decrypted(member.packed, member.check) if member.is_encrypted else member.packed
        try:
            content = _unpacked(plain, member.method)
            if zlib.crc32(content) not in member.sums:
                raise DecodeError("wrong checksum: the archive is damaged")
        except DecodeError as e:
            if not member.is_encrypted:
                raise
            # One wrong password in 256 passes the check of one byte, and what it gives is no data.
            raise DecodeError(f"{e}, or {PASSWORD} is not its password") from None
        return content

    def head(self, reference: Reference, size: int) -> bytes:
        """The first bytes of an encrypted member, which all of it takes seconds for; of another the whole."""
        member = self._member(reference)
        if not member.is_encrypted:
            return self.payload(reference)
        plain = _decrypted(member.packed[: size + _ENCRYPTION_HEADER], member.check)
        try:
            return _unpacked(plain, member.method, is_whole=len(plain) + _ENCRYPTION_HEADER == len(member.packed))
        except DecodeError:
            return self.payload(reference)  # which says what all of it says

    def _member(self, reference: Reference) -> _Member:
        start, length = reference.offset, reference.length
        if start is None or length is None:
            raise DecodeError("the archive has no data for it")
        data = self._ranges.read(reference.path, start, start + length)
        if len(data) < _LOCAL.size or data[:4] != b"PK\3\4":
            raise DecodeError(f"no member of a zip begins at byte {start:,}")
        _, _, flags, method, time, _, told, _, _, name, extra = _LOCAL.unpack_from(data)
        is_described = bool(flags & _DESCRIBED_BEHIND)
        return _Member(
            packed=memoryview(data)[_LOCAL.size + name + extra :], method=method,
            is_encrypted=bool(flags & _ENCRYPTED),
            sums=self._described(reference.path, start + length) if is_described else {told},
            # The last byte of the encryption's header repeats a byte that is known: a quick look at the password.
            check=time >> 8 if is_described else told >> 24,
        )  # fmt: skip

    def _described(self, path: str, end: int) -> set[int]:
        """Checksums that the descriptor behind the data may mean: its signature is optional."""
        size = min(_DESCRIPTOR, os.stat(path).st_size - end)
        behind = self._ranges.read(path, end, end + max(size, 0))
        if behind[:4] == b"PK\7\x08" and len(behind) >= 8:
            return {struct.unpack_from("<L", behind, 4)[0]}
        return {struct.unpack_from("<L", behind)[0]} if len(behind) >= 4 else set()


def _unpacked(data: bytes | memoryview, method: int, *, is_whole: bool = True) -> bytes:
    """The bytes that were stored (0), deflated (8) or compressed by bzip2 (12); of a part as many as it gives."""
    if method == 0:
        return bytes(data)
    reader: Any
    if method == 8:
        reader = zlib.decompressobj(-zlib.MAX_WBITS)
    elif method == 12:
        reader = bz2.BZ2Decompressor()
    else:
        raise DecodeError(f"compressed by method {method}, which is not read")
    try:
        content: bytes = reader.decompress(data, MAX_BYTES + 1)
    except (zlib.error, OSError, ValueError, EOFError) as e:
        raise DecodeError(f"damaged data in a zip: {e}") from None
    if len(content) > MAX_BYTES:
        raise DecodeError(f"unpacks to more than {MAX_BYTES:,} bytes")
    if is_whole and not reader.eof:
        raise DecodeError("damaged data in a zip: it ends too early")
    return content


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _table()


def _decrypted(data: memoryview, check: int) -> bytes:
    """Data under the traditional encryption of zip files, with the password of the environment.

    Every byte depends on the one before: Python takes half a second for a megabyte, as zipfile does. Unpack archives
    that are used more often.
    """
    password = os.environ.get(PASSWORD, "").encode()
    if not password:
        raise DecodeError(f"encrypted: set the environment variable {PASSWORD} to the archive's password")
    k0, k1, k2, table = 0x12345678, 0x23456789, 0x34567890, _CRC
    plain = bytearray(len(data))
    for at, byte in enumerate(password + bytes(data), -len(password)):
        if at >= 0:
            k = k2 | 2
            byte ^= (k * (k ^ 1) >> 8) & 0xFF
            plain[at] = byte
        k0 = (k0 >> 8) ^ table[(k0 ^ byte) & 0xFF]
        k1 = ((k1 + (k0 & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        k2 = (k2 >> 8) ^ table[(k2 ^ (k1 >> 24)) & 0xFF]
    if len(plain) < _ENCRYPTION_HEADER:
        raise DecodeError("damaged data in a zip: no encryption header")
    if plain[_ENCRYPTION_HEADER - 1] != check:
        raise DecodeError(f"encrypted, and {PASSWORD} is not its password")
    return bytes(plain[_ENCRYPTION_HEADER:])
