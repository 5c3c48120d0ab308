"""Where a training stands, what is written of that, and how a run is begun or taken up again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sightline import checkpoint, distributed
from sightline.checkpoint import Checkpoint
from sightline.digests import short
from sightline.errors import ContractError, DataError
from sightline.runs import Run, digest_of_run
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.training.preparation import Job, environment
from sightline.training.validation import Validation


@dataclass
class Position:
    """How far a training has come."""

    epoch: int = 0
    """Epochs finished."""
    batch: int = 0
    """Batches of the next epoch that are done."""
    step: int = 0
    """Updates made."""
    loss_sum: float = 0.0
    """Σ of the losses of this epoch's samples so far."""
    seen: int = 0
    """Samples of this epoch so far."""
    best_step: int | None = None
    best_val_top1: float | None = None
    best_val_nll: float | None = None
    time_s: float = 0.0
    """Seconds of this epoch so far, over all sessions; of no influence on the weights."""
    wait_s: float = 0.0
    """Of these, seconds in which the loop waited for a batch."""


def opened(job: Job, samples: SampleTable, splits: Splits, out: Path, resume: bool) -> tuple[Run, Position]:
    """The run's directory, new or found, and the position to continue from; the model's state is that of it.

    Raises DataError for a run that is there already without `resume`, ContractError where it cannot go on alike.
    """
    digest = digest_of_run(job.recipe, samples, splits, job.facts)
    run = Run(out / short(digest), job.recipe, samples, splits)
    exists = run.last.exists() and run.json_path.exists()
    distributed.wait()
    if exists and not resume:
        raise DataError(f"{run.directory} holds a run of this recipe, samples and splits already. Continue or take it "
                        "with --resume (resume=True), change the recipe (its seed, say), or delete the directory.")
    if exists:
        run = Run.open(run.directory, samples, splits)
        return run, Position() if run.is_finished else _restored(job, run)
    if job.world.is_first:
        about = {"model": job.facts, "preprocessing": job.preprocessing.digest, "selected_by": _criterion(job),
                 "environment": environment(job.fit.device, job.world, job.fit.precision),
                 "loading": job.train.engines, "num_train": job.num_train, "num_val": job.num_val}  # fmt: skip
        run = Run.create(out, job.recipe, samples, splits, about)
        run.write_line({"kind": "start", "step": 0, "total_steps": job.total_updates, "epochs": job.num_epochs})
    distributed.wait()
    return run, Position()


def write_best(job: Job, run: Run, position: Position, result: Validation | None) -> None:
    """Write best.pt, which needs no state to go on from."""
    checkpoint.save(run.best, _checkpoint(job, run, position, result, resume=None))


def write_last(job: Job, run: Run, position: Position, result: Validation | None) -> None:
    """Write last.pt, with all that is needed to go on from `position`."""
    state = {
        "position": asdict(position),
        "weights": job.fit.model.state_dict(),
        "optimizers": [o.state_dict() for o in job.fit.optimizers],
        "averaged_updates": job.averaged.updates if job.averaged is not None else 0,
    }
    checkpoint.save(run.last, _checkpoint(job, run, position, result, resume=state))


def _criterion(job: Job) -> str:
    return "val top-1, of equals the lowest NLL" if job.val is not None else "last epoch: there is no val split"


def _checkpoint(
    job: Job, run: Run, position: Position, result: Validation | None, resume: dict[str, Any] | None
) -> Checkpoint:
    assert run.samples is not None
    assert run.splits is not None
    return Checkpoint(
        recipe=job.recipe, preprocessing=job.preprocessing, class_names=run.samples.classes.names,
        weights=job.network.state_dict(), source=job.source, step=position.step,
        digests={"samples": run.samples.digest, "splits": run.splits.digest, "run": run.digest,
                 "test": run.splits.test.digest if run.splits.test else ""},
        val_top1=result.top1 if result else None, resume=resume,
    )  # fmt: skip


def _restored(job: Job, run: Run) -> Position:
    """The position of last.pt, with the state of the model, the optimizers, the average and the log put back to it."""
    _require_engines(job, run)
    stored = checkpoint.load(run.last)
    stored.preprocessing.require_same(job.preprocessing, f"{run.last} and these samples")
    if stored.resume is None:
        raise DataError(f"{run.last} holds no state to resume from. Delete {run.directory} and train again.")
    job.fit.model.load_state_dict(dict(stored.resume["weights"]))
    for optimizer, state in zip(job.fit.optimizers, stored.resume["optimizers"], strict=True):
        optimizer.load_state_dict(state)
    if job.averaged is not None:
        job.averaged.model.load_state_dict(dict(stored.weights))
        job.averaged.updates = stored.resume["averaged_updates"]
    position = Position(**stored.resume["position"])
    if job.world.is_first:
        run.rewind_log(position.step)
        run.write_line({"kind": "resume", "step": position.step, "epoch": position.epoch})
    else:
        position.loss_sum = 0.0  # the first rank carries what was summed before
    distributed.wait()
    return position


def _require_engines(job: Job, run: Run) -> None:
    """Nothing when images are decoded and resized as in the run so far. Raises ContractError when by something else."""
    before, now = run.about.get("loading", {}), job.train.engines
    changed = [f"{what} by {now[what]}, before by {engine}" for what, engine in before.items() if now[what] != engine]
    if changed:
        raise ContractError(f"{run.directory} cannot be continued with the same pixels: {'; '.join(changed)}. Install "
                            f"the former versions, or delete {run.directory} and train again.")
