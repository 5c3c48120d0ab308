"""Which layout a source has, and its samples as listings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from sightline import catalog
from sightline.catalog import imagenet_names
from sightline.catalog.published import as_published, may_be_published
from sightline.errors import DataError, did_you_mean
from sightline.formats import FORMATS, Attributes, Format, Listing, converted, detect, remote, scikit_digits
from sightline.formats.listing import joined
from sightline.images.remote import is_address


def listings_of(source: str, attributes: Attributes, *, is_whole: bool) -> Iterator[Listing]:
    """The samples of a source in its order: one listing, or many where a source may be larger than memory.

    With `is_whole` always one. Raises DataError for a source that is none.
    """
    path = Path(source)
    if is_address(source):
        yield as_published(remote.read(source, attributes))
        return
    if not path.exists():
        if source == "digits":
            _refuse_columns(attributes, "digits")
            yield scikit_digits.read()
            return
        path = _found(source)
    layout = _layout(path, attributes)
    if layout.read_blocks is None or is_whole:
        yield as_published(layout.read(path, attributes))
        return
    blocks = layout.read_blocks(path, attributes)
    first = next(blocks)
    if not may_be_published(first):
        yield from chain([first], blocks)
    elif (official := imagenet_names.in_blocks(partial(layout.read_blocks, path, attributes))) is not None:
        yield from official
    else:  # what the names of all files decide
        yield as_published(joined([first, *blocks]))


def _layout(path: Path, attributes: Attributes) -> Format:
    if (path / "study.json").exists():
        raise DataError(f"{path} is a study: its samples are listed already. Go on with it: sightline split {path}. Or "
                        "give the source it was made of.")  # fmt: skip
    known = (converted.FORMAT, *catalog.LAYOUTS)  # what `convert` wrote tells more than any dataset's own layout
    layout = next((layout for layout in known if layout.is_at(path)), None) or detect(path)
    if not layout.has_columns:
        _refuse_columns(attributes, layout.name)
    strange = [word for word in attributes.views if word not in layout.views]
    if strange:
        able = "".join(f" #{word}: {meaning}." for word, meaning in layout.views.items()) or " It is read in one way."
        raise DataError(f"The source is {layout.name}, which has no view {strange[0]!r}.{able}")
    return layout


def _refuse_columns(attributes: Attributes, layout: str) -> None:
    if attributes.is_given:
        able = ", ".join(f.name for f in FORMATS if f.has_columns)
        raise DataError(
            f"The source is {layout}, which has no columns for groups or time; {able} have. Write a CSV with the "
            "columns path, label and the group or time, and index that."
        )


def _found(source: str) -> Path:
    """Folder of a dataset named in the catalog. Raises DataError for anything else that does not exist."""
    names = [card.name for card in catalog.datasets()]
    if source not in names:
        is_name = re.fullmatch(r"[\w.-]+", source)
        hint = did_you_mean(source, names) if is_name else ""
        raise DataError(f"{source} does not exist. Give the path of a folder or a table, or a dataset's name.{hint}")
    card = catalog.datasets(source)
    place = card.located()
    if place is None:
        raise DataError(
            f"{card.title} was not found below {Path('data').resolve()}. Put its files into data/{card.place} "
            f"({card.layout}), or give their path. It comes from {card.homepage} ({card.access})."
            + (f" Fetch it: sightline datasets {card.name} --fetch" if card.is_served else "")
        )
    return place
