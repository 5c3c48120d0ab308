"""Inspection: one look at every image of a table, and what it leaves behind for all later questions.

The images are decoded once: for the fingerprints of the sample table, for what their files say, for what the pictures
look like, and for a thumbnail.
"""

from sightline.inspection.reading import inspect
from sightline.inspection.schema import BARS, FACTS, MEASURES, SCHEMA
from sightline.inspection.values import Inspection, OtherSamplesError

__all__ = ["BARS", "FACTS", "MEASURES", "SCHEMA", "Inspection", "OtherSamplesError", "inspect"]
