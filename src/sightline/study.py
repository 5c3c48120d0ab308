"""A study: the directory in which everything about one dataset lives, each artifact written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.artifacts import read_json, require_known, write_json
from sightline.digests import short
from sightline.errors import DataError
from sightline.samples import SampleTable
from sightline.samples.writing import Written, write_pieces

VERSION = 1
"""Version of the directory's layout; a newer study is refused, not guessed at."""


@dataclass(frozen=True)
class Study:
    """Paths of a study's artifacts, and its description in study.json."""

    directory: Path

    @classmethod
    def create(cls, directory: str | Path) -> Study:
        """The study at `directory`, made if it does not exist. Raises DataError for a directory of other things."""
        path = Path(directory)
        if path.exists() and not path.is_dir():
            raise DataError(f"{path} is a file; a study is a directory. Choose another name.")
        if path.is_dir() and any(path.iterdir()) and not (path / "study.json").exists():
            raise DataError(f"{path} holds other files and no study.json. Choose an empty or a new directory.")
        study = cls(path)
        if (path / "study.json").exists():
            study._check_version()
        else:
            write_json(study.json, {"version": VERSION, "artifacts": {}})
        return study

    @classmethod
    def open(cls, directory: str | Path) -> Study:
        """The study at `directory`. Raises DataError when there is none, VersionError when it is newer than this."""
        study = cls(Path(directory))
        if not study.json.exists():
            raise DataError(f"{directory} is not a study (no study.json). Make one: sightline index SOURCE {directory}")
        study._check_version()
        return study

    def _check_version(self) -> None:
        require_known(self.about.get("version", 0), VERSION, self.directory)

    @property
    def json(self) -> Path:
        """study.json: version, source, and the digest of each artifact."""
        return self.directory / "study.json"

    @property
    def samples_path(self) -> Path:
        """samples.parquet."""
        return self.directory / "samples.parquet"

    @property
    def classes_path(self) -> Path:
        """classes.parquet."""
        return self.directory / "classes.parquet"

    @property
    def splits_path(self) -> Path:
        """splits.parquet."""
        return self.directory / "splits.parquet"

    @property
    def findings_path(self) -> Path:
        """findings.parquet."""
        return self.directory / "findings.parquet"

    @property
    def inspection_path(self) -> Path:
        """inspection.parquet."""
        return self.directory / "inspection.parquet"

    @property
    def decisions_path(self) -> Path:
        """decisions.csv."""
        return self.directory / "decisions.csv"

    @property
    def checklist_path(self) -> Path:
        """checklist.json."""
        return self.directory / "checklist.json"

    @property
    def profile_path(self) -> Path:
        """profile.svg."""
        return self.directory / "profile.svg"

    @property
    def runs_path(self) -> Path:
        """Directory of the runs."""
        return self.directory / "runs"

    @property
    def ledger_path(self) -> Path:
        """ledger.jsonl."""
        return self.directory / "ledger.jsonl"

    @property
    def report_path(self) -> Path:
        """report.html."""
        return self.directory / "report.html"

    @property
    def about(self) -> dict[str, Any]:
        """The parsed study.json. Raises DataError when it is not one."""
        about = read_json(self.json)
        if not isinstance(about, dict) or not isinstance(about.get("artifacts"), dict):
            raise DataError(f"{self.json} does not describe a study: it was changed, or is of something else. Restore "
                            "it, or make the study again: sightline index SOURCE STUDY")  # fmt: skip
        return about

    def record(self, **facts: Any) -> None:
        """Add facts to study.json, whole."""
        write_json(self.json, {**self.about, **facts})

    def record_artifact(self, name: str, digest: str) -> None:
        """Note an artifact's digest in study.json."""
        self.record(artifacts={**self.about["artifacts"], name: digest})

    def read_samples(self) -> SampleTable:
        """The sample table. Raises DataError when `index` has not run."""
        self._need(self.samples_path, f"sightline index SOURCE {self.directory}")
        return SampleTable.read(self.samples_path, self.classes_path)

    def write_samples(self, samples: SampleTable) -> None:
        """Write samples.parquet and classes.parquet and record their digest."""
        samples.write(self.samples_path, self.classes_path)
        self.record_artifact("samples", samples.digest)

    def write_pieces(self, pieces: Iterable[SampleTable]) -> Written:
        """Write a table that comes in pieces, as `write_samples`, without ever holding all of it."""
        written = write_pieces(pieces, self.samples_path, self.classes_path)
        self.record_artifact("samples", written.digest)
        return written

    @property
    def reviews(self) -> list[dict[str, str]]:
        """The corrections of the samples, oldest first: `of` which digest, `to` which, and what they `did`."""
        return list(self.about.get("reviews", []))

    def former_samples_path(self, digest: str) -> Path:
        """Where a table lies that a review replaced, by its digest."""
        return self.directory / f"samples-{short(digest)}.parquet"

    def former_splits_path(self, digest: str) -> Path:
        """Where splits lie that were made for a table before a review, by their digest."""
        return self.directory / f"splits-{short(digest)}.parquet"

    def path_before_reviews(self, samples: SampleTable) -> Path:
        """Where the table lies that `index` wrote and reviews made `samples` of."""
        made_of, digest = {r["to"]: r["of"] for r in self.reviews}, samples.digest
        while digest in made_of:
            digest = made_of[digest]
        return self.samples_path if digest == samples.digest else self.former_samples_path(digest)

    def _need(self, path: Path, command: str) -> None:
        if not path.exists():
            raise DataError(f"{path} does not exist yet. Make it: {command}")

    def need(self, path: Path, verb: str) -> Path:
        """`path`, which `verb` writes. Raises DataError naming the verb when it is not there."""
        self._need(path, f"sightline {verb} {self.directory}")
        return path
