"""A run: one execution of a recipe, the directory that holds everything about it, and which checkpoint a path means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.artifacts import read_json, require_known, write_bytes, write_json
from sightline.digests import digest_of, plain, short
from sightline.errors import DataError
from sightline.recipes import Recipe
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.study import Study

VERSION = 1
"""Version of the directory's layout; a newer run is refused."""


def digest_of_run(recipe: Recipe, samples: SampleTable, splits: Splits, model: Mapping[str, Any]) -> str:
    """sha256 of all that decides what a training computes, hex: recipe, samples, splits and the model's source."""
    return digest_of([recipe.digest, samples.digest, splits.digest, dict(model)])


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(plain(dict(line)), ensure_ascii=False, allow_nan=False) + "\n"


def latest_run(home: Study) -> Path:
    """Directory of the run that was trained last. Raises DataError when there is none."""
    name = home.about.get("latest_run")
    if name is None or not (home.runs_path / name).is_dir():
        raise DataError(f"{home.directory} holds no trained run yet. Train one: sightline train {home.directory}")
    return home.runs_path / str(name)


def checkpoint_of(model: str | Path) -> Path:
    """The checkpoint that a path means: of a study its latest run's best, of a run its best, or the file itself.

    Raises DataError when there is none.
    """
    path = Path(model)
    if path.is_dir():
        path = (latest_run(Study.open(path)) if (path / "study.json").exists() else path) / "best.pt"
    elif not path.exists() and path.with_name(path.name + ".pt").exists():
        path = path.with_name(path.name + ".pt")  # runs/3f9c/best
    if not path.is_file():
        raise DataError(f"There is no model at {model}. Give a study, a run or a checkpoint file (best.pt).")
    return path


@dataclass(frozen=True, eq=False)
class Run:
    """A directory with recipe.json, splits.parquet, run.json, log.jsonl, best.pt and last.pt."""

    directory: Path
    recipe: Recipe
    samples: SampleTable | None = None
    splits: Splits | None = None

    @classmethod
    def create(cls, out: Path, recipe: Recipe, samples: SampleTable, splits: Splits, about: Mapping[str, Any]) -> Run:
        """A new run at out/<first 12 digits of its digest>, with recipe.json and run.json written.

        `about` holds at least `model`, the facts about the network that are part of the run's identity.
        """
        digest = digest_of_run(recipe, samples, splits, about["model"])
        run = cls(Path(out) / short(digest), recipe, samples, splits)
        splits.write(run.splits_path)
        write_json(run.recipe_path, recipe.to_json())
        facts = {"version": VERSION, "digest": digest, "recipe": recipe.digest, "samples": samples.digest,
                 "splits": splits.digest, "finished": False}  # fmt: skip
        write_json(run.json_path, {**facts, **about})
        write_bytes(run.log_path, b"")  # lines of a run that was killed before its first checkpoint
        return run

    @classmethod
    def open(cls, directory: str | Path, samples: SampleTable | None = None, splits: Splits | None = None) -> Run:
        """The run in a directory (a checkpoint's path serves too), with the samples and splits it was trained on.

        Raises DataError when there is none or when samples or splits are others, VersionError for a newer format.
        """
        path = Path(directory)
        path = path if path.is_dir() else path.parent
        if not (path / "run.json").exists():
            raise DataError(f"{directory} is not a run (no run.json). Runs lie in STUDY/runs; make one: "
                            "sightline train STUDY")  # fmt: skip
        about = read_json(path / "run.json")
        require_known(about.get("version", 0), VERSION, path)
        for name, value in (("samples", samples), ("splits", splits)):
            if value is not None and value.digest != about[name]:
                raise DataError(f"{path} was trained on {name} {short(about[name])}, got {short(value.digest)}. "
                                f"Give the {name} of that study, or train again.")
        return cls(path, Recipe.from_json(read_json(path / "recipe.json")), samples, splits)

    @property
    def recipe_path(self) -> Path:
        """recipe.json."""
        return self.directory / "recipe.json"

    @property
    def splits_path(self) -> Path:
        """splits.parquet: what it was fitted to and chosen by, also when the study has been divided anew."""
        return self.directory / "splits.parquet"

    @property
    def json_path(self) -> Path:
        """run.json: digests, environment, and what came out."""
        return self.directory / "run.json"

    @property
    def log_path(self) -> Path:
        """log.jsonl."""
        return self.directory / "log.jsonl"

    @property
    def best(self) -> Path:
        """Checkpoint with the highest val top-1, of equals the lowest NLL; the last where there is no val."""
        return self.directory / "best.pt"

    @property
    def last(self) -> Path:
        """Checkpoint to resume from: the newest state with its optimizer."""
        return self.directory / "last.pt"

    @property
    def about(self) -> dict[str, Any]:
        """The parsed run.json."""
        return dict(read_json(self.json_path))

    @property
    def digest(self) -> str:
        """sha256 over recipe, samples, splits and the model's source, hex; its start names the directory."""
        return str(self.about["digest"])

    @property
    def is_finished(self) -> bool:
        """Whether the training reached its end."""
        return bool(self.about["finished"])

    def log(self) -> list[dict[str, Any]]:
        """Lines of the log in order; a last line torn by a kill is left out."""
        text = self.log_path.read_text("utf-8") if self.log_path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        return [json.loads(line) for line in whole.splitlines() if line]

    def write_line(self, line: Mapping[str, Any]) -> None:
        """Append a line to the log."""
        with self.log_path.open("a", encoding="utf-8") as f:
            f.write(_text(line))

    def rewind_log(self, step: int) -> None:
        """Leave out what the log says about updates after `step`: a resumed run writes it again."""
        kept = [line for line in self.log() if line["step"] <= step and line["kind"] != "end"]
        write_bytes(self.log_path, "".join(map(_text, kept)).encode())

    def record(self, **facts: Any) -> None:
        """Add facts to run.json, whole."""
        write_json(self.json_path, {**self.about, **facts})

    def to_pandas(self) -> Any:
        """The log's epochs as a DataFrame."""
        import pandas as pd

        return pd.DataFrame([line for line in self.log() if line["kind"] == "epoch"])

    def __repr__(self) -> str:
        about = self.about
        best = about.get("best") or {}
        reached = f" · best val top-1 {100 * best['val_top1']:.1f} %" if best.get("val_top1") is not None else ""
        state = "" if about["finished"] else " · not finished"
        size = f"{about['model']['architecture']['num_parameters']:,} parameters"
        return f"{self.recipe} · {size}{reached}{state} · {self.directory}"
