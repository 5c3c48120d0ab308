"""From a checkpoint and images to predictions, exact for any batch size and number of processes."""

from sightline.inference.classifier import Classifier
from sightline.inference.predicting import load, predict

__all__ = ["Classifier", "load", "predict"]
