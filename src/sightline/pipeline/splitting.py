"""The verb `split`, applied to a study: divide its samples, repair a division, or write it as CSV. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline import splits as splitting
from sightline.audits import Findings
from sightline.audits.findings import RANK
from sightline.errors import DataError, SplitError
from sightline.pipeline.data import read_hashed, read_inspection, read_splits
from sightline.pipeline.outcome import Outcome
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.study import Study

LEAKS = "leaks"
NEAR_DUPLICATES = "near-duplicates"


def split(study: str | Path, *, by: str | None = None, val: float | str | None = None, test: float | None = None,
          seed: int | None = None, group: Sequence[str] = (), embargo: str | None = None, domain: str | None = None,
          folds: int | None = None, repeats: int | None = None, fold: int | None = None, inner: int | None = None,
          inner_fold: int | None = None, together: str | None = None, without: str | None = None,
          csv: str | None = None) -> Outcome:  # fmt: skip
    """Assign the study's samples to train, val and a sealed test, after the first full read of the images.

    The options are those of `splits.Request`, where they are described. `together="near-duplicates"` holds near copies
    together; `without="leaks"` leaves out of the division that the study has what the audit found to lie in a later
    split too; `csv` names a file to write the division to, alone that of the study as it is.
    """
    home = Study.open(study)
    samples = read_hashed(home)
    asked = {"by": by, "val": val, "test": test, "seed": seed, "group": group, "embargo": embargo, "domain": domain,
             "folds": folds, "repeats": repeats, "fold": fold, "inner": inner, "inner_fold": inner_fold}  # fmt: skip
    options: dict[str, Any] = {name: value for name, value in asked.items() if value not in (None, ())}
    is_kept = bool(csv) and not options and not (without or together) and home.splits_path.exists()
    if is_kept:
        splits = read_splits(home, samples)
    elif without is not None:
        _refuse_beside(without, {**options, **({"together": together} if together else {})})
        splits = _without_leaks(home, samples)
    else:
        if together is not None:
            options |= {"together": _near_copies(home, samples, together)}
        splits = splitting.split(samples, **options)
    if csv:  # first, because a name that cannot be written must leave the study as it was
        splitting.write_csv(splits, samples, Path(csv))
    if not is_kept:
        splits.write(home.splits_path)
        home.record_artifact("splits", splits.digest)
    return split_outcome(home, splits, is_kept=is_kept, csv=csv)


def split_outcome(home: Study, splits: Splits, *, is_kept: bool, csv: str | None = None) -> Outcome:
    """What `split` says of an assignment that it made, or kept."""
    told = [f"{'':9} left out: {n:,} {why}" for why, n in splits.left_out.items()]
    facts = {"splits": splits.sizes, "how": dict(splits.how), "left_out": splits.left_out, "csv": csv}
    return Outcome(verb="split", summary=f"{splits!r}{' · kept' if is_kept else ''}", wrote=home.splits_path,
                   facts=facts, details=tuple(told), digest=splits.digest)  # fmt: skip


def _refuse_beside(without: str, options: dict[str, Any]) -> None:
    if without != LEAKS:
        raise SplitError(f"split leaves out {LEAKS!r}, got --without {without}.")
    if options:
        raise SplitError(f"--without {LEAKS} repairs the splits that the study has, so {', '.join(sorted(options))} "
                         "has no effect. Split anew first, run sightline audit, then repair.")  # fmt: skip


def _without_leaks(home: Study, samples: SampleTable) -> Splits:
    splits = read_splits(home, samples)
    findings = Findings.read(home.need(home.findings_path, "audit"))
    if (findings.about.get("samples"), findings.about.get("splits")) != (samples.digest, splits.digest):
        raise DataError(f"The findings of {home.directory} are of other samples or splits than it holds now. Look "
                        f"again: sightline audit {home.directory}")  # fmt: skip
    keys = dict(zip(samples.column("sample_id"), samples.column("key"), strict=True))
    reasons: dict[bytes, str] = {}
    # The latest split last: of copies in val and in test the one in test is the reason.
    for lower, _, higher, place in sorted(findings.crossing, key=lambda pair: RANK[pair[3]]):
        reasons[lower] = f"copy of a sample in {place}: {keys[higher]}"
    repaired = splits.without(reasons)
    splitting.verify(samples, repaired)
    return replace(repaired, how={**repaired.how, "without": LEAKS})


def _near_copies(home: Study, samples: SampleTable, together: str) -> list[tuple[bytes, bytes]]:
    if together != NEAR_DUPLICATES:
        raise SplitError(f"split holds {NEAR_DUPLICATES!r} together, got --together {together}.")
    from sightline.similarity.search import near_pairs

    certain = near_pairs(read_inspection(home, samples)).certain
    ids = samples.column("sample_id")
    return [(ids[a], ids[b]) for a, b in zip(certain.first.tolist(), certain.second.tolist(), strict=True)]
