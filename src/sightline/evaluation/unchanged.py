"""Whether the images to be scored are still those that were indexed: a file may have been changed since."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

from sightline.errors import DecodeError, SplitError
from sightline.progress import progress
from sightline.samples import SampleTable, pixel_sha256_of

BLOCK = 64
"""Images compared by one call: a call for each would take longer than to hash a small one."""


def require_unchanged(rows: SampleTable, split: str) -> None:
    """None, or SplitError where an image has neither the bytes nor the pixels of the first full read.

    Reads every file, and decodes those with other bytes: an image that was coded anew without loss, as in packed files,
    is the same one. A file that cannot be read is no other image: it is scored as unreadable. Rows of a table that was
    never read have nothing to be compared with.
    """
    contents, hashes, reader = rows.column("content_sha256"), rows.column("pixel_sha256"), rows.reader()

    def is_other(i: int) -> bool:
        try:
            payload = reader.payload(i)
            if contents[i] is None or hashlib.sha256(payload).digest() == contents[i]:
                return False
            return bool(pixel_sha256_of(reader.pixels(i, payload)) != hashes[i])
        except DecodeError:
            return False

    def others(start: int) -> list[int]:
        return [i for i in range(start, min(start + BLOCK, len(rows))) if is_other(i)]

    changed: list[int] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool, progress("compare", len(rows)) as advance:
        for found in pool.map(others, range(0, len(rows), BLOCK)):
            changed += found
            advance(BLOCK)
    if changed:
        raise SplitError(f"{len(changed):,} of {len(rows):,} images of {split} are not those that were indexed, e.g. "
                         f"{rows.column('key')[changed[0]]}: their files were changed since. Restore them; or index "
                         "and split anew: sightline index SOURCE STUDY")  # fmt: skip
