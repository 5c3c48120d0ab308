"""The checklist before training: mistakes that cost hours are found in seconds."""

from sightline.checks.going_through import check

__all__ = ["check"]
