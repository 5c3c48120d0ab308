"""Fitting a recipe to the training split."""

from sightline.training.loop import train

__all__ = ["train"]
