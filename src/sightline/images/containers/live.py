"""Images that an object of this process gives: a dataset of another library, read when an image is wanted."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

from sightline.errors import DataError
from sightline.images.containers import Reference

LIVE = "live:"
"""How the address of a root begins whose images only this process has."""

Source = Callable[[int], bytes]
"""Payload of a row. Called by one thread at a time: other people's datasets need not expect several."""

_sources: dict[str, tuple[Source, threading.Lock]] = {}


def published(source: Source) -> str:
    """Address of a root with the images of `source`, which is kept as long as this process lives."""
    address = f"{LIVE}{secrets.token_hex(8)}"
    _sources[address] = source, threading.Lock()
    return address


class Live:
    """Payloads of sources of this process, by `row`."""

    def payload(self, reference: Reference) -> bytes:
        """What the source gives. Raises DataError where the source belongs to another process."""
        address = reference.path.partition("/")[0]
        if address not in _sources:
            raise DataError("The samples are objects of another process, which has ended or is not this one. Make the "
                            "table again from the dataset, or convert it: sl.convert(samples, DIRECTORY, to='parquet')")
        source, lock = _sources[address]
        with lock:
            return source(reference.row or 0)
