"""The deterministic contract between pixels and a model, where it comes from, and its plain reference. Never torch."""

from sightline.preprocessing.contract import Preprocessing
from sightline.preprocessing.reference import Geometry

__all__ = ["Geometry", "Preprocessing"]
