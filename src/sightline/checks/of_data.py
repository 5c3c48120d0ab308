"""Lines about the data: layout, classes, splits, pixels, and the contract that prepares them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from sightline import catalog
from sightline.augmentation import AlternatingFlip, RandomHorizontalFlip
from sightline.checklist import Check
from sightline.checks.case import Case, fails, passes, warns
from sightline.splits import channel_statistics

MAX_UNREADABLE = 0.01
"""Share of unreadable images beyond which something is wrong with the copy, not with single files."""

MAX_IMBALANCE = 10
FEW = 10
"""Training images of a class below which it is hardly learnt."""

SMALL_VAL = 200
"""Val samples below which the interval of an accuracy of 90 % is wider than ± 4 points."""

MAX_ENLARGED = 1.5
MAX_SIZE_GAP = 1.35
"""Evaluating at 1.15 to 1.3 times the training size helps a network trained on random crops (Touvron et al. 2019)."""

MAX_SHIFT = 1.0
"""Distance of the data's mean from the contract's, in its standard deviations."""


def layout(case: Case) -> Check:
    """The source was read as it was meant."""
    samples = case.samples
    unreadable = int((~samples.is_ok & ~samples.is_dropped).sum())
    notes = "".join(f" · {note}" for note in samples.notes)
    message = f"{len(samples):,} samples, {unreadable:,} of them unreadable{notes}"
    if case.splits.samples_digest != samples.digest:
        return fails("layout", "the splits were made from another sample table", "Run sightline split again.")
    if unreadable > MAX_UNREADABLE * len(samples):
        return warns("layout", message, "See the reasons in samples.parquet: is the copy complete?")
    return passes("layout", message)


def classes(case: Case) -> Check:
    """Every class can be learnt, and no class drowns the others."""
    counts, space = case.class_counts, case.samples.classes
    low, high = int(counts.argmin()), int(counts.argmax())
    message = (f"{len(space)} classes ordered by {space.policy} ids, {counts[low]:,} to {counts[high]:,} training "
               f"images each")  # fmt: skip
    if not counts[low]:
        absent = [space.title(i) for i in np.flatnonzero(counts == 0)[:3]]
        return warns("classes", f"no training image of {', '.join(absent)}", "Add images, or leave it out: --classes.")
    if counts[low] < FEW:
        return warns("classes", f"{message}; {space.title(low)} has {counts[low]}", "Add images of the rare classes.")
    if counts[high] > MAX_IMBALANCE * counts[low]:
        return warns("classes", f"{message}: {space.title(high)} outweighs {space.title(low)}",
                     "Read the accuracy of each class beside top-1, which the frequent ones decide.")  # fmt: skip
    return passes("classes", message)


def split(case: Case) -> Check:
    """There is something to choose by, and a test that stays sealed."""
    test = case.splits.test
    sealed = f"test {len(test):,}, sealed" if test is not None else "no test: the result will be selected on val"
    message = f"by {case.splits.how.get('by', '?')} · train {len(case.train):,} · val {case.num_val:,} · {sealed}"
    if not case.num_val:
        return warns("split", f"{message}: the last checkpoint is taken for the best",
                     "Hold out a val: sightline split STUDY --val 0.1.")  # fmt: skip
    if case.num_val < SMALL_VAL:
        half = 100 * 1.96 * np.sqrt(0.09 / case.num_val)
        return warns("split", f"{message}: differences below ± {half:.0f} points on val are noise",
                     "Hold out more (--val 0.2), or do not choose by small differences.")  # fmt: skip
    return passes("split", message)


def pixels(case: Case) -> Check:
    """Every training image is inside the contract's depth."""
    bits = Counter(int(b) for b in case.image["bits"])
    modes = ", ".join(f"{mode} {n:,}" for mode, n in Counter(case.image["mode"].tolist()).most_common(4))
    foreign = {b: n for b, n in bits.items() if (16 if b > 8 else 8) not in case.contract.bits}
    if foreign:
        told = ", ".join(f"{n:,} images of {b} bits" for b, n in foreign.items())
        return fails("pixels", f"{told}; the contract takes {case.contract.bits} bits",
                     "Convert them, or train from random weights, whose contract takes what is there.")  # fmt: skip
    return passes("pixels", f"{' and '.join(str(b) for b in sorted(bits)) or 'raw'} bits · {modes} → "
                            f"{case.contract.color_mode}")  # fmt: skip


def transforms(case: Case) -> Check:
    """Training and evaluation see images of comparable size, of the detail that the files have."""
    last = case.recipe.train_size(case.epochs - 1, case.epochs) or case.size
    gap = min(case.size) / min(last)
    sides = np.minimum(case.image["height"], case.image["width"])
    median = int(np.median(sides)) if len(sides) else min(case.size)
    message = f"{_pixels(case.size)} in evaluation, {_pixels(last)} at the end of training, files of median {median} px"
    if not 1 / 1.05 <= gap <= MAX_SIZE_GAP:
        return warns("transforms", message, "Bring train_sizes and size within 1 to 1.3 of one another.")
    if min(case.size) > MAX_ENLARGED * median:
        return warns("transforms", f"{message}: enlarged", f"Enlarging costs time and adds no detail; size={median}.")
    return passes("transforms", f"{message} · {case.contract.resize}, {case.contract.interpolation}")


def augmentation(case: Case) -> Check:
    """No random change makes another class of an image."""
    flips = any(isinstance(t, RandomHorizontalFlip | AlternatingFlip) for t in case.recipe.augmentation.transforms)
    names = " · ".join(type(t).__name__ for t in case.recipe.augmentation.transforms) or "none"
    card = next((c for c in catalog.datasets() if c.name == case.samples.name), None)
    if flips and card is not None and "no flips" in card.augmentation:
        return warns("augmentation", f"{names}, but for {card.title}: {card.augmentation}",
                     "Leave the flip out of the augmentation.")  # fmt: skip
    if not case.recipe.augmentation.transforms and case.epochs > 5:
        return warns("augmentation", f"none in {case.epochs} epochs: each sees the same pixels",
                     "Add shifts or crops, or train for fewer epochs.")  # fmt: skip
    return passes("augmentation", names)


def normalization(case: Case) -> Check:
    """The mean and deviation belong to the weights, or to the training split alone, and fit the data."""
    contract, seen = case.contract, channel_statistics(case.samples, case.splits.train)
    mean = seen.mean if len(seen.mean) == len(contract.mean) else (float(np.mean(seen.mean)),) * len(contract.mean)
    told = f"mean {_numbers(contract.mean)}, std {_numbers(contract.std)}, {_origin(case)}"
    shift = max(abs(a - b) / s for a, b, s in zip(mean, contract.mean, contract.std, strict=True))
    if shift > MAX_SHIFT:
        return warns("normalization", f"{told}; the training images have mean {_numbers(mean)}",
                     "Look at the pictures: inverted, too dark, or of another kind than the weights were made for?")
    return passes("normalization", told)


def weights(case: Case) -> Check:
    """Published weights where they would help."""
    model, count = case.recipe.model, sum(p.numel() for p in case.module.parameters())
    trained = "" if model.trainable == "all" else ", the classifier alone is trained"
    if model.pretrained:
        return passes("weights", f"{model.name}, {count:,} parameters, published weights{trained}")
    message = f"{model.name}, {count:,} parameters, random weights"
    if model.trainable == "head":
        return fails("weights", f"{message}{trained}", "Set model.pretrained=true, or model.trainable=all.")
    if min(case.size) >= 96 and len(case.train) < 20_000:
        return warns("weights", f"{message} for {len(case.train):,} photographs",
                     "Published weights teach more than so few images can: --pretrained.")  # fmt: skip
    return passes("weights", message)


def _origin(case: Case) -> str:
    return f"of the {case.contract.origin}" if case.contract.origin else "as given"


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{v:.3f}" for v in values)
