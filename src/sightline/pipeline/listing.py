"""The verb `index` applied to a study."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from sightline import indexing
from sightline.catalog.further_labels import with_labels
from sightline.errors import DataError
from sightline.indexing import Wish
from sightline.pipeline.outcome import Outcome
from sightline.samples import SampleTable
from sightline.study import Study


def index(source: str, study: str | Path, *, limit: float | None = None, classes: Sequence[str] | None = None,
          class_file: str | Path | None = None, group: Sequence[str] = (), time: str | None = None,
          name: str | None = None, labels: Sequence[str] = (), labels_split: str | None = None) -> Outcome:  # fmt: skip
    """List the samples of a source into the study's samples.parquet and classes.parquet.

    `labels` are further labels as `WHO=FILE` or `WHO=FILE#FIELD`, without keys in the order of `labels_split`.
    """
    if Path(study).exists():
        Study.create(study)  # a directory of other things is refused before the source is listed
    wish = Wish(name=name, limit=limit, classes=classes, class_file=class_file, group=tuple(group), time=time)
    further = [_named_labels(word) for word in labels]
    if not further:
        return _write(study, source, indexing.pieces_of(source, wish))
    samples = indexing.index(source, **vars(wish))
    for who, file, column in further:
        samples = with_labels(samples, file, source=who, split=labels_split, field=column)
    return _write(study, source, [samples])


def write_samples(study: str | Path, source: str, samples: SampleTable) -> Outcome:
    """Write a table that `indexing.index` made of `source` into a study."""
    return _write(study, source, [samples])


def _named_labels(word: str) -> tuple[str, str, str | None]:
    """Who says so, the file and its field, of `WHO=FILE#FIELD`."""
    who, equals, place = word.partition("=")
    if not (who.strip() and equals and place.strip()):
        raise DataError(f"Further labels need a name for who says so, got {word!r}. Wanted WHO=FILE, such as "
                        "raters=labels.csv, or WHO=FILE#FIELD for a field of the file.")  # fmt: skip
    file, hash_sign, column = place.rpartition("#")
    is_field = bool(hash_sign) and not Path(place).exists()
    return who.strip(), file if is_field else place, column if is_field else None


def _write(study: str | Path, source: str, pieces: Iterable[SampleTable]) -> Outcome:
    listed = iter(pieces)
    first = next(listed)  # most of what can be wrong is told before a study is made
    with _study(study) as home:
        if "converted" in home.about:
            raise DataError(f"{home.directory} holds images that `sightline convert` wrote; another table would leave "
                            "them unused. Choose another directory for the new study.")  # fmt: skip
        if home.reviews and home.samples_path.exists():
            _refuse_reviewed(home)
        tally = Tally()
        written = home.write_pieces(tally.counting(chain([first], listed)))
        last = written.last
        home.record(name=last.name, source=str(source))
    facts = {"samples": tally.samples, "classes": len(last.classes), "unreadable": tally.unreadable,
             "subset": dict(last.subset)}  # fmt: skip
    return Outcome(verb="index", summary=tally.described(last), facts=facts, wrote=home.samples_path,
                   digest=written.digest)  # fmt: skip


@contextmanager
def _study(directory: str | Path) -> Iterator[Study]:
    """The study at a directory; one that is made for it goes again when the block ends with an error."""
    is_new = not Path(directory).exists()
    home = Study.create(directory)
    try:
        yield home
    except BaseException:
        if is_new:
            home.json.unlink(missing_ok=True)
            with suppress(OSError):  # something lies in it, and stays
                home.directory.rmdir()
        raise


def _refuse_reviewed(home: Study) -> None:
    """Raise DataError for samples that a person corrected: a new list of the source would not know of it."""
    did = [r["did"] for r in home.reviews if r["to"] == home.read_samples().digest]
    if did:
        raise DataError(f"The samples of {home.directory} were corrected in review ({did[-1]}), and listing a source "
                        "again would lose that. Choose another directory for the new study; what was decided stays "
                        "in decisions-*.csv.")  # fmt: skip


def described(samples: SampleTable) -> str:
    """Counts of images, classes, groups and unreadable files, in one line."""
    tally = Tally()
    tally.add(samples)
    return tally.described(samples)


@dataclass
class Tally:
    """What is in a table, counted piece by piece."""

    samples: int = 0
    unreadable: int = 0
    dropped: int = 0
    several: int = 0
    unlabelled: int = 0
    groups: set[tuple[str, str]] = field(default_factory=set)

    def counting(self, pieces: Iterable[SampleTable]) -> Iterator[SampleTable]:
        """The pieces, each counted when it is taken."""
        for piece in pieces:
            self.add(piece)
            yield piece

    def add(self, piece: SampleTable) -> None:
        """Count the rows of a piece."""
        dropped, is_labelled = int(piece.is_dropped.sum()), piece.is_labelled
        is_told = piece.table["labels"].is_valid().to_numpy(zero_copy_only=False)
        self.samples += len(piece)
        self.dropped += dropped
        self.unreadable += len(piece) - int(piece.is_ok.sum()) - dropped
        self.unlabelled += int((~is_labelled & ~is_told).sum())
        self.several += int((~is_labelled & is_told).sum())
        groups = piece.table["groups"].combine_chunks().drop_null().flatten()
        if len(groups):
            self.groups.update(zip(groups.field("kind").to_pylist(), groups.field("id").to_pylist(), strict=True))

    def described(self, whole: SampleTable) -> str:
        """The counts in one line, with the classes and notes of the table."""
        parts = [f"{self.samples:,} images", f"{len(whole.classes):,} classes"]
        kinds = [kind for kind, _ in self.groups]
        parts += [f"{kinds.count(kind):,} × {kind}" for kind in sorted(set(kinds))]
        parts += [f"{self.several:,} with several labels or none of their own"] if self.several else []
        parts += [f"{self.unlabelled:,} unlabelled"] if self.unlabelled else []
        parts += [f"{self.unreadable:,} unreadable, listed"] if self.unreadable else []
        parts += [f"{self.dropped:,} dropped in review"] if self.dropped else []
        parts += [f"subset: {', '.join(f'{k} {v}' for k, v in whole.subset.items())}"] if whole.subset else []
        return " · ".join([*parts, *whole.notes])
