"""Pickles as Python 2 wrote them."""

from __future__ import annotations

from typing import Any

import numpy as np


def python2(pairs: dict[str, Any]) -> bytes:
    """A pickle as Python 2 wrote it: byte strings for keys, names and the content of arrays."""
    out = b"\x80\x02}("
    for key, value in pairs.items():
        out += b"U" + bytes([len(key)]) + key.encode()
        if isinstance(value, np.ndarray):
            shape = b"".join(b"J" + int(n).to_bytes(4, "little") for n in value.shape)
            raw = value.tobytes()
            out += (
                b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
                b"(K\x01(" + shape + b"tcnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff"
                b"J\xff\xff\xff\xffK\x00tb\x89T" + len(raw).to_bytes(4, "little") + raw + b"tb"
            )
        elif isinstance(value, int):
            out += b"K" + bytes([value])
        elif isinstance(value, str):
            out += b"U" + bytes([len(value)]) + value.encode()
        else:
            out += b"](" + b"".join(b"K" + bytes([v]) if isinstance(v, int) else b"U" + bytes([len(v)]) + v.encode()
                                    for v in value) + b"e"  # fmt: skip
    return out + b"u."
