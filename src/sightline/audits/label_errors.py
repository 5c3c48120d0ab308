"""Label errors: a ranked queue of labels that are likely wrong, for a person to decide; nothing is ever deleted."""

from __future__ import annotations

from typing import Any

import numpy as np

from sightline.audits.evidence import Evidence
from sightline.audits.findings import Finding
from sightline.audits.label_quality import LabelQuality, label_quality

MARGIN = 1.5
"""The queue is this many times as long as the estimated number of errors: the ranking is not perfect."""

LONGEST = 20_000
"""Rows of the queue at most; who has decided on so many runs the audit again."""

MANY = 0.05
"""Share of wrong labels, those that a weak judge may have made up left out, from which there is a warning."""

NUM_PAIRS = 8


def label_errors(evidence: Evidence) -> list[Finding]:
    """A finding on the labels as a whole with the classes that are confused, and a queue, the most doubtful first.

    Each row of the queue names the suggested class, both probabilities, and the most similar sample that has the
    suggested class with good reason. Empty where fewer than 20 samples have labels.
    """
    quality = label_quality(evidence)
    if quality is None:
        return []
    estimated = quality.joint.num_errors
    queue = quality.queue(min(LONGEST, int(np.ceil(MARGIN * estimated))))
    if not len(queue):
        return []
    alike = quality.most_similar(queue)
    rows = [_row(evidence, quality, i, j) for i, j in zip(queue.tolist(), alike.tolist(), strict=True)]
    return [_whole(evidence, quality, estimated, len(queue)), *rows]


def _row(evidence: Evidence, quality: LabelQuality, i: int, alike: int) -> Finding:
    row = int(quality.rows[i])
    related = int(quality.rows[alike]) if alike >= 0 else None
    suggested, given = int(quality.suggested[i]), float(quality.given[i])
    title = evidence.samples.classes.title
    chances = {"given": round(given, 4), "suggested": round(float(quality.probability_of_suggested[i]), 4)}
    facts: dict[str, Any] = {
        "label": title(int(quality.labels[i])), "suggested_class": title(suggested), "suggested": suggested,
        "probabilities": chances, "split": evidence.assigned[row],
    }  # fmt: skip
    if related is not None:
        facts["related"] = evidence.keys[related]
    return Finding(
        level="info", subject=evidence.keys[row], score=float(quality.doubt[i]),
        message=f"labelled {title(int(quality.labels[i]))} ({100 * chances['given']:.0f} %), looks like "
                f"{title(suggested)} ({100 * chances['suggested']:.0f} %)",
        sample_id=evidence.ids[row], related_id=None if related is None else evidence.ids[related], evidence=facts,
    )  # fmt: skip


def _whole(evidence: Evidence, quality: LabelQuality, estimated: int, queued: int) -> Finding:
    n, share = len(quality.rows), estimated / len(quality.rows)
    title = evidence.samples.classes.title
    pairs = [{"given": title(a), "likely": title(b), "samples": k} for a, b, k in quality.joint.pairs()[:NUM_PAIRS]]
    judge = "embeddings" if evidence.embeddings is not None else "random-patch features"
    judge += " and the given predictions" if quality.blended is not None else ""
    facts: dict[str, Any] = {
        "judged": n, "estimated_errors": estimated, "queued": queued, "confused": pairs, "judge": judge,
        "at_least": round(quality.joint.at_least, 4), "agreement": round(quality.agreement, 4),
        "regularization": quality.regularization,
    }  # fmt: skip
    if quality.blended is not None:
        facts["weights"] = [round(w, 4) for w in quality.blended.weights]
    is_weak = share >= MANY > quality.joint.at_least
    weak = " How many of these are the judge's own mistakes cannot be told." if is_weak else ""
    confused = f" Most confused: {pairs[0]['given']} for {pairs[0]['likely']}." if pairs else ""
    return Finding(
        level="warning" if min(share, quality.joint.at_least) >= MANY else "info", subject="label",
        score=min(1.0, share), evidence=facts,
        message=f"about {estimated:,} of {n:,} labels ({100 * share:.1f} %) may be wrong, by {judge}, which agree with "
                f"{100 * quality.agreement:.1f} % of them; {queued:,} are queued for review.{weak}{confused}",
    )  # fmt: skip
