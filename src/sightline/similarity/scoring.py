"""Scoring: from the agreements of a pair to how certainly both show the same photograph."""
import numpy as np
def scores(evidence, a, b):
    return np.clip(np.arctanh(np.clip(evidence[:, 2], 0, .999)) - (np.arctanh(np.clip(a, 0, .99)) + np.arctanh(np.clip(b, 0, .99))) / 2, 0, 3) / 3
