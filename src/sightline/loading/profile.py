"""`profile`: where a loader's time goes, and whether training waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sightline.errors import ContractError
from sightline.loading.bars import Bar, Chart, number, svg
from sightline.loading.batch import Batch
from sightline.loading.loader import PREFETCH, Loader
from sightline.loading.stages import STAGES, Stages

WORK = tuple(stage for stage in STAGES if stage != "wait")
BATCHES = 12
"""Of a pass at most."""
BUDGET_S = 8.0
"""After which a pass ends, when it has come to its second batch."""
STARVED = 0.1
"""Share of the loop's time spent waiting from which training counts as starved."""

ADVICE: Mapping[str, str] = {
    "read": "Keep the files on a disk of this machine, or in few large files: sightline convert STUDY --to packed OUT.",
    "decode": "Raise the Loader's cache_bytes where the decoded images fit into memory; store images near the size "
              "that is fed, or pack them so that only what a crop needs is decoded: sightline convert STUDY --to "
              "packed OUT. More cores decode in parallel.",
    "transform": "Leave out the costliest random transforms, feed smaller images, or give the loader more cores.",
    "collate": "Ask the loader for dtype=torch.bfloat16 where the model computes in it, or for device='cuda'.",
}  # fmt: skip
"""What helps when a stage takes most of the time."""
CROWDED = ("The loader alone is faster than the updates: it lacks cores, which it shares with them and other programs. "
           "Leave the machine to the training, or give the loader another number of threads.")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One pass of a loader over the profiled samples."""

    num_images: int
    loading_s: float
    """Seconds in which the loader alone, with all its threads, handed them out."""
    stages_s: Mapping[str, float]
    """Seconds of each stage, over all threads together."""
    stages_cpu_s: Mapping[str, float]
    loop_s: float | None = None
    """Seconds of a loop that trains on the batches, in its steady state; None without a training step."""
    wait_s: float | None = None
    """Of these, seconds in which it waited for a batch."""
    loop_images: int = 0

    @property
    def images_per_s(self) -> float:
        """What the loader can give when nothing else runs."""
        return self.num_images / self.loading_s

    @property
    def wait_share(self) -> float | None:
        """Share of the loop's time spent waiting."""
        return None if self.loop_s is None or self.wait_s is None else self.wait_s / self.loop_s

    def ms_per_image(self, stage: str) -> float:
        """Milliseconds of one thread that an image spends in a stage."""
        return 1000 * self.stages_s[stage] / self.num_images

    def to_json(self) -> dict[str, Any]:
        """Rates, and per stage milliseconds of thread time and of CPU time for an image."""
        cpu = {stage: 1000 * self.stages_cpu_s[stage] / self.num_images for stage in WORK}
        return {
            "loader_images_per_s": self.images_per_s, "wait_share": self.wait_share,
            "loop_images_per_s": self.loop_images / self.loop_s if self.loop_s else None,
            "ms_per_image": {stage: self.ms_per_image(stage) for stage in WORK}, "cpu_ms_per_image": cpu,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What was measured; prints as a table and a verdict, and draws itself."""

    title: str
    """The samples and how they are loaded, for people."""
    first: Pass
    """While no image is kept yet."""
    later: Pass
    """With what the loader keeps of a whole epoch."""
    update_images_per_s: float | None = None
    """What the training step can take when batches are there already; None without one."""

    @property
    def is_starved(self) -> bool | None:
        """Whether training waits for batches after its first epoch; None where no training step was given."""
        return None if self.later.wait_share is None else self.later.wait_share > STARVED

    @property
    def is_crowded(self) -> bool:
        """Whether training waits for a loader that alone gives twice what the updates take, or more."""
        rate = self.update_images_per_s
        return bool(self.is_starved) and rate is not None and self.later.images_per_s > 2 * rate

    @property
    def costliest(self) -> str:
        """The stage that takes most of the loader's time after the first epoch."""
        return max(WORK, key=self.later.ms_per_image)

    @property
    def verdict(self) -> str:
        """Whether training is starved, in a sentence with the figures."""
        later, first = self.later, self.first
        if later.wait_share is None or first.wait_share is None or self.update_images_per_s is None:
            return f"the loader gives {_rate(later.images_per_s)}; no training step was given to compare it with"
        figures = (f"the loop waits {_percent(later.wait_share)} of its time; the loader gives "
                   f"{_rate(later.images_per_s)}, updates take {_rate(self.update_images_per_s)}")  # fmt: skip
        if self.is_starved:
            return f"training is starved{' of cores' if self.is_crowded else ''}: {figures}"
        if first.wait_share > STARVED:
            return f"training is fed after the first epoch, which waits {_percent(first.wait_share)}: {figures}"
        return f"training is fed: {figures}"

    @property
    def todo(self) -> str:
        """What to do about it; empty where training is fed."""
        if not self.is_starved:
            return ""
        return CROWDED if self.is_crowded else ADVICE[self.costliest]

    def __str__(self) -> str:
        return "\n".join([*self.table(), self.verdict, *([self.todo] if self.todo else [])])

    def table(self) -> list[str]:
        """Lines: milliseconds of one thread for an image in each stage, and rates, first and later epochs."""
        passes = (self.first, self.later)
        lines = [f"{'ms per image and thread':<26}{'first epoch':>12}{'later':>10}"]
        lines += [_line(stage, [number(p.ms_per_image(stage)) for p in passes]) for stage in WORK]
        lines.append(_line("loader alone, images/s", [f"{p.images_per_s:,.0f}" for p in passes]))
        if self.update_images_per_s is not None:
            lines.append(_line("updates alone, images/s", ["", f"{self.update_images_per_s:,.0f}"]))
            lines.append(_line("loop waits for a batch", [_percent(p.wait_share or 0.0) for p in passes]))
        return lines

    def to_json(self) -> dict[str, Any]:
        """`first`, `later`, `update_images_per_s`, `is_starved`, `verdict` and `todo`."""
        return {
            "title": self.title, "first": self.first.to_json(), "later": self.later.to_json(),
            "update_images_per_s": self.update_images_per_s, "is_starved": self.is_starved, "verdict": self.verdict,
            "todo": self.todo,
        }  # fmt: skip

    def svg(self) -> str:
        """The picture: bars of the loader's stages and of the training loop, as a self-contained SVG document."""
        named = (("first epoch", self.first), ("later epochs", self.later))
        stages = tuple(
            Bar(name=name, parts={s: p.ms_per_image(s) for s in WORK}, note=_rate(p.images_per_s)) for name, p in named
        )
        charts = [Chart(title="The loader", unit="ms of a thread for an image", bars=stages)]
        loops = tuple(
            Bar(name=name, parts={"update": 1000 * (p.loop_s - p.wait_s) / p.loop_images,
                                  "wait": 1000 * p.wait_s / p.loop_images}, note=_rate(p.loop_images / p.loop_s))
            for name, p in named if p.loop_s and p.wait_s is not None
        )  # fmt: skip
        if loops:
            charts.append(Chart(title="The training loop", unit="ms for an image", bars=loops))
        below = f"{self.verdict[0].upper()}{self.verdict[1:]}. {self.todo}"
        return svg("Where loading time goes", self.title, charts, below)

    def _repr_html_(self) -> str:
        return self.svg()


def profile(loader: Loader, step: Callable[[Batch], Any] | None = None) -> Profile:
    """Where the time of a training loader goes, and with a training `step` whether it waits for batches.

    A few batches are loaded as in the first epoch and again as in later ones, with the share of the cache that falls
    to them: alone, and where `step` trains on a batch, beside it. `step` is called for real. Takes up to a minute.
    Raises ContractError for an evaluation loader.
    """
    if not loader.is_training:
        raise ContractError("A profile is of a training loader: give it an augmentation (augmentation.none() is one).")
    samples = loader.samples.take(_some(loader))
    stages = Stages()
    alone = loader.over(samples, stages=stages)
    first, later = (_loaded(alone, stages, epoch) for epoch in range(2))
    update: float | None = None
    if step is not None:
        update = _updated(alone.peek(), step)
        first |= _trained(loader.over(samples), step, 0)
        later |= _trained(alone, step, 2)  # has kept what it can
    threads = loader.threads
    told = f"{threads} thread{'' if threads == 1 else 's'}" if threads else "in the caller's thread"
    height, width = loader.preprocessing.size
    title = f"{loader.samples.name} · {height} × {width} · batches of {loader.batch_size} · {told}"
    return Profile(title=title, first=Pass(**first), later=Pass(**later), update_images_per_s=update)


def _some(loader: Loader) -> np.ndarray[Any, Any]:
    """Row numbers of readable samples spread over the table, for as many batches as a pass has time for."""
    rows = np.flatnonzero(loader.samples.is_ok)

    def spread(num_batches: int) -> np.ndarray[Any, Any]:
        wanted = min(num_batches * loader.batch_size, len(rows))
        return np.asarray(rows[np.linspace(0, len(rows) - 1, wanted).astype(np.int64)])

    start = time.monotonic()
    loader.over(loader.samples.take(spread(1))).peek()
    seconds = (time.monotonic() - start) / max(loader.threads, 1)
    return spread(min(max(int(BUDGET_S / seconds), 2), BATCHES))


def _within_budget(batches: Iterator[Batch]) -> Iterator[Batch]:
    until = time.monotonic() + BUDGET_S
    for i, batch in enumerate(batches, 1):
        yield batch
        if i == BATCHES or (i > 1 and time.monotonic() > until):
            break


def _loaded(loader: Loader, stages: Stages, epoch: int) -> dict[str, Any]:
    """A pass of the loader alone."""
    before = {**stages.seconds}, {**stages.cpu_seconds}
    start, count = time.monotonic(), 0
    for batch in loader.epoch(epoch):
        count += len(batch) + len(batch.unreadable)
    seconds = time.monotonic() - start
    spent, cpu = ({s: now[s] - then[s] for s in WORK}
                  for now, then in zip((stages.seconds, stages.cpu_seconds), before, strict=True))  # fmt: skip
    return {"num_images": count, "loading_s": seconds, "stages_s": spent, "stages_cpu_s": cpu}


def _updated(batch: Batch, step: Callable[[Batch], Any]) -> float:
    """Images per second of the training step on a batch that lies ready."""
    seconds: list[float] = []
    until = time.monotonic() + BUDGET_S
    while len(seconds) < 2 or (time.monotonic() < until and len(seconds) < BATCHES):
        start = time.monotonic()
        step(batch)
        _finish()
        seconds.append(time.monotonic() - start)
    return len(batch) / float(np.median(seconds[1:]))  # the first also pays for allocating memory


def _trained(loader: Loader, step: Callable[[Batch], Any], epoch: int) -> dict[str, Any]:
    """A pass of the loop that trains; the batches that were under way before its first step are not counted."""
    seconds, waits, counts = [], [], []
    batches = _within_budget(loader.epoch(epoch))
    mark = time.monotonic()
    for batch in batches:
        waits.append(time.monotonic() - mark)
        step(batch)
        _finish()
        counts.append(len(batch))
        seconds.append(time.monotonic() - mark)
        mark = time.monotonic()
    steady = slice(max(min(PREFETCH + 1, len(waits) - 2), 0), None)
    return {"loop_s": sum(seconds[steady]), "wait_s": sum(waits[steady]), "loop_images": sum(counts[steady])}


def _finish() -> None:
    """Wait for an accelerator that computes: its time would else be charged to the loader."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()


def _line(name: str, values: list[str]) -> str:
    return f"{name:<26}{values[0]:>12}{values[1]:>10}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _rate(per_s: float) -> str:
    return f"{per_s:,.0f} images/s"
