"""The sample table: one row per classification sample, and the classes its labels mean.

A `SampleTable` is checked when it is born; nobody checks it again. Identity, groups, image reference, labels and
fingerprints are columns; what differs between datasets lies in values, never in other columns.
"""

from sightline.samples.classes import Classes
from sightline.samples.reading import pixel_sha256_of, pixel_sums_of
from sightline.samples.schema import BOX, IMAGE, LABEL, SCHEMA, VERSION, sample_id_of, table_from_rows
from sightline.samples.table import SampleTable

__all__ = [
    "BOX", "IMAGE", "LABEL", "SCHEMA", "VERSION", "Classes", "SampleTable", "pixel_sha256_of", "pixel_sums_of",
    "sample_id_of", "table_from_rows",
]  # fmt: skip
