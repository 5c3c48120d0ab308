"""What the first bytes of plain JPEGs say, told by a process of its own.

Opening 100,000 files takes longer in Python than in the system, and one interpreter does one thing at a time. So this
module runs alone, once for each processor, and imports nothing of the package or of others: it answers 10 ms after its
start. It reads requests from stdin and writes answers to stdout until stdin ends.

A request is its length (4 bytes) and, with a NUL between them, `at`, a folder and paths below it, or `into`, a file and
byte ranges of it ("first length"). An answer is the number of
times that the process waited (4 bytes), a byte for each file (0: ask somebody else, 1: grey, 3: colour), and then their
widths and heights (4 bytes each). Numbers are in the machine's own order.
"""

from __future__ import annotations

import os
import sys
from array import array
from struct import Struct

TYPE_CHECKING = False  # `typing` would take as long to import as all the rest
if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_BYTES = 4096
"""What is read first: it holds the header of a plain JPEG, and is one page of the disk's cache."""
AT, INTO = b"at", b"into"
"""What a request begins with: paths below a folder, or byte ranges of a file."""
AT_ONCE = 128
"""Files that are open at a time: closing them together takes two thirds of the time."""
FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""How a file is opened: without waiting for a pipe that poses as one."""

_SEGMENT = Struct(">HH").unpack_from
_FRAME = Struct(">BHHB").unpack_from
_SOF = frozenset([0xFFC0, 0xFFC1, 0xFFC2])
_SOS, _APP0, _APP14 = 0xFFDA, 0xFFE0, 0xFFEE
_SKIPPED = frozenset([0xFFC4, 0xFFDB, 0xFFDD, 0xFFFE, *range(0xFFE1, 0xFFEE), 0xFFEF])
"""Tables, the restart interval, comments and what programs add: none of them changes what is asked here."""
_NOTHING = (0, 0, 0)

_USUAL = Struct(">20s4s65x4s65x5sHH10s4s29x4s179x4s29x4s179x14s")
"""A header in colour as libjpeg writes it unless it is asked for more: told in a third of the time."""
_SIZE_AT = 163
_SIZE = Struct(">HH").unpack_from
_USUAL_PARTS = (b"\xff\xdb\0\x43", b"\xff\xdb\0\x43", b"\xff\xc0\0\x11\x08",
                b"\xff\xc4\0\x1f", b"\xff\xc4\0\xb5", b"\xff\xc4\0\x1f", b"\xff\xc4\0\xb5")  # fmt: skip


def plain_jpeg(head: bytes) -> tuple[int, int, int]:
    """Channels (1 or 3), width and height of a plain JPEG; zeros for all else, and where the header goes on.

    Plain means: 8 bits, grey or YCbCr, without an orientation. Whatever is odd is left to a whole decoder.
    """
    if head[:2] != b"\xff\xd8" or b"Exif\0\0" in head:
        return _NOTHING
    at, end = 2, len(head) - 4
    channels = width = height = 0
    ids = b""
    is_jfif = False
    transform = -1
    while at <= end:
        kind, size = _SEGMENT(head, at)
        if kind in _SKIPPED:
            if size < 2:
                return _NOTHING
        elif kind == _APP0:
            is_jfif = is_jfif or (size >= 16 and head[at + 4 : at + 9] == b"JFIF\0")
        elif kind in _SOF:
            if channels or at + 2 + size > len(head) or size < 8:
                return _NOTHING
            bits, height, width, channels = _FRAME(head, at + 4)
            ids = head[at + 10 : at + 2 + size : 3]
            if bits != 8 or not height or not width or channels not in (1, 3) or size != 8 + 3 * channels:
                return _NOTHING
        elif kind == _SOS:
            return (channels, width, height) if _is_scan(head, at, size, ids, is_jfif, transform) else _NOTHING
        elif kind == _APP14:
            transform = head[at + 15] if size >= 14 and head[at + 4 : at + 9] == b"Adobe" and at <= end - 12 else -1
        else:
            return _NOTHING
        at += 2 + size
    return _NOTHING


def _is_scan(head: bytes, at: int, size: int, ids: bytes, is_jfif: bool, transform: int) -> bool:
    """Whether a scan of known components begins here, and their colours are grey or YCbCr."""
    if not ids or at + 2 + size > len(head) or size < 8 or size != 6 + 2 * head[at + 4]:
        return False
    if not set(head[at + 5 : at + 5 + 2 * head[at + 4] : 2]) <= set(ids):
        return False
    return len(ids) == 1 or is_jfif or transform == 1 or (transform < 0 and ids == b"\1\2\3")


def _usual_jpeg(head: bytes | bytearray) -> tuple[int, int, int] | None:
    """`plain_jpeg` of the header that libjpeg writes unless it is asked for more; None for any other."""
    jfif, a, b, c, height, width, frame, d, e, f, g, scan = _USUAL.unpack_from(head)
    if (
        (a, b, c, d, e, f, g) == _USUAL_PARTS and jfif.startswith(b"\xff\xd8\xff\xe0\0\x10JFIF\0")
        and frame[0] == 3 and frame[1::3] == scan[5:10:2] == b"\1\2\3" and scan.startswith(b"\xff\xda\0\x0c\3")
        and height and width
    ):  # fmt: skip
        return 3, width, height
    return None


def looking() -> tuple[bytearray, Callable[[int], tuple[int, int, int]]]:
    """Memory for the first bytes of one image after the other, and what says `plain_jpeg` of so many of them."""
    head = bytearray(FIRST_BYTES)
    above = below = b"of none"
    usual, size_at, behind = _USUAL.size, _SIZE_AT, _SIZE_AT + 4

    def told(size: int) -> tuple[int, int, int]:
        nonlocal above, below
        if size < usual:
            return plain_jpeg(bytes(head[:size]))
        # One program often writes a whole dataset: all but the size is what it was in the file before.
        if head.startswith(above) and head.startswith(below, behind):
            height, width = _SIZE(head, size_at)
            return (3, width, height) if height and width else _NOTHING
        if seen := _usual_jpeg(head):
            above, below = bytes(head[:size_at]), bytes(head[behind:usual])
            return seen
        return plain_jpeg(bytes(head[:size]))

    return head, told


def looked_at(folder: bytes, paths: list[bytes]) -> list[tuple[int, int, int]]:
    """What `plain_jpeg` says of files below a folder, which this process goes to. Zeros for what cannot be read."""
    try:
        os.chdir(folder)  # so that the way to the folder is not gone for each file
    except OSError:
        return [_NOTHING] * len(paths)  # whoever is asked next says what is wrong
    found: list[tuple[int, int, int]] = []
    opened, read = os.open, os.readv
    head, told = looking()
    into = [head]
    for start in range(0, len(paths), AT_ONCE):
        files = []
        for path in paths[start : start + AT_ONCE]:
            try:
                file = opened(path, FLAGS)
                files.append(file)
                size = read(file, into)
            except OSError:
                size = 0
            found.append(told(size))
        if files:
            os.closerange(min(files), max(files) + 1)  # nothing else is open in this process
    return found


def looked_into(archive: bytes, places: list[bytes]) -> list[tuple[int, int, int]]:
    """The same of byte ranges of a file, each its first byte and its length. Zeros for what cannot be read whole."""
    try:
        file = os.open(archive, FLAGS)
    except OSError:
        return [_NOTHING] * len(places)
    found: list[tuple[int, int, int]] = []
    head, told = looking()
    view = memoryview(head)
    for place in places:
        start, length = map(int, place.split())
        wanted = min(length, FIRST_BYTES)
        try:
            size = os.preadv(file, [view[:wanted]], start)
        except OSError:
            size = 0
        found.append(told(size) if size == wanted else _NOTHING)
    os.close(file)
    return found


def _answer(kind: bytes, paths: list[bytes]) -> bytes:
    look = looked_into if kind == INTO else looked_at
    kinds, widths, heights = zip(*look(paths[0], paths[1:]), strict=True)
    return bytes(kinds) + array("I", widths).tobytes() + array("I", heights).tobytes()


def serve() -> None:
    """Answer requests until stdin ends."""
    import gc
    import resource

    gc.disable()  # there are no cycles to look for
    source, target = sys.stdin.buffer, sys.stdout.buffer
    waited = 0
    while len(size := source.read(4)) == 4:
        kind, *paths = source.read(int.from_bytes(size, sys.byteorder)).split(b"\0")
        answer = _answer(kind, paths)
        total = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        target.write((total - waited).to_bytes(4, sys.byteorder) + answer)
        target.flush()
        waited = total
