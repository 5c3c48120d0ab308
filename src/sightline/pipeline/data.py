"""The verbs of the data layer, applied to a study: audit, datasets. None of them needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from sightline import audits, catalog
from sightline.audits import LEVELS, Findings
from sightline.digests import plain
from sightline.errors import DataError, MissingExtraError
from sightline.inspection import Inspection, OtherSamplesError, inspect
from sightline.pipeline.given import embeddings_for, predictions_for
from sightline.pipeline.outcome import Outcome
from sightline.pipeline.trial import contracts_in, require_given, trial_for
from sightline.samples import SampleTable
from sightline.splits import Splits, verify
from sightline.study import Study


def audit(study: str | Path, *, checks: Sequence[str] | None = None, without: Sequence[str] = (),
          model: str | None = None, against: Sequence[str] = (), preprocessing: Sequence[str] = (),
          embeddings: str | None = None, predictions: Sequence[str] = (), device: str = "auto") -> Outcome:  # fmt: skip
    """Look for what makes numbers lie; running some checks again, or not all, replaces only their rows."""
    home = Study.open(study)
    samples = read_hashed(home)
    splits = read_splits(home, samples) if home.splits_path.exists() else None
    features = embeddings_for(embeddings, samples, splits, [r["of"] for r in home.reviews])
    predicted = predictions_for(predictions, samples, splits, sorted(home.runs_path.glob("*")))
    require_given(checks, model, preprocessing)
    trial = trial_for(home, model, samples, splits, against=against, device=device)
    contracts = contracts_in(preprocessing)
    if trial is not None:
        contracts[trial.name] = trial.classifier.preprocessing
    new = audits.audit(samples, splits, checks=checks, without=without,
                       inspection=partial(read_inspection, home, samples), predictions=predicted,
                       embeddings=None if features is None else features.values, contracts=contracts,
                       trial=trial)  # fmt: skip
    findings = _joined(home, new, is_asked=checks is not None) if checks or without else new
    findings.write(home.findings_path)
    home.record_artifact("findings", findings.digest)
    levels = findings.table["level"].to_pylist()
    facts = {"findings": len(levels), "levels": {level: levels.count(level) for level in LEVELS}}
    return Outcome(verb="audit", summary=summary_of(findings), facts=facts, wrote=home.findings_path,
                   digest=findings.digest)  # fmt: skip


def _joined(home: Study, new: Findings, *, is_asked: bool) -> Findings:
    """The study's findings with those of some checks replaced; all of other samples or splits are given up, unless
    checks were asked for by name, which is refused then."""
    if not home.findings_path.exists():
        return new
    old = Findings.read(home.findings_path)
    return old.merge(new) if is_asked or dict(old.about) == dict(new.about) else new


def summary_of(findings: Findings) -> str:
    """Number of findings by check, the gravest first."""
    rows: dict[tuple[int, str], int] = {}
    for check, level in zip(findings.table["check"].to_pylist(), findings.table["level"].to_pylist(), strict=True):
        key = (LEVELS.index(level), check)
        rows[key] = rows.get(key, 0) + 1
    words = ("error", "warning", "note")
    parts = [f"{n} {words[level]}{'s' if n > 1 else ''} ({check})" for (level, check), n in sorted(rows.items())]
    return " · ".join(parts) or "nothing found"


def datasets(*, name: str | None = None, fetch: str | Path | None = None, form: str | None = None) -> Outcome:
    """Cards of the known datasets in a line each, or the whole card of one; with `fetch` its files in a folder.

    `fetch` is the folder, "" for the usual one below ./data. `form` chooses one of several equal forms.
    """
    if fetch is not None or form is not None:
        return _fetched(name, fetch, form)
    if name is not None:
        card = catalog.datasets(name)
        return Outcome(verb="datasets", summary=str(card), facts={"datasets": [plain(card)]}, is_whole=True)
    cards = catalog.datasets()
    width = max(len(c.name) for c in cards)
    lines = tuple(
        f"{c.name:<{width}}  {c.title} · {sum(c.num_samples.values()):,} images · {c.num_classes:,} classes · {_had(c)}"
        for c in cards
    )
    return Outcome(verb="datasets", summary=f"{len(cards)} known; one of them: sightline datasets NAME",
                   facts={"datasets": [plain(c) for c in cards]}, details=lines)  # fmt: skip


def _had(card: catalog.Card) -> str:
    place = card.located()
    return f"in {place}" if place is not None else "can be fetched" if card.is_served else card.access


def _fetched(name: str | None, folder: str | Path | None, form: str | None) -> Outcome:
    if name is None:
        raise DataError("Fetch which dataset? Give its name: sightline datasets NAME --fetch")
    if folder is None:
        raise DataError(f"The form is for downloads: sightline datasets {name} --fetch --form {form}")
    card = catalog.datasets(name)
    found = catalog.fetch(card, folder or None, form=form)
    count = f"{len(found.files)} file{'s' if len(found.files) > 1 else ''}"
    moved = f"{found.num_bytes / 1e6:,.1f} MB" if found.num_bytes else "all there, checked"
    facts = {"dataset": card.name, "folder": found.folder, "files": found.files, "bytes": found.num_bytes,
             "not_served": found.left}  # fmt: skip
    packed = [f.name for f in found.files if f.name.endswith((".tgz", ".tar.gz", ".zip", ".tar"))]
    left = [f"not openly served: {', '.join(found.left)}. {card.gate}"] if found.left else []
    return Outcome(
        verb="datasets", summary=f"{card.title}: {count} in {found.folder} · {moved}",
        facts=plain(facts), details=(
            f"licence: {card.licence}", *left,
            *([f"layouts that are read: {card.layout}"] if packed else []),
            f"next: sightline run {found.folder} STUDY",
        ),
    )  # fmt: skip


def read_hashed(home: Study) -> SampleTable:
    """The study's samples after the first full read, which is stored so that it happens once, with its inspection."""
    samples = home.read_samples()
    if samples.is_hashed:
        return samples
    try:
        hashed = inspect(samples, to=home.inspection_path).samples
    except MissingExtraError:  # hashes need no extra; an audit asks for it when it wants to look at the pictures
        hashed = samples.hashed()
    if home.read_samples().digest != samples.digest:
        raise DataError(f"{home.samples_path} was made anew while its images were read, and stays as it is now. Run "
                        "the command again.")  # fmt: skip
    home.write_samples(hashed)
    return hashed


def read_inspection(home: Study, samples: SampleTable) -> Inspection:
    """What a look at the study's images found: the stored one where it is of these samples, else a new one."""
    if home.inspection_path.exists():
        with suppress(OtherSamplesError):
            return Inspection.read(home.inspection_path, samples)
    return inspect(samples, to=home.inspection_path)


def read_splits(home: Study, samples: SampleTable) -> Splits:
    """The study's splits, verified.

    Raises DataError when there are none or they were made for other samples, SplitError when they do not keep what they
    promise.
    """
    splits = Splits.read(home.need(home.splits_path, "split"))
    if splits.samples_digest != samples.digest:
        raise DataError(f"{home.splits_path} was made for other samples than {home.samples_path} holds now. "
                        f"Assign them again: sightline split {home.directory}")
    verify(samples, splits)
    return splits
