"""A Croissant description of a converted folder: what the files are, their checksums, and the columns of its table.

Croissant has no words for byte ranges, groups that must not be split, or crops; those stand in the table alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from sightline.catalog import CATALOG
from sightline.digests import sha256_file
from sightline.formats.converted import CLASSES, SAMPLES
from sightline.samples import SampleTable

NAME = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
_OURS = ("column", "data", "dataType", "examples", "extract", "field", "fileObject", "fileProperty", "fileSet",
         "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "citeAs", "equivalentProperty", "parentField",
         "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator", "source",
         "subField", "transform")  # fmt: skip
"""Words of the vocabulary itself; those of schema.org need no entry."""
_KINDS = {"data": {"@type": "@json"}, "examples": {"@type": "@json"}, "dataType": {"@type": "@vocab"}}


def described(samples: SampleTable, folder: Path, shards: Sequence[str], media_type: str) -> dict[str, Any]:
    """The description of a folder whose files are all written; the same samples give the same text."""
    names = {card.name: card for card in CATALOG}
    card = names.get(samples.column("dataset")[0]) or names.get(samples.name)
    known = {} if card is None else {"license": card.licence, "url": card.homepage}
    return {
        "@context": _context(), "@type": "sc:Dataset", "name": samples.name if card is None else card.title,
        "description": f"{len(samples):,} samples of {len(samples.classes):,} classes, in the order of {SAMPLES}.",
        "conformsTo": CONFORMS_TO, **known, "distribution": _distribution(samples, folder, shards, media_type),
        "recordSet": [_classes(), _samples()],
    }  # fmt: skip


def _context() -> dict[str, Any]:
    words: dict[str, Any] = {
        word: {"@id": f"cr:{word}", **_KINDS[word]} if word in _KINDS else f"cr:{word}" for word in sorted(_OURS)
    }
    places = {"sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/", "dct": "http://purl.org/dc/terms/",
              "rai": "http://mlcommons.org/croissant/RAI/"}  # fmt: skip
    return {"@language": "en", "@vocab": "https://schema.org/", "conformsTo": "dct:conformsTo", **places, **words}


def _distribution(samples: SampleTable, folder: Path, shards: Sequence[str], media_type: str) -> list[dict[str, Any]]:
    """Files with their checksums; images that are files of their own as one set."""
    files = [_file(folder, name, "application/x-parquet") for name in (SAMPLES, CLASSES)]
    files += [_file(folder, name, media_type) for name in shards]
    paths = samples.table["image"].combine_chunks().field("path").filter(pa.array(samples.is_ok)).to_pylist()
    # A pattern for each depth: readers disagree about what ** means.
    globs = {path.partition("/")[0] + "/*" * path.count("/") for path in set(paths) - set(shards)}
    if globs:
        files.append({"@type": "cr:FileSet", "@id": "images", "name": "images", "encodingFormat": media_type,
                      "includes": sorted(globs)})  # fmt: skip
    return files


def _file(folder: Path, name: str, media_type: str) -> dict[str, Any]:
    path = folder / name
    return {
        "@type": "cr:FileObject", "@id": name, "name": name, "contentUrl": name, "encodingFormat": media_type,
        "contentSize": f"{path.stat().st_size} B", "sha256": sha256_file(path),
    }  # fmt: skip


def _classes() -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet", "@id": "classes", "name": "classes", "dataType": "sc:Enumeration",
        "key": {"@id": "classes/id"},
        "field": [_field("classes", "id", "sc:Integer", CLASSES), _field("classes", "native_id", "sc:Text", CLASSES),
                  _field("classes", "name", "sc:Text", CLASSES)],
    }  # fmt: skip


def _samples() -> dict[str, Any]:
    label = _field("samples", "label", "sc:Integer", SAMPLES) | {"references": {"field": {"@id": "classes/id"}}}
    return {
        "@type": "cr:RecordSet", "@id": "samples", "name": "samples", "key": {"@id": "samples/key"},
        "field": [_field("samples", "key", "sc:Text", SAMPLES), _field("samples", "split", "sc:Text", SAMPLES),
                  _field("samples", "group_id", "sc:Text", SAMPLES), label,
                  _field("samples", "status", "sc:Text", SAMPLES)],
    }  # fmt: skip


def _field(records: str, column: str, kind: str, file: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field", "@id": f"{records}/{column}", "name": column, "dataType": kind,
        "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
    }  # fmt: skip
