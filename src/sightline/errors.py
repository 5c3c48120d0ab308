"""The errors people can act on.

SightlineError
├── DataError            the source, a file or a table is not what it should be
│   ├── DecodeError      bytes that are not a readable image
│   └── VersionError     an artifact written by a newer version
├── SplitError           an assignment that would make a number lie
├── RecipeError          a field of a recipe that does not exist or cannot have that value
├── ContractError        pixels, classes or settings that disagree with the preprocessing contract
├── LedgerError          a look at the test split that the ledger does not allow
└── MissingExtraError    an optional dependency that is not installed

A message says what it is about, what was got, what was wanted and what to do. The command line prints the message
alone and exits with 2; any other exception is a defect of Sightline, keeps its traceback and exits with 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SightlineError(Exception):
    """Root of every error that a person can act on."""


class DataError(SightlineError):
    """The source, a file or a table is not what it should be."""


class DecodeError(DataError):
    """Bytes that are not a readable image; the message is the reason stored with the sample."""


class VersionError(DataError):
    """An artifact was written by a newer version of Sightline."""


class SplitError(SightlineError):
    """An assignment to train, val and test that would make a number lie."""


class RecipeError(SightlineError):
    """A field of a recipe that does not exist or cannot have that value."""


class ContractError(SightlineError):
    """Pixels, classes or settings disagree with the preprocessing contract."""


class LedgerError(SightlineError):
    """A look at the test split that the ledger does not allow."""


class MissingExtraError(SightlineError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed. Install it: pip install 'sightline[{extra}]'"
        )


_EXTRAS = {"torch": "train", "torchvision": "train", "timm": "train", "plotly": "report", "jinja2": "report",
           "sklearn": "digits", "pandas": "pandas", "numba": "pack", "pydicom": "medical",
           "tifffile": "tiff", "fsspec": "remote", "datasets": "hub",
           "google_crc32c": "tfrecord", "h5py": "hdf5", "lmdb": "lmdb",
           "cv2": "audit", "faiss": "audit", "scipy": "audit", "cleanlab": "audit",
           "threadpoolctl": "audit"}  # fmt: skip


def extra_needed(error: ModuleNotFoundError, purpose: str) -> MissingExtraError | None:
    """What to tell a person whose `purpose` failed on an import, or None when no extra of Sightline has the package."""
    package = (error.name or "").partition(".")[0]
    return MissingExtraError(package, _EXTRAS[package], purpose) if package in _EXTRAS else None


def did_you_mean(got: str, known: Iterable[str]) -> str:
    """A clause " Did you mean 'x'?" for a misspelt name, or the list of what exists, to end a message with."""
    names = sorted(known)
    close = difflib.get_close_matches(got, names, n=1)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Known: {', '.join(names)}." if names else ""
