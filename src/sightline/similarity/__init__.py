"""Similarity: which images of a table show the same photograph, whatever was done to the copy.

`near_pairs` asks three questions, each dearer than the one before and of fewer pairs: which images could be copies
(`candidates`), how well one can be laid over the other (`alignment`), and whether that is more than lookalikes reach
(`scoring`).
"""

from sightline.similarity.pairs import CERTAIN, POSSIBLE, STRONG, NearPairs, Thumbnails
from sightline.similarity.search import near_pairs

__all__ = ["CERTAIN", "POSSIBLE", "STRONG", "NearPairs", "Thumbnails", "near_pairs"]
