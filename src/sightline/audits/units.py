"""Samples that must not answer for one another: those of one group, copies, and near copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from sightline.audits.evidence import Evidence

Array = np.ndarray[Any, Any]


def units_of(evidence: Evidence) -> Array:
    """int64 (n,): the unit of each sample of the table, the connected component over group, pixels and near pairs."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    table, n = evidence.samples.table, len(evidence.samples)
    rows, nodes, size = [], [], n
    for column in (table["group_id"], table["pixel_sha256"]):
        codes = column.combine_chunks().dictionary_encode()
        known = np.flatnonzero(codes.is_valid().to_numpy(zero_copy_only=False))
        rows.append(known)
        nodes.append(size + codes.indices.drop_null().to_numpy().astype(np.int64))
        size += len(codes.dictionary)
    rows.append(np.arange(n))
    nodes.append(evidence.near_pairs.clusters())  # the smallest row of the cluster, which is a node as well
    ends = np.concatenate(rows), np.concatenate(nodes)
    graph = coo_matrix((np.ones(len(ends[0]), np.int8), ends), (size, size))
    return np.asarray(connected_components(graph, directed=False)[1][:n], np.int64)
