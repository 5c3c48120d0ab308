"""Other people's parsers on files from anywhere: whatever they raise is a reason, never a traceback."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from sightline.errors import DecodeError, SightlineError

ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, LookupError, ValueError,
              ArithmeticError, RuntimeError, OSError)  # fmt: skip
"""What zipfile raises for damaged archives: NotImplementedError for a version, OSError for a place, UnicodeDecodeError
for a name, …"""


@contextmanager
def parsing(what: str) -> Iterator[None]:
    """A block in which any error of a parser becomes a DecodeError about `what`; OSError stays what it is.

    Parsers of rich formats raise all kinds for damaged files: of 19,000 files with a few bytes changed, pydicom and
    tifffile answered with fifteen, ZeroDivisionError and AssertionError among them.
    """
    try:
        yield
    except (SightlineError, OSError):
        raise
    except Exception as e:  # noqa: BLE001 - that is what this is for
        said = " ".join(str(e).split())
        raise DecodeError(f"damaged {what}: {said or type(e).__name__}") from None
