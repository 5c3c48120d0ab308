"""The verb `check`: from a recipe, samples and splits to the checklist."""

from __future__ import annotations

from collections.abc import Callable

from sightline import distributed, models
from sightline.checklist import Check, Checklist
from sightline.checks import of_data, of_fitting
from sightline.checks.case import Case, fails
from sightline.checks.timing import measure as measured
from sightline.errors import SightlineError
from sightline.recipes import Recipe
from sightline.samples import SampleTable
from sightline.splits import Splits, shows_several

LINES: tuple[Callable[[Case], Check], ...] = (
    of_data.layout, of_data.classes, of_data.split, of_data.pixels, of_data.transforms, of_data.augmentation,
    of_data.normalization, of_data.weights, of_fitting.optimizer, of_fitting.schedule, of_fitting.batch_size,
    of_fitting.lr_scaling, of_fitting.precision, of_fitting.clipping, of_fitting.regularization, of_fitting.processes,
    of_fitting.seed, of_fitting.files,
)  # fmt: skip
"""The checklist in its order; what real updates tell comes last."""


def check(
    recipe: Recipe, samples: SampleTable, splits: Splits, *, device: str = "auto", measure: bool = True
) -> Checklist:
    """The checklist of a training that has not begun, with an estimate of its time and memory.

    Each line passes, warns or fails, and says what to do. `measure` times a few updates of a network that is thrown
    away (a few seconds); without it, or when a line fails, the estimate is empty. Reads train, val, and of the sealed
    test its size alone. Raises SightlineError only for a device that is not there.
    """
    world = distributed.world_of_environment()
    place = distributed.choose_device(device, world.local_rank)
    try:
        samples = samples.hashed()
        if shows_several(samples):
            return _stopped("layout", "the samples have several labels each, and training takes one class a sample",
                            "Index a view that has one (coco#crops, say), or a manifest with a column of classes.")
        contract = models.contract_of(recipe, samples, splits)
        module = models.build(recipe.model, len(samples.classes), contract.num_channels, seed=recipe.seed)
        case = Case(recipe=recipe, samples=samples, splits=splits, contract=contract, module=module, device=place,
                    world=world)  # fmt: skip
        if not len(case.train):
            return _stopped("layout", "no training image can be read", "See the reasons in samples.parquet.")
    except SightlineError as e:
        return _stopped("recipe", str(e), "Change the recipe or the samples as the message says.")
    checks = tuple(line(case) for line in LINES)
    if not measure or any(c.level == "fail" for c in checks):
        return Checklist(checks)
    try:
        estimate, more = measured(case)
    except SightlineError as e:
        return Checklist((*checks, fails("first updates", str(e), "Change the recipe as the message says.")))
    except (MemoryError, RuntimeError) as e:
        if "memory" not in str(e).lower():
            raise
        return Checklist((*checks, fails("memory", "the first update does not fit",
                                         f"Set micro_batch_size={max(1, recipe.batch_size // 4)}.")))  # fmt: skip
    return Checklist((*checks, *more), estimate)


def _stopped(name: str, message: str, todo: str) -> Checklist:
    """A checklist that could not be gone through."""
    return Checklist((fails(name, message, todo),))
