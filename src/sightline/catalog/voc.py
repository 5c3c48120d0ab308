"""Annotations in Pascal VOC's XML, as ILSVRC has them: what is where in an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from sightline.errors import DataError

MAX_BYTES = 4 << 20
"""An annotation beyond this is refused; real ones have a few kilobytes."""

DIFFICULT, TRUNCATED, OCCLUDED, INTERPOLATED = 1 << 1, 1 << 2, 1 << 3, 1 << 4
"""Bits of `flags` in a box of the sample table."""


@dataclass(frozen=True, kw_only=True)
class VocObject:
    """One object of an image."""

    name: str
    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 as fractions of the annotated width and height, inside [0, 1]."""
    track: int | None = None
    flags: int = 0

    def entry(self, class_id: int, width: float, height: float) -> dict[str, Any]:
        """The box in the column `boxes` of an image of that size."""
        x0, y0, x1, y1 = self.box
        return {"space": "", "id": class_id, "x0": x0 * width, "y0": y0 * height, "x1": x1 * width, "y1": y1 * height,
                "track": self.track, "flags": self.flags}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class VocImage:
    """What an annotation says of an image."""

    width: int
    height: int
    """Size that the boxes refer to; the file may have another."""
    objects: tuple[VocObject, ...]
    """Objects whose box has an area inside the image."""
    dropped: int
    """Boxes without one."""


def parse(data: bytes, source: str) -> VocImage:
    """The annotation. Raises DataError for what is no VOC annotation, or declares entities: those are not read."""
    if len(data) > MAX_BYTES:
        raise DataError(f"{source} has {len(data):,} bytes; that is no annotation of an image.")
    root = _tree(data, source)
    size = _first(root, "size")
    try:
        width, height = int(_text(size, "width")), int(_text(size, "height"))
        found = [_object(o, width, height) for o in root.get("object", []) if isinstance(o, Mapping)]
    except ValueError as e:
        raise DataError(f"{source} has a size or a box that is no number ({e}). Fetch it again.") from None
    if width < 1 or height < 1:
        raise DataError(f"{source} says that the image is {width} × {height}. Fetch it again.")
    kept = tuple(o for o in found if o.box[0] < o.box[2] and o.box[1] < o.box[3])
    return VocImage(width=width, height=height, objects=kept, dropped=len(found) - len(kept))


def _object(found: Mapping[str, Any], width: int, height: int) -> VocObject:
    box = _first(found, "bndbox")
    x0, x1 = (min(max(float(_text(box, n)), 0.0), width) / max(width, 1) for n in ("xmin", "xmax"))
    y0, y1 = (min(max(float(_text(box, n)), 0.0), height) / max(height, 1) for n in ("ymin", "ymax"))
    bits = {"difficult": DIFFICULT, "truncated": TRUNCATED, "occluded": OCCLUDED, "generated": INTERPOLATED}
    flags = sum(bit for name, bit in bits.items() if _text(found, name, "0") not in {"0", "", "Unspecified"})
    track = _text(found, "trackid", "")
    return VocObject(name=_text(found, "name", ""), box=(x0, y0, x1, y1), track=int(track) if track else None,
                     flags=flags)  # fmt: skip


Tree = dict[str, list[Any]]
"""Name of an element → its contents in order: a Tree, or text where it has no elements."""


def _tree(data: bytes, source: str) -> Tree:
    root: Tree = {}
    stack: list[tuple[Tree, list[str]]] = [(root, [])]

    def refuse(*_: Any) -> None:
        raise DataError(f"{source} declares a document type or entities; an annotation needs none, and they are not "
                        "read. Fetch it again.")  # fmt: skip

    def start(name: str, attributes: Any) -> None:
        if len(stack) > 32:
            raise DataError(f"{source} is nested more than 32 deep; that is no annotation of an image.")
        stack.append(({}, []))

    def end(name: str) -> None:
        tree, text = stack.pop()
        stack[-1][0].setdefault(name, []).append(tree or "".join(text).strip())

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: stack[-1][1].append(text)
    try:
        parser.Parse(data, True)
    except expat.ExpatError as e:
        raise DataError(f"{source} is not readable XML ({e}). Fetch it again.") from None
    return _first(root, "annotation")


def _first(tree: Mapping[str, Any], name: str) -> Tree:
    found: Any = next(iter(tree.get(name, [])), {})
    return found if isinstance(found, dict) else {}


def _text(tree: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Text of an element. Raises ValueError where it is missing and there is no default."""
    found = next((v for v in tree.get(name, []) if isinstance(v, str)), default)
    if found is None:
        raise ValueError(f"no <{name}>")
    return found
