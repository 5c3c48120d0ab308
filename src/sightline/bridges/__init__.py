"""Datasets of other libraries as sample tables, and back: images and labels, read when they are wanted."""

from sightline.bridges.huggingface import from_huggingface
from sightline.bridges.torch_datasets import from_torch
from sightline.bridges.writing import to_huggingface

__all__ = ["from_huggingface", "from_torch", "to_huggingface"]
