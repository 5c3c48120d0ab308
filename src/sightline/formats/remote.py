"""Sources that lie elsewhere: a folder of class folders, or a table of image files, by its address."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath

from sightline.errors import DataError, DecodeError
from sightline.formats import hub_parquet, manifest
from sightline.formats.class_tree import IMAGE_SUFFIXES, is_hidden, samples_of
from sightline.formats.listing import Attributes, Listing
from sightline.formats.tables import SUFFIXES
from sightline.images.remote import Entry, Remote

MAX_TABLE_BYTES = 1 << 30
MAX_BESIDE_BYTES = 64 << 20
"""Parquet beside folders is fetched to see whether it is a table of paths only up to here; larger ones hold images."""
CONTAINERS = (".parquet", ".arrow", ".tar", ".zip", ".gz", ".tgz", ".tfrecord", ".mdb", ".h5", ".hdf5", ".npy", ".npz",
              ".mds")  # fmt: skip
"""What is read on a disk only: to find one image in them takes many requests."""


def read(address: str, attributes: Attributes) -> Listing:
    """Samples at an address, which stay there: images are fetched when they are wanted.

    Keys, splits and labels are those of the same files on a disk. Raises DataError for archives and other containers,
    which are read on a disk only, and for a place that does not answer.
    """
    if attributes.views:
        raise DataError(f"{address} is read in one way; DICOM and TIFF stacks are read on a disk only.")
    name = PurePosixPath(address).name
    if name.lower().endswith(SUFFIXES):
        return _table(address.rpartition("/")[0], [name], attributes)
    remote = Remote(address)
    entries = remote.entries()
    _refuse_containers(address, [name, *(e.name for e in entries)])
    if not entries:
        raise DataError(f"{address} holds no files, or does not list them. Wanted: a folder for each class, or the "
                        "address of a table with the columns path and label.")  # fmt: skip
    tops = [e.name for e in entries if "/" not in e.name and e.name.lower().endswith(SUFFIXES) and _is_small(e)]
    if tops and (listing := _table_beside(address, tops, attributes)) is not None:
        return listing
    if attributes.is_given:
        raise DataError(f"{address} is a tree of class folders, which has no columns for groups or time. List the "
                        "files in a table with the columns path and label, and give its address.")  # fmt: skip
    return _tree(remote, entries, name)


def _is_small(entry: Entry) -> bool:
    return not entry.name.lower().endswith(".parquet") or (entry.num_bytes or 0) <= MAX_BESIDE_BYTES


def _refuse_containers(address: str, names: list[str]) -> None:
    """Raise DataError where archives and the like are all there is."""
    kinds = sorted({PurePosixPath(n).suffix.lower() for n in names if n.lower().endswith(CONTAINERS)})
    if kinds and not any(n.lower().endswith((*IMAGE_SUFFIXES, *SUFFIXES)) for n in names if not n.endswith(".parquet")):
        raise _only_on_a_disk(address, ", ".join(kinds))


def _only_on_a_disk(address: str, kinds: str) -> DataError:
    return DataError(f"{address} holds {kinds} files. Images inside them are read on a disk only: fetch them and give "
                     "their path; or, for a dataset of a hub, sl.from_huggingface(datasets.load_dataset(NAME)).")


def _tree(remote: Remote, entries: list[Entry], name: str) -> Listing:
    tree: dict[str, list[str]] = {"": []}
    shown = [e for e in entries if not any(is_hidden(part) for part in e.name.split("/"))]
    for entry in shown:
        folder, _, file = entry.name.rpartition("/")
        tree.setdefault(folder, []).append(file)
        while folder:
            folder = folder.rpartition("/")[0]
            tree.setdefault(folder, [])
    found = samples_of(tree, remote.address)
    sizes = {e.name: e.num_bytes for e in shown}
    return Listing(
        layout="class folders", name=name, roots={"source": remote.address}, keys=found.keys, splits=found.splits,
        labels=found.labels, class_ids=found.class_ids, notes=found.notes,
        images={"root": "source", "path": found.keys, "container": "file", "length": [sizes[k] for k in found.keys]},
    )  # fmt: skip


def _table_beside(address: str, names: list[str], attributes: Attributes) -> Listing | None:
    """The listing of tables at the top of a folder, or None where they name no images."""
    with tempfile.TemporaryDirectory() as place:
        files = _fetched(address, names, Path(place))
        tables = [f.name for f in files if f in manifest.tables_in(Path(place))]
    return _table(address, tables, attributes) if tables else None


def _table(address: str, names: list[str], attributes: Attributes) -> Listing:
    with tempfile.TemporaryDirectory() as place:
        files = _fetched(address, names, Path(place))
        if any(f.suffix.lower() == ".parquet" and hub_parquet.is_at(f) for f in files):
            raise _only_on_a_disk(address, ".parquet")
        title = PurePosixPath(address).name if len(files) > 1 else files[0].stem
        return manifest.read_elsewhere(files, address, title, attributes)


def _fetched(address: str, names: list[str], place: Path) -> list[Path]:
    remote = Remote(address)
    files = []
    for name in names:
        try:
            data = remote.read(name, 0, MAX_TABLE_BYTES + 1)
        except DecodeError as e:
            raise DataError(f"{address}/{name}: {e}. Check the address.") from None
        if len(data) > MAX_TABLE_BYTES:
            raise DataError(f"{address}/{name} has more than {MAX_TABLE_BYTES:,} bytes; fetch it and give its path.")
        file = place / Path(name).name
        file.write_bytes(data)
        files.append(file)
    return files
