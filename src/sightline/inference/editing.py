"""A trained model asked about edited images of val, and about images of another source: the trial of a shortcut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from sightline.audits.edits import Edit, Neutral
from sightline.digests import short
from sightline.errors import DataError, DecodeError, SplitError
from sightline.images.upright import upright
from sightline.inference.classifier import Classifier
from sightline.inference.predicting import Model, as_classifier
from sightline.predictions import Predictions
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import Splits, channel_statistics

MOST = 2_000
"""Samples of val that are edited, and of another source that are asked about: an edit costs a prediction of each."""

TOGETHER = 256
"""Images in memory at a time."""

Array = np.ndarray[Any, Any]

Other = tuple[SampleTable, Splits | None]
"""Samples of another source, with their splits where they have any of their own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EditedVal:
    """A model and the samples of val that it is tried on."""

    name: str
    """What to call the model."""
    classifier: Classifier
    samples: SampleTable
    """Of val."""
    neutral: Neutral
    """The look of an ordinary training image."""
    others: Mapping[str, SampleTable] = field(default_factory=dict)
    """Samples of other sources, labelled in the model's classes."""

    def predictions(self, edit: Edit | None) -> Predictions:
        """Predictions for the samples of val with their images edited; None leaves them as they are.

        Both ways images go through upright 8-bit RGB and the contract's exact resizing, so that what changes a
        prediction is the edit alone.
        """
        logits = np.full((len(self.samples), len(self.classifier.classes)), np.nan, np.float32)
        unreadable: dict[int, str] = {}
        reader = self.samples.reader()
        for start in range(0, len(self.samples), TOGETHER):
            rows, arrays = [], []
            for i in range(start, min(start + TOGETHER, len(self.samples))):
                try:
                    arrays.append(self._given(np.asarray(upright(reader.pixels(i)).convert("RGB")), edit))
                    rows.append(i)
                except DecodeError as e:
                    unreadable[i] = str(e)
            if arrays:
                logits[rows] = self.classifier.predict(arrays).logits
        return Predictions.from_logits(self.samples, logits, unreadable=unreadable)

    def _given(self, pixels: Array, edit: Edit | None) -> Array:
        edited = pixels if edit is None else edit.run(pixels, self.neutral)
        if self.classifier.preprocessing.num_channels == 1:
            edited = np.asarray(Image.fromarray(edited).convert("L"))
        return edited if 8 in self.classifier.preprocessing.bits else edited.astype(np.float32) / 255

    def elsewhere(self) -> dict[str, Predictions]:
        """Name of another source → predictions for its samples."""
        return {name: self.classifier.predict(samples) for name, samples in self.others.items()}


def trial_of(
    model: Model, samples: SampleTable, splits: Splits, *, against: Mapping[str, Other] | None = None,
    device: str = "auto",
) -> EditedVal:  # fmt: skip
    """The trial of a model on the val split of its samples, and on other sources given by name.

    Of another source the samples outside of its test are taken, those whose class the model knows by native id or by
    name. Raises SplitError without a val split, or for a model fitted to other splits of these samples (it may have
    learnt val by heart); ContractError where its classes are others, DataError for a source without common classes.
    """
    classifier = as_classifier(model, device)
    classifier.preprocessing.require_classes(samples.classes.ids, samples.name)
    if splits.val is None:
        raise SplitError(f"{samples.name} has no val split, and edits are tried on val alone. Make one: "
                         "sightline split STUDY --val 0.1")  # fmt: skip
    fitted = classifier.digests
    if fitted.get("trained_on_samples") == samples.digest and fitted.get("trained_on_splits") != splits.digest:
        raise SplitError(f"The model was fitted to other splits of {samples.name} "
                         f"({short(fitted.get('trained_on_splits', ''))}), so it may have learnt these images of val. "
                         "Give a model trained on the present splits: sightline train STUDY")  # fmt: skip
    statistics = channel_statistics(samples, splits.train)
    mean, std = ([255 * v for v in values] * (3 // len(values)) for values in (statistics.mean, statistics.std))
    return EditedVal(
        name=_name_of(model), classifier=classifier,
        samples=samples.take(_some(samples, samples.positions(splits.val.ids))),
        neutral=Neutral(mean=(mean[0], mean[1], mean[2]), std=(std[0], std[1], std[2])),
        others={n: _translated(other, assigned, classifier, n) for n, (other, assigned) in (against or {}).items()},
    )  # fmt: skip


def _name_of(model: Model) -> str:
    if isinstance(model, Run):
        return f"run {model.directory.name}"
    if isinstance(model, Classifier):
        return "the model"
    path = Path(model)
    return f"run {path.parent.name}" if path.name == "best.pt" else path.stem


def _some(samples: SampleTable, rows: Array) -> Array:
    """At most `MOST` readable, labelled rows, chosen by their ids alone, in table order."""
    kept = rows[samples.is_ok[rows] & samples.is_labelled[rows]]
    if not len(kept):
        raise DataError(f"{samples.name} has no readable, labelled sample to try the model on.")
    words = np.ascontiguousarray(samples.ids[kept]).view(np.uint8).reshape(-1, 16)[:, :8]
    draws = np.ascontiguousarray(words).view("<u8")[:, 0]
    return np.sort(kept[np.argsort(draws, kind="stable")[:MOST]])


def _translated(samples: SampleTable, splits: Splits | None, classifier: Classifier, name: str) -> SampleTable:
    """Samples of another source outside of its test, with labels in the model's classes."""
    if splits is None:
        open_ = np.array([s != "test" for s in samples.column("split")], bool)
    else:
        open_ = np.zeros(len(samples), bool)
        ids = (*splits.train.ids, *(splits.val.ids if splits.val is not None else ()))
        open_[samples.positions(ids)] = True
    known = _by_class(samples.classes, classifier.classes)
    labels = [known.get(v) if v is not None else None for v in samples.column("label")]
    rows = np.flatnonzero(open_ & np.array([v is not None for v in labels], bool))
    if not len(rows):
        theirs, ours = (", ".join(c.ids[:5]) for c in (samples.classes, classifier.classes))
        raise DataError(f"{name} has no sample outside of its test of a class that the model knows. Its classes: "
                        f"{theirs}, …; the model's: {ours}, …. They are matched by native id, or by name.")
    i = samples.table.schema.get_field_index("label")
    table = samples.table.set_column(i, samples.table.schema.field(i), pa.array(labels, pa.int32()))
    # Entries of `labels` speak of the other source's classes, and are not asked for here.
    j = table.schema.get_field_index("labels")
    table = table.set_column(j, table.schema.field(j), pa.nulls(len(table), table.schema.field(j).type))
    relabelled = replace(samples, table=table, classes=classifier.classes, spaces={})
    return relabelled.take(_some(relabelled, rows))


def _by_class(theirs: Any, ours: Any) -> dict[int, int]:
    """Class of the other source → class of the model, by native id, else by name in any case of letters."""
    ids, names = dict(ours.index), {n.lower(): i for i, n in enumerate(ours.names)}
    found = {}
    for i, (native, title) in enumerate(zip(theirs.ids, theirs.names, strict=True)):
        same = ids.get(native, names.get(title.lower()))
        if same is not None:
            found[i] = same
    return found

