"""Pickles that hold numbers, text, lists, dicts and arrays of numbers, read without making any class they name.

Old datasets (CIFAR) and label lists (CIFAR-N) come as pickles. An array is kept as what was written of it, a shape, a
type and bytes, and becomes an array only after these have been checked. Every other class, every opcode that
containers of numbers have no use for, and everything damaged is refused.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from sightline.errors import DataError

MAX_BYTES = 1 << 30
"""A larger pickle is refused: the largest of these datasets' has 155 MB."""

_NUMBERS = re.compile(r"[<>|=]?[biuf][1248]")
_DAMAGE = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError,
    OverflowError, MemoryError, RecursionError, AssertionError, struct.error,
)  # fmt: skip


def load(data: bytes, name: str) -> Any:
    """The object in a pickle; keys and text of Python 2 are bytes. Raises DataError naming `name` for anything else."""
    if len(data) > MAX_BYTES:
        raise DataError(f"{name} has {len(data):,} bytes; pickles beyond {MAX_BYTES:,} are not read.")
    try:
        return _arrays_made(_Reader(io.BytesIO(data), encoding="bytes").load(), {})
    except _RefusedError as e:
        raise DataError(
            f"{name} is a pickle that names {e}; only numbers, text, lists, dicts and arrays of numbers are read. "
            "A file from elsewhere than the publisher may be an attack."
        ) from None
    except _DAMAGE as e:
        why = f"{type(e).__name__}: {e}"
        raise DataError(f"{name} is no pickle of arrays, or is damaged ({why}). Fetch it again.") from None


def text(value: Any) -> str:
    """Text of a pickle of Python 2 or 3."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class _RefusedError(Exception):
    """A class or function that is not on the list."""


class _Type:
    """numpy.dtype as written: its name, and the byte order of its state."""

    __slots__ = ("name",)

    def __init__(self, name: Any, *_: Any) -> None:
        self.name = text(name)

    def __setstate__(self, state: Any) -> None:
        if text(state[1]) in "<>":
            self.name = text(state[1]) + self.name.lstrip("<>|=")


class _Array:
    """numpy.ndarray as written."""

    __slots__ = ("state",)

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    @property
    def content(self) -> Any:
        return self.state[4]

    def values(self) -> np.ndarray[Any, Any]:
        _, shape, kind, is_fortran, data = self.state
        if not isinstance(kind, _Type) or not _NUMBERS.fullmatch(kind.name):
            raise _RefusedError(f"an array of {kind.name if isinstance(kind, _Type) else kind!r}")
        if not all(isinstance(n, int) and n >= 0 for n in shape) or not isinstance(data, bytes):
            raise ValueError("an array without a shape or without bytes")
        values = np.frombuffer(data, kind.name)
        return values.reshape(shape, order="F" if is_fortran else "C")


class _Class:
    """A class whose name may be said (the argument of an array), and nothing else."""

    __slots__ = ()


def _scalar(kind: Any, data: Any) -> Any:
    if not isinstance(kind, _Type) or not _NUMBERS.fullmatch(kind.name):
        raise _RefusedError("a number of an unknown type")
    return np.frombuffer(data, kind.name, 1)[0].item()


def _encoded(value: Any, encoding: Any) -> bytes:
    # How Python 3 writes bytes for Python 2.
    if not isinstance(value, str) or text(encoding) != "latin1":
        raise ValueError("text in an unknown encoding")
    return value.encode("latin1")


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    ("numpy", "ndarray"): _Class, ("numpy", "dtype"): _Type, ("_codecs", "encode"): _encoded,
}  # fmt: skip

_OPCODES = (
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP", "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT",
    "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_DICT",
    "DICT", "SETITEM", "SETITEMS", "GET", "BINGET", "LONG_BINGET", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
)  # fmt: skip


class _Reader(pickle._Unpickler):
    # The reader in Python, not in C: its opcodes can be chosen, and its memo is a dict, so that no number in a file
    # makes it reserve memory.
    dispatch: ClassVar[dict[int, Callable[..., Any]]] = {
        code: read for code, read in pickle._Unpickler.dispatch.items()
        if code in {getattr(pickle, name)[0] for name in _OPCODES}
    }  # fmt: skip

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise _RefusedError(f"{module}.{name}")
        return _KNOWN[module, name]


def _arrays_made(value: Any, made: dict[int, Any]) -> Any:
    """The object with its arrays; what is mentioned twice is made once, or a small file could fill the memory."""
    if not isinstance(value, _Array | dict | list):
        return value
    if id(value) in made:
        return made[id(value)]
    if isinstance(value, _Array) and isinstance(value.content, list):
        # An array of objects is how NumPy wraps a dict into a file: its list of objects, each of them checked.
        listed_objects: list[Any] = []
        made[id(value)] = listed_objects
        listed_objects.extend(_arrays_made(v, made) for v in value.content)
    elif isinstance(value, _Array):
        made[id(value)] = value.values()
    elif isinstance(value, dict):
        found: dict[Any, Any] = {}
        made[id(value)] = found
        found.update((k, _arrays_made(v, made)) for k, v in value.items())
    else:
        listed: list[Any] = []
        made[id(value)] = listed
        listed.extend(_arrays_made(v, made) for v in value)
    return made[id(value)]
