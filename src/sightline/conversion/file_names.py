"""Names of image files: those of the source where they can be kept, and names that every reader takes where not."""

from __future__ import annotations

import hashlib
import unicodedata

from sightline.conversion.target import Item

KNOWN = frozenset(["jpg", "jpeg", "png", "ppm", "bmp", "pgm", "tif", "tiff", "webp"])
"""Suffixes that torchvision takes for images; a file with another would be left out."""
MAX_BYTES = 200
"""Of a name; file systems take 255."""
_RESERVED = ("__MACOSX", "Thumbs.db")


def folder_name(text: str) -> str:
    """A name for a folder: the text, with what a folder cannot have in it as %XX."""
    escaped = "".join(f"%{ord(c):02X}" if c in "/\\%" or ord(c) < 32 or ord(c) == 127 else c for c in text)
    if escaped.startswith((".", *_RESERVED)):
        escaped = f"%{ord(escaped[0]):02X}" + escaped[1:]
    if len(escaped.encode()) > MAX_BYTES:
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        escaped = f"{escaped.encode()[: MAX_BYTES - 13].decode(errors='ignore')}-{digest}"
    return escaped or "%"


class FileNames:
    """Paths that have not been given before, also where case or the spelling of accents makes no difference."""

    def __init__(self) -> None:
        self._taken: set[bytes] = set()

    def of(self, below: str, item: Item) -> str:
        """The path of a sample below a folder ("" or with / at its end): its key where it is one, else made of it."""
        last = item.key.rpartition("/")[2]
        if item.key.startswith(below) and self._is_usable(item.key.removeprefix(below), item):
            path = item.key
        else:
            path = below + self._made(last, item)
        if not self._take(path):
            stem, _, suffix = path.rpartition(".")
            path = f"{stem}-{item.ordinal:08d}.{suffix}"
            self._take(path)
        return path

    def _is_usable(self, path: str, item: Item) -> bool:
        parts = path.split("/")
        suffix = parts[-1].rpartition(".")[2].lower()
        return (
            all(part == folder_name(part) and part for part in parts)
            and len(path.encode()) < 1024
            and "." in parts[-1][1:]
            and (suffix == "png" if item.is_made else suffix in KNOWN or suffix == item.suffix)
        )

    def _made(self, last: str, item: Item) -> str:
        stem, dot, suffix = last.rpartition(".")
        if not dot or not stem or suffix.lower() not in KNOWN | {item.suffix}:
            stem, suffix = last, item.suffix
        return f"{folder_name(stem)}.{item.suffix if item.is_made else suffix}"

    def _take(self, path: str) -> bool:
        folded = unicodedata.normalize("NFC", path).casefold()
        digest = hashlib.blake2b(folded.encode(), digest_size=8).digest()
        if digest in self._taken:
            return False
        self._taken.add(digest)
        return True
