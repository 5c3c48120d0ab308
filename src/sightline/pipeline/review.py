"""The verb `review`, applied to a study: the page on which findings are decided on, and the decisions carried out."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sightline import reviewing
from sightline.artifacts import write_bytes
from sightline.audits import Findings
from sightline.digests import short
from sightline.errors import DataError
from sightline.ledger import Ledger
from sightline.pipeline.data import read_hashed, read_splits
from sightline.pipeline.outcome import Outcome
from sightline.reviewing import Correction
from sightline.reviewing.decisions import Decision, Journal, read_decisions
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.study import Study

_tell = partial(print, flush=True)  # the address has to be there while the page is open, also in a pipe


def review(study: str | Path, *, apply: bool = False, port: int = 0, no_open: bool = False,
           tell: Callable[[str], None] = _tell) -> Outcome:  # fmt: skip
    """Show the findings on a local page until the person interrupts; with `apply`, carry out what was decided.

    Decisions are appended to decisions.csv as they are made. Applying writes a new version of samples.parquet and
    keeps the former one beside it.
    """
    home = Study.open(study)
    if apply:
        if port or no_open:
            raise DataError("--port and --no-open are for the page, and --apply opens none. Leave them out.")
        return _apply(home)
    samples = read_hashed(home)
    _put_aside_applied(home, samples)
    findings = Findings.read(home.need(home.findings_path, "audit"))
    splits = read_splits(home, samples) if home.splits_path.exists() else None
    sealed = splits.test if splits is not None else None
    is_test_open = sealed is not None and bool(Ledger(home.ledger_path).looks(sealed))
    with reviewing.review(samples, findings, splits, decisions=home.decisions_path, is_test_open=is_test_open,
                          port=port) as opened:  # fmt: skip
        tell(f"{'review':<9} {opened!r}")
        tell(f"{'':9} {home.decisions_path} has each decision as soon as it is made; Ctrl-C ends the review")
        if not no_open and _has_screen():
            webbrowser.open(opened.url)
        opened.wait()
        num_items, decided = len(opened.session.items), opened.session.num_decided
    facts = {"findings": num_items, "decided": decided, "decisions": str(home.decisions_path)}
    then = (f"carry them out: sightline review {home.directory} --apply",) if decided else ()
    return Outcome(verb="review", summary=f"{decided:,} of {num_items:,} findings decided", facts=facts, details=then)


def _has_screen() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _apply(home: Study) -> Outcome:
    samples = home.read_samples()
    _put_aside_applied(home, samples)
    if not read_decisions(home.decisions_path):
        did = [r["did"] for r in home.reviews if r["to"] == samples.digest]
        raise DataError(f"{home.decisions_path} holds no decisions"
                        f"{f'; those before are carried out ({did[-1]})' if did else ''}. "
                        f"Make {'further ones' if did else 'them'}: sightline review {home.directory}")  # fmt: skip
    with Journal(home.decisions_path) as journal:  # a review that goes on at the same time is refused
        correction = reviewing.corrected(samples, journal.decisions, day=f"{datetime.now(UTC):%Y-%m-%d}")
        splits = _splits_of(home, samples)
        in_test = _in_test(splits, correction)
        former = home.former_samples_path(samples.digest)
        write_bytes(former, home.samples_path.read_bytes())
        written = home.samples_path.stat()
        os.utime(former, ns=(written.st_atime_ns, written.st_mtime_ns))  # `run` asks what has changed since
        if splits is not None:  # what a model was fitted to is asked of them when it is scored on a corrected test
            write_bytes(home.former_splits_path(splits.digest), home.splits_path.read_bytes())
        new = correction.samples
        # Before the table is there: a look at what follows from it must find what it follows.
        Ledger(home.ledger_path).succeed(samples.digest, new.digest, test=splits.test if splits is not None else None,
                                         corrected=in_test)  # fmt: skip
        step = {"of": samples.digest, "to": new.digest, "did": str(correction)}
        reviews = [r for r in home.reviews if (r["of"], r["to"]) != (step["of"], step["to"])]
        home.record(reviews=[*reviews, step])
        home.write_samples(new)
        _put_aside(home, samples.digest)
    facts = {"dropped": len(correction.dropped), "relabelled": len(correction.relabelled),
             "merged": len(correction.merged), "kept": correction.kept, "in_test": in_test, "former": str(former),
             "lost_pairs": [list(pair) for pair in correction.lost_pairs]}  # fmt: skip
    kept = f" · {correction.kept:,} finding{'s' if correction.kept > 1 else ''} kept" if correction.kept else ""
    return Outcome(verb="review", summary=f"{correction}{kept}", facts=facts, wrote=home.samples_path,
                   digest=new.digest, details=tuple(_told(home, correction, splits, in_test, former)))  # fmt: skip


def _told(
    home: Study, correction: Correction, splits: Splits | None, in_test: dict[str, int], former: Path
) -> list[str]:
    """What else a person should know of a correction, and what to do next."""
    said = [f"the former version stays: {former.name}"]
    if lost := correction.lost_pairs:
        said.append(f"of {len(lost):,} pair{'s' if len(lost) > 1 else ''} both samples are dropped, among them "
                    f"{lost[0][0]} and {lost[0][1]}: nothing is left of them")  # fmt: skip
    if in_test:
        counts = ", ".join(f"{n:,} {what}" for what, n in in_test.items())
        said.append(f"in test: {counts}. Its next score says so, and looks go on being counted")
    if _parted(correction):
        said.append("samples that were put into one group lie in different splits of the source: divide them anew with "
                    "--by group, or leave the copy in train out instead")  # fmt: skip
    how = f" (they were by {splits.how.get('by')}, seed {splits.how.get('seed')})" if splits is not None else ""
    said.append(f"splits and findings are of the former version{how}. Make them again: sightline split "
                f"{home.directory}, then sightline audit {home.directory}")  # fmt: skip
    return said


def _parted(correction: Correction) -> bool:
    """Whether a group that was made by hand has samples in two of the source's own splits, dropped ones aside."""
    samples = correction.samples
    rows = [row for row in samples.positions(correction.merged).tolist() if not samples.is_dropped[row]]
    groups, official = samples.column("group_id"), samples.column("split")
    found: dict[str, set[str | None]] = {}
    for row in rows:
        found.setdefault(groups[row], set()).add(official[row])
    return any(len(splits) > 1 for splits in found.values())


def _splits_of(home: Study, samples: SampleTable) -> Splits | None:
    splits = Splits.read(home.splits_path) if home.splits_path.exists() else None
    return splits if splits is not None and splits.samples_digest == samples.digest else None


def _in_test(splits: Splits | None, correction: Correction) -> dict[str, int]:
    """Samples of test that were dropped and relabelled, without zeros."""
    if splits is None:
        return {}
    names = dict(zip(*(splits.table[name].to_pylist() for name in ("sample_id", "split")), strict=True))
    counts = {what: sum(names.get(i) == "test" for i in ids)
              for what, ids in (("dropped", correction.dropped), ("relabelled", correction.relabelled))}  # fmt: skip
    return {what: n for what, n in counts.items() if n}


def _put_aside_applied(home: Study, samples: SampleTable) -> None:
    """Finish what an interrupted `--apply` left: decisions that are in the table already.

    Where such decisions were put aside before, these are others, which somebody wrote later.
    """
    made: Sequence[Decision] = read_decisions(home.decisions_path)
    for review in home.reviews:
        is_of = bool(made) and {d.table for d in made} == {short(review["of"])}
        if is_of and review["to"] == samples.digest and not _aside(home, review["of"]).exists():
            _put_aside(home, review["of"])
            return


def _put_aside(home: Study, digest: str) -> None:
    """Move decisions that were carried out away, so that the next review begins anew."""
    place, n = _aside(home, digest), 1
    while place.exists():
        n += 1
        place = home.directory / f"decisions-{short(digest)}-{n}.csv"
    home.decisions_path.rename(place)


def _aside(home: Study, digest: str) -> Path:
    """Where decisions on the samples of this digest lie, once they were carried out."""
    return home.directory / f"decisions-{short(digest)}.csv"
