"""One's own transform: any function of an image and a random generator."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import numpy as np

from sightline.augmentation.transform import Array, Transform, check
from sightline.errors import RecipeError
from sightline.randomness import Draws, generator_of

Function = Callable[[Array, np.random.Generator], Array]
ADVICE = "A transform is called with (image, rng): a uint8 array, height × width × channels, and a numpy Generator."


@dataclass(frozen=True, kw_only=True)
class Custom(Transform):
    """A function `(image, rng) -> image` of one's own, where `rng` is a function of (seed, epoch, sample, place).

    A function that a module defines is kept by name, with the digest of that module's file, and can stand in a recipe.
    A lambda, an inner function or one typed at a prompt works in Python, but no file could say what it was.
    """

    function: str | Function
    """`module:function`, or the function itself."""
    source: str = ""
    """sha256 of the file that defines the function, filled in when empty; a file that differs is refused."""

    def __post_init__(self) -> None:
        if not isinstance(self.function, str):
            is_instance = callable(self.function) and not isinstance(self.function, type)
            check(is_instance, "Custom.function", "a function of (image, rng), or 'module:function'", self.function)
            self.__dict__["_call"] = self.function
            object.__setattr__(self, "function", _name_of(self.function) or self.function)
        if isinstance(self.function, str) and not self.source:
            object.__setattr__(self, "source", _source_of(self.function))

    @property
    def name(self) -> str:
        """`module:function`, or what Python calls the function."""
        return self.function if isinstance(self.function, str) else getattr(
            self.function, "__qualname__", type(self.function).__name__)  # fmt: skip

    @property
    def is_named(self) -> bool:
        """Whether a file can say which function it is."""
        return isinstance(self.function, str)

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """The generator's key for each sample (uint64, n × 2)."""
        return draws.keys(stream)

    def apply(self, levels: Array, parameters: Array) -> Array:
        """What the function returns for a copy of the image. Raises RecipeError unless shape and type are the same."""
        try:
            out: Any = self._call(levels.copy(), generator_of(parameters))
        except RecipeError:
            raise
        except Exception as e:
            raise RecipeError(
                f"augmentation: {self.name} failed on a {_kind(levels)}: {type(e).__name__}: {e}. {ADVICE}"
            ) from e
        if not isinstance(out, np.ndarray) or out.shape != levels.shape or out.dtype != levels.dtype:
            got = _kind(out) if isinstance(out, np.ndarray) else type(out).__name__
            raise RecipeError(f"augmentation: {self.name} returned a {got}, wanted a {_kind(levels)} as it was given.")
        return np.ascontiguousarray(out)

    @cached_property
    def _call(self) -> Function:
        assert isinstance(self.function, str)
        found = _source_of(self.function)
        if found != self.source:
            raise RecipeError(
                f"augmentation: the file of {self.function} has changed: its sha256 is {found[:12]}…, and the recipe "
                f"was made with {self.source[:12]}…. Restore that file, or set the transform anew to take this one."
            )
        return _imported(self.function)


def _kind(levels: Array) -> str:
    return f"{levels.dtype} array of {' × '.join(map(str, levels.shape))}"


def _name_of(function: Function) -> str | None:
    """`module:function` when that name leads back to this very function, else None."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    owner = sys.modules.get(module) if isinstance(module, str) and module != "__main__" else None
    is_found = name is not None and getattr(owner, name, None) is function
    return f"{module}:{name}" if is_found and getattr(owner, "__file__", None) else None


def _split(name: str) -> tuple[str, str]:
    module, _, function = name.partition(":")
    check(bool(module) and function.isidentifier(), "Custom.function", "module:function", name)
    return module, function


def _source_of(name: str) -> str:
    """sha256 of the file that a module is in, hex. Nothing is imported."""
    module, _ = _split(name)
    loaded = getattr(sys.modules.get(module), "__file__", None)
    path = loaded or _file_of(module)
    if path is None or not Path(path).is_file():
        raise RecipeError(f"augmentation: there is no module {module!r} for {name!r} in this folder or among the "
                          "installed packages. Name it as module:function, importable from here.")  # fmt: skip
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _file_of(module: str) -> str | None:
    """Where a module lies, found part by part: importlib's own search would run the packages above it."""
    places: list[str] | None = [os.getcwd(), *sys.path]
    spec = None
    for part in _prefixes(module):
        spec = PathFinder.find_spec(part, places)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or [])
    return spec.origin if spec is not None else None


def _prefixes(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _imported(name: str) -> Function:
    module, function = _split(name)
    if "" not in sys.path:
        sys.path.insert(0, "")  # a file beside the person, as with `python -m`
    try:
        found: Any = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as e:
        raise RecipeError(f"augmentation: {name!r}: {e}. It must be module:function, importable from here.") from e
    if not callable(found):
        raise RecipeError(f"augmentation: {name!r} is a {type(found).__name__}, wanted a function. {ADVICE}")
    function_found: Function = found
    return function_found
