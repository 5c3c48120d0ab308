"""What is known about LAION's sets of addresses."""

from typing import Any

from sightline.catalog.card import Card, PublishedFile

_SHARED: dict[str, Any] = {
    "num_classes": 0,
    "task": "none: pictures with the text that stood beside them on a page",
    "resolution": "any; img2dataset usually stores 256 to 512 pixels, encoded anew",
    "groups": "the host that served a picture, and equal downloaded bytes; the same picture under many addresses stays "
    "apart unless duplicates are looked for",
    "augmentation": "horizontal flips change text in pictures, and left and right in captions",
    "annotation": "none: captions are alt texts, scores are a network's",
    "scope": "training of models of image and text: captions are read, no such model is built; labels come from "
    "captions or scores alone and are weak",
    "consent": "nobody was asked, neither who made the pictures nor who is in them",
    "biases": "what the web shows with an alt text: shops, stock photographs, celebrities; stereotypes, pornography "
    "and hate are in it, and filters by a network miss some",
}
_QUIRKS = (
    "a table of addresses is no set of pictures: many of them are gone, and others show something else by now",
    "hash is a number of 64 bits and not unique: it is no key",
    "null occurs in every column",
    "img2dataset: the table has all rows, the tar only what was fetched; rows stand in the order in which downloads "
    "ended; sha256 is of the downloaded bytes, not of the stored picture, which was resized and encoded anew",
)
_REMOVALS = (
    "withdrawn in December 2023, because addresses led to images of child abuse; Re-LAION-5B is the set without 2,236 "
    "addresses. The original tables are refused unless a list of removals lies beside them"
)

LAION_400M = Card(
    name="laion-400m",
    title="LAION-400M (about that many addresses of pictures)",
    num_samples={"all": 400_000_000},
    licence="CC BY 4.0 for the tables; every picture has its owner",
    access="withdrawn",
    homepage="laion.ai/blog/laion-400-open-dataset",
    layout="Parquet with URL, TEXT, NSFW, similarity, LICENSE; or img2dataset's shards (tar or folders, with Parquet)",
    folders=("laion-400m", "laion400m"),
    removals=_REMOVALS,
    quirks=_QUIRKS,
    files=(PublishedFile(name="part-00000.parquet"),),
    gate="withdrawn by its publisher: use Re-LAION-5B",
    **_SHARED,
)

RE_LAION_5B = Card(
    name="re-laion-5b",
    title="Re-LAION-5B (addresses of pictures)",
    num_samples={"all": 5_526_641_167},
    licence="the tables' is on their hub's page; every picture has its owner",
    access="gated",
    homepage="laion.ai/blog/relaion-5b",
    layout="Parquet with URL, TEXT, similarity, hash, pwatermark, punsafe; or img2dataset's shards (tar or folders, "
    "with Parquet); one file at a time",
    folders=("re-laion-5b", "relaion"),
    removals=_REMOVALS,
    quirks=(*_QUIRKS, "five billion rows are no single table: read the part that was fetched"),
    files=(PublishedFile(name="part-00000.parquet"),),
    gate="ask for access to laion/relaion2B-en-research-safe (and -multi-, 1B-nolang-) on its hub, fetch a part, and "
    "index it as FOLDER#re-laion",
    **_SHARED,
)
