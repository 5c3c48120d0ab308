"""Whether the images to be scored are still those that were indexed: a file may have been changed since."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

from sightline.errors import DecodeError, SplitError
from sightline.samples import SampleTable


def require_unchanged(rows: SampleTable, split: str) -> None:
    """None, or SplitError where the bytes of an image are not those of the first full read.

    Reads every file and decodes none. A file that cannot be read is no other image: it is scored as unreadable. Rows
    of a table that was never read have nothing to be compared with.
    """
    wanted, reader = rows.column("content_sha256"), rows.reader()

    def is_other(i: int) -> bool:
        try:
            return wanted[i] is not None and hashlib.sha256(reader.payload(i)).digest() != wanted[i]
        except DecodeError:
            return False

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        changed = [i for i, other in enumerate(pool.map(is_other, range(len(rows)), chunksize=64)) if other]
    if changed:
        raise SplitError(f"{len(changed):,} of {len(rows):,} images of {split} are not those that were indexed, e.g. "
                         f"{rows.column('key')[changed[0]]}: their files were changed since. Restore them; or index "
                         "and split anew: sightline index SOURCE STUDY")  # fmt: skip
