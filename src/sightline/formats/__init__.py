"""Storage layouts: each module finds and lists the samples of one of them. Nothing is decoded here."""

from pathlib import Path

from sightline.errors import DataError
from sightline.formats import (
    arrow,
    class_folders,
    converted,
    hdf5,
    hub_parquet,
    idx,
    litdata,
    lmdb,
    manifest,
    mds,
    numpy_arrays,
    tar_folders,
    tfrecord,
    webdataset,
    zip_folders,
)
from sightline.formats.headers import read_headers
from sightline.formats.listing import Attributes, Format, Listing

FORMATS = (
    converted.FORMAT,
    idx.FORMAT,
    hub_parquet.FORMAT,
    arrow.FORMAT,
    tfrecord.FORMAT,
    mds.FORMAT,
    litdata.FORMAT,
    lmdb.FORMAT,
    manifest.FORMAT,
    numpy_arrays.FORMAT,
    hdf5.FORMAT,
    webdataset.FORMAT,
    tar_folders.FORMAT,
    zip_folders.FORMAT,
    class_folders.FORMAT,
)
"""Tried in this order: a table of paths beside class folders says more than the folders do."""

__all__ = ["FORMATS", "Attributes", "Format", "Listing", "detect", "read_headers"]


def detect(path: Path) -> Format:
    """The layout found at a path that exists. Raises DataError for a file that is none of them, or is damaged."""
    for layout in FORMATS:
        if layout.is_at(path):
            return layout
    raise DataError(
        f"{path} is not a source Sightline reads. Wanted: a folder with one folder for each class, a tar or zip of "
        "such folders, WebDataset shards, MNIST's IDX files, Parquet, TFRecord, LMDB or HDF5 with images, or a CSV or "
        "Parquet table with the columns path and label."
    )
