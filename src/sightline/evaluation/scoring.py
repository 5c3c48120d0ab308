"""The verb `evaluate`: load · open · predict · score · record.

Everything that can be found wrong is found before the test split is opened. From then on the look counts, whatever
happens: a crash on the way to the score is still a look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline import distributed
from sightline.audits import Findings
from sightline.digests import digest_of, short
from sightline.errors import DataError, LedgerError, SplitError
from sightline.evaluation.unchanged import require_unchanged
from sightline.evaluation.unseen import require_unseen
from sightline.inference import Classifier
from sightline.inference.predicting import Model, as_classifier
from sightline.ledger import Ledger, Look
from sightline.metrics import Score, score
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import SealedSplit, Split


def evaluate(
    models: Model | Sequence[Model], samples: SampleTable, split: Split | SealedSplit, *,
    ledger: Ledger | str | Path | None = None, note: str | None = None, findings: Findings | None = None,
    device: str = "auto",
) -> Score | tuple[Score, ...]:  # fmt: skip
    """The score of a model on a split, or the scores of several in their order.

    The sealed test needs `ledger`, where a line is written before it is opened; from the second look on also a `note`
    that says why. Several models in one call are one look. With `findings`, `without_leaks` is the top-1 without the
    test samples that have a copy in train. Intervals follow the table's groups.

    Raises ContractError where classes or preprocessing are not a model's own, SplitError for a model fitted to samples
    of the split, or to splits that sealed another test, LedgerError for a look that is not allowed; all of them before
    the test is opened. SplitError, too, for images that were changed since they were indexed: of the sealed test that
    can be told only once it is open, so the look counts (the verb compares its files beforehand).
    """
    chosen = [models] if isinstance(models, str | Path | Classifier | Run) else list(models)
    if not chosen:
        raise DataError("There is no model to evaluate: the list is empty.")
    classifiers = [as_classifier(m, device) for m in chosen]
    for classifier in classifiers:
        classifier.preprocessing.require_classes(samples.classes.ids, samples.name)
    digests = {"samples": samples.digest, "split": split.digest}
    with distributed.joined(classifiers[0].device.type):
        if isinstance(split, SealedSplit):
            scores = _sealed(classifiers, samples, split, _ledger(ledger, split), note, findings)
        else:
            _refuse_without_effect(split, ledger=ledger, note=note)
            for model, classifier in zip(chosen, classifiers, strict=True):
                require_unseen(model, classifier.digests, samples, split)
            rows = _rows(samples, split.ids)
            distributed.of_first(lambda: require_unchanged(rows, split.name))
            scores = tuple(_scored(c, rows, digests, split.name) for c in classifiers)
    return scores[0] if isinstance(models, str | Path | Classifier | Run) else scores


def _sealed(
    classifiers: Sequence[Classifier], samples: SampleTable, split: SealedSplit, ledger: Ledger, note: str | None,
    findings: Findings | None,
) -> tuple[Score, ...]:  # fmt: skip
    for classifier in classifiers:
        _check_fitted(classifier, samples, split)
    leaked = _leaked(findings, samples)
    weights = [c.digests.get("weights", repr(c)) for c in classifiers]
    look, ids = distributed.of_first(lambda: ledger.open(split, checkpoints=weights, verb="evaluate", note=note))
    rows = _rows(samples, ids)
    distributed.of_first(lambda: require_unchanged(rows, split.name))
    digests = {"samples": samples.digest, "split": split.digest}
    scores = tuple(_scored(c, rows, digests, split.name, look, leaked) for c in classifiers)
    distributed.of_first(lambda: ledger.record(look, _result(scores)))
    return scores


def _result(scores: Sequence[Score]) -> dict[str, Any]:
    """What the ledger keeps: a value where one model was scored, else a list in the order of the checkpoints."""
    kept: dict[str, list[Any]] = {
        "top1": [s.top1.to_json() for s in scores],
        "nll": [s.nll.to_json() for s in scores],
        "predictions": [s.digests["predictions"] for s in scores],
    }
    return {name: values[0] if len(values) == 1 else values for name, values in kept.items()}


def _scored(
    classifier: Classifier, rows: SampleTable, digests: Mapping[str, str], split: str, look: Look | None = None,
    leaked: Iterable[bytes] = (),
) -> Score:  # fmt: skip
    predictions = classifier.predict(rows)
    tied = {**digests, "environment": digest_of(predictions.meta["environment"])}
    number = look.number if look is not None else None
    made = score(predictions, split, groups=rows.column("group_id"), leaked=leaked, look=number, digests=tied)
    return replace(made, corrected=look.correction) if look is not None else made


def _rows(samples: SampleTable, ids: Iterable[bytes]) -> SampleTable:
    """The samples with these ids, in the order of the table."""
    positions = np.sort(samples.positions(ids))
    if not len(positions):
        raise DataError(f"There is no sample of {samples.name} to score: the split is empty.")
    return samples.take(positions)


def _check_fitted(classifier: Classifier, samples: SampleTable, split: SealedSplit) -> None:
    """A model fitted to another division of the same samples may have seen the test: that number would lie."""
    fitted = classifier.digests
    if fitted.get("trained_on_samples") != samples.digest or fitted.get("trained_without") == split.digest:
        return
    raise SplitError(
        f"this model was fitted to other splits of {samples.name} (it left out the test {_named(fitted)}, this one is "
        f"{short(split.digest)}): samples of this test may have been in its training. Evaluate a model trained on "
        "these splits: sightline train STUDY."
    )


def _leaked(findings: Findings | None, samples: SampleTable) -> tuple[bytes, ...]:
    if findings is None:
        return ()
    if findings.about.get("samples", samples.digest) != samples.digest:
        raise DataError(f"The findings are of other samples than {samples.name}. Run sightline audit again.")
    return findings.leaked_test_ids()


def _named(fitted: Mapping[str, str]) -> str:
    return short(fitted["trained_without"]) if fitted.get("trained_without") else "of no kind"


def _ledger(ledger: Ledger | str | Path | None, split: SealedSplit) -> Ledger:
    if ledger is None:
        raise LedgerError(f"The {split.name} split is sealed, and looks at it are counted. Say where: "
                          "sl.evaluate(…, ledger='study/ledger.jsonl').")
    return ledger if isinstance(ledger, Ledger) else Ledger(Path(ledger))


def _refuse_without_effect(split: Split, **given: Any) -> None:
    """Arguments that only the sealed test gives a meaning."""
    for name, value in given.items():
        if value is not None:
            raise LedgerError(f"{name} has no effect on {split.name}: it is for the sealed test alone. Leave it out.")
