"""Fields of a recipe: checked when it is born, read from JSON, and changed by text such as `optimizer.lr=0.2`."""

from __future__ import annotations

import ast
import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from sightline.errors import RecipeError, did_you_mean


def check(value: Any) -> None:
    """Raise RecipeError when a field of a part does not hold the type it is declared with; ints become floats."""
    hints = get_type_hints(type(value))
    for f in dataclasses.fields(value):
        got, hint = getattr(value, f.name), hints[f.name]
        if not _conforms(got, hint):
            raise RecipeError(f"{type(value).__name__}.{f.name} must be {_words(hint)}, got {got!r}.")
        # 1 and 1.0 are one learning rate: without this they would be two digests.
        if isinstance(got, int) and not isinstance(got, bool) and not _conforms_exactly_int(hint):
            object.__setattr__(value, f.name, float(got))


def require(is_valid: bool, message: str) -> None:
    """Raise RecipeError with `message` unless `is_valid`."""
    if not is_valid:
        raise RecipeError(message)


def from_json(data: Any, parts: Mapping[str, type]) -> Any:
    """The value that `digests.plain` wrote: objects with a `type` become that part, lists become tuples.

    Raises RecipeError for an unknown type or field.
    """
    if isinstance(data, list):
        return tuple(from_json(v, parts) for v in data)
    if not isinstance(data, dict):
        return data
    if "type" not in data:
        return {k: from_json(v, parts) for k, v in data.items()}
    name = data["type"]
    if name not in parts:
        raise RecipeError(f"A recipe has no part of type {name!r}.{did_you_mean(str(name), parts)}")
    return build(parts[name], {k: from_json(v, parts) for k, v in data.items() if k != "type"})


def build(part: type, values: Mapping[str, Any]) -> Any:
    """`part(**values)`. Raises RecipeError for an unknown or a missing field."""
    known = {f.name: f for f in dataclasses.fields(part)}
    for name in values:
        if name not in known:
            raise RecipeError(f"{part.__name__} has no field {name!r}.{did_you_mean(name, known)}")
    absent = [
        f.name for f in known.values()
        if f.name not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]  # fmt: skip
    if absent:
        raise RecipeError(f"{part.__name__} needs {', '.join(absent)}.")
    try:
        return part(**values)
    except TypeError as e:  # a word where a number is compared
        given = ", ".join(f"{name}={value!r}" for name, value in values.items())
        raise RecipeError(f"{part.__name__} cannot be made of {given}: {e}.") from e


def with_set(value: Any, assignment: str, parts: Mapping[str, type]) -> Any:
    """`value` with one field changed: `optimizer.lr=0.2`, `duration=Epochs(5)`; the right side is as in Python.

    Raises RecipeError for a field that does not exist or cannot have that value.
    """
    path, equals, text = assignment.partition("=")
    if not equals or not path.strip() or not text.strip():
        raise RecipeError(f"--set wants FIELD=VALUE, such as optimizer.lr=0.2; got {assignment!r}.")
    return _replaced(value, path.strip().split("."), parse(text.strip(), parts), path.strip())


def _replaced(value: Any, steps: list[str], new: Any, path: str) -> Any:
    name, rest = steps[0], steps[1:]
    if isinstance(value, Mapping):
        return {**value, name: _replaced(value.get(name, {}), rest, new, path) if rest else new}
    if not dataclasses.is_dataclass(value):
        raise RecipeError(f"--set {path}: {value!r} has no fields; set the whole of it instead.")
    known = [f.name for f in dataclasses.fields(value) if f.init]
    if name not in known:
        raise RecipeError(f"{type(value).__name__} has no field {name!r}.{did_you_mean(name, known)}")
    inner = _replaced(getattr(value, name), rest, new, path) if rest else new
    return dataclasses.replace(value, **{name: inner})  # type: ignore[type-var]


def parse(text: str, parts: Mapping[str, type]) -> Any:
    """The value that a text names: a Python literal, a part such as `AdamW(lr=0.001)`, true|false|none, or a word."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return text
    return _evaluate(node, parts, text)


def _evaluate(node: ast.expr, parts: Mapping[str, type], text: str) -> Any:
    if isinstance(node, ast.Name):
        words: dict[str, Any] = {"true": True, "false": False, "none": None, "null": None}
        if node.id in parts:
            return build(parts[node.id], {})
        return words.get(node.id, node.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id not in parts:
            raise RecipeError(f"A recipe has no part {node.func.id!r}.{did_you_mean(node.func.id, parts)}")
        part = parts[node.func.id]
        names = [f.name for f in dataclasses.fields(part)]
        require(len(node.args) <= len(names), f"{part.__name__} takes {len(names)} values, got {len(node.args)}.")
        values = {name: _evaluate(a, parts, text) for name, a in zip(names, node.args, strict=False)}
        return build(part, values | {str(k.arg): _evaluate(k.value, parts, text) for k in node.keywords})
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(_evaluate(v, parts, text) for v in node.elts)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return text  # timm:resnet18.a1_in1k and module:function parse as Python, but mean themselves


def _conforms(value: Any, hint: Any) -> bool:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(_conforms(value, a) for a in args)
    if origin is Literal:
        return value in args
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(args) == 2 and args[1] is Ellipsis:
            return all(_conforms(v, args[0]) for v in value)
        return len(value) == len(args) and all(_conforms(v, a) for v, a in zip(value, args, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, type(None) if hint is None else hint)


def _conforms_exactly_int(hint: Any) -> bool:
    return hint is int or any(a is int for a in get_args(hint)) or get_origin(hint) is Literal


def _words(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(a) for a in args)
    if origin is Literal:
        return " or ".join(repr(a) for a in args)
    if origin is not None:
        return str(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return f"{hint.__name__}(…)"
    plain = {float: "a number", int: "a whole number", str: "text", bool: "true or false", type(None): "none"}
    return plain.get(hint, f"a {getattr(hint, '__name__', hint)}")
