"""Results as Markdown: what was aimed at, a table for each job, how it was measured, and what was set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.contenders import Contender
from benchmarks.jobs import CIFAR10, EVAL, GROWTH, ORDER, TRAIN, Job
from benchmarks.records import Records

Row = Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Aim:
    """A figure that the loader is meant to reach."""

    words: str
    wanted: float
    unit: str
    value: Callable[[Records], float]
    """The figure measured; raises KeyError where a part of it was not."""
    is_ceiling: bool = False

    def row(self, records: Records) -> Row:
        """What was wanted, what was measured, and whether that is enough."""
        sign = "≤" if self.is_ceiling else "≥"
        wanted = f"{sign} {self.wanted:g}{self.unit}"
        try:
            value = self.value(records)
        except (KeyError, ValueError):
            return self.words, wanted, "not measured", ""
        is_reached = value <= self.wanted if self.is_ceiling else value >= self.wanted
        return self.words, wanted, f"{value:,.3g}{self.unit}", "yes" if is_reached else "**no**"


def baseline(records: Records, job: str, kinds: Sequence[str] = ("pillow",)) -> str:
    """The faster of torch's DataLoader without workers and with two. Raises KeyError where neither was measured."""
    names = [f"{job}-torch-{kind}-{workers}" for kind in kinds for workers in (0, 2)]
    measured = [n for n in names if n in records.rounds]
    if not measured:
        raise KeyError(names[0])
    return max(measured, key=records.rate)


def times(name: str, kinds: Sequence[str] = ("pillow",)) -> Callable[[Records], float]:
    """Rate of a contender over its job's baseline."""
    job = name.partition("-")[0]
    return lambda records: records.rate(name) / records.rate(baseline(records, job, kinds))


def ahead(name: str) -> Callable[[Records], float]:
    """Rate of a contender over the fastest peer of its job that loads the same pixels."""

    def value(records: Records) -> float:
        others = ("train-sightline", "train-ffcv")
        peers = [n for n in records.rounds if n.startswith("train-") and not n.startswith(others)]
        return records.rate(name) / max(map(records.rate, peers))

    return value


def growth(name: str) -> Callable[[Records], float]:
    """PSS after the last epoch over that after the second."""
    return lambda records: records.growth[name][-1] / records.growth[name][1]


def start_ms(records: Records) -> float:
    """Milliseconds of the slowest epoch start after the first."""
    return 1000 * max(records.starts["order-sightline"].seconds[1:])


BOTH = ("pillow", "tensor")
AIMS = (
    Aim(words="training, untouched files, over DataLoader + ImageFolder", wanted=1.8, unit=" ×",
        value=times("train-sightline-files")),
    Aim(words="training, packed shards, over the same", wanted=2.2, unit=" ×", value=times("train-sightline-packed")),
    Aim(words="training, untouched files, over the fastest peer with the same pixels", wanted=1, unit=" ×",
        value=ahead("train-sightline-files")),
    Aim(words="training, decoded images kept, over DataLoader + ImageFolder", wanted=6, unit=" ×",
        value=times("train-sightline-cached")),
    Aim(words="evaluation, over DataLoader + ImageFolder", wanted=2, unit=" ×", value=times("eval-sightline-fast")),
    Aim(words="evaluation, largest difference to torchvision on Pillow", wanted=2, unit=" levels", is_ceiling=True,
        value=lambda records: records.levels["eval-sightline-fast"].highest),
    Aim(words="evaluation, exact mode, largest difference", wanted=0, unit=" levels", is_ceiling=True,
        value=lambda records: records.levels["eval-sightline-exact"].highest),
    Aim(words="CIFAR-10, over the fastest DataLoader + torchvision", wanted=9, unit=" ×",
        value=times("cifar10-sightline-arrays", BOTH)),
    Aim(words="memory in training from files, over DataLoader with two workers", wanted=1.2, unit=" ×", is_ceiling=True,
        value=lambda records: records.pss("train-sightline-files") / records.pss("train-torch-pillow-2")),
    Aim(words="memory after the last epoch, over that after the second", wanted=1.02, unit=" ×", is_ceiling=True,
        value=growth("growth-sightline-files")),
    Aim(words="1.28 million samples: start of an epoch", wanted=50, unit=" ms", is_ceiling=True, value=start_ms),
    Aim(words="1.28 million samples: memory of loader and order", wanted=100, unit=" MB", is_ceiling=True,
        value=lambda records: max(records.starts["order-sightline"].peaks[1:]) / 1e6),
)  # fmt: skip


def table(head: Row, rows: Iterable[Row]) -> list[str]:
    """Lines of a Markdown table; figures to the right, words in the first column to the left."""
    rule = ["---", *("---:" for _ in head[1:])]
    return ["", *("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)), ""]


def name_of(contender: Contender) -> str:
    """Title for a row; our own in bold."""
    return f"**{contender.title}**" if contender.is_own else contender.title


def timings(records: Records, job: Job, contenders: Sequence[Contender]) -> list[str]:
    """One row for each contender that was timed, the fastest first."""
    own = [c for c in contenders if c.job == job.name and c.name in records.rounds]
    if not own:
        return []
    try:
        first = baseline(records, job.name)
    except KeyError:
        first = ""
    rows = [timing(records, c, first) for c in sorted(own, key=lambda c: -records.rate(c.name))]
    head = ["", "images/s", "lowest–highest", "CPU ms/image", "× (time)", "× (CPU)", "peak memory, MB"]
    head += ["storage"] if job is TRAIN else []
    notes = [f"¹ {c.title}: {c.note}." for c in own if c.note]
    return [f"## {job.title}", *table(head, rows), *notes, *([""] if notes else [])]


def timing(records: Records, contender: Contender, first: str) -> Row:
    """Cells of one row; `first` is the contender that the factors are over, or empty."""
    name = contender.name
    rates = [r.rate for r in records.rounds[name]]
    factors = ["", ""]
    if first:
        over = records.rate(name) / records.rate(first), records.cpu_ms(first) / records.cpu_ms(name)
        factors = [f"{x:.2f}" for x in over]
    storage = [f"{records.stored[name]:.2f}" if name in records.stored else ""] if contender.job == TRAIN.name else []
    return [
        name_of(contender) + ("¹" if contender.note else ""), f"{records.rate(name):,.0f}",
        f"{min(rates):,.0f}–{max(rates):,.0f}", f"{records.cpu_ms(name):.3g}", *factors,
        f"{records.pss(name) / 1e6:,.0f}", *storage,
    ]  # fmt: skip


def levels(records: Records, contenders: Sequence[Contender]) -> list[str]:
    """Differences of evaluated pixels."""
    own = [c for c in contenders if c.job == EVAL.name and c.name in records.levels]
    if not own:
        return []
    rows = [
        [name_of(c), str(found.highest), f"{found.mean:.4f}", f"{found.identical} of {found.images}"]
        for c in own for found in [records.levels[c.name]]
    ]  # fmt: skip
    words = "Difference of the same pixels to torchvision on Pillow images, in levels of 0 … 255, rounded:"
    return [words, *table(("", "highest", "mean", "identical images"), rows)]


def memory(records: Records, contenders: Sequence[Contender]) -> list[str]:
    """Memory after some of the epochs."""
    own = [c for c in contenders if c.job == GROWTH.name and len(records.growth.get(c.name, ())) > 1]
    if not own:
        return []
    count = min(len(records.growth[c.name]) for c in own)
    shown = sorted({1, 2, min(10, count), count})
    rows = [[name_of(c), *(f"{records.growth[c.name][e - 1] / 1e6:,.0f}" for e in shown)] for c in own]
    return [f"## {GROWTH.title}", "", "PSS of the process tree in MB after epoch:",
            *table(("", *map(str, shown)), rows)]  # fmt: skip


def starts(records: Records, contenders: Sequence[Contender]) -> list[str]:
    """Starts of an epoch over many samples."""
    own = [c for c in contenders if c.name in records.starts]
    if not own:
        return []
    rows = []
    for c in own:
        found = records.starts[c.name]
        later = sorted(found.seconds[1:])
        rows.append([name_of(c), f"{1000 * found.seconds[0]:,.0f}", f"{1000 * later[len(later) // 2]:,.0f}",
                     f"{1000 * later[-1]:,.0f}", f"{found.peaks[0] / 1e6:,.0f}",
                     f"{max(found.peaks[1:]) / 1e6:,.0f}"])  # fmt: skip
    head = ("", "first start, ms", "median of the later, ms", "slowest, ms", "memory at the first, MB", "later, MB")
    words = (
        "From asking for an epoch to its first batch, of 32 images that cost nearly nothing; the first start makes the "
        "loader, too. Memory is the highest resident memory above that with nothing but the data set's own table."
    )
    return [f"## {ORDER.title}", "", words, *table(head, rows)]


def method(records: Records) -> list[str]:
    """How it was measured, and on what."""
    f = records.facts
    images = f.get(TRAIN.name) or f.get(EVAL.name) or f.get(GROWTH.name)
    photographs = f"{int(images):,} photographs an epoch (the originals, each several times). " if images else ""
    words = [
        f"`{f['command']}` on {f['date']}. {f['processor']}; {f['memory']}; {f['system']}; Python {f['python']}. Load "
        f"before the start {f['load']}; while time was taken, other programs used {100 * records.others:.0f} % of the "
        "two cores.",
        "Each contender has a process, two cores and two workers or threads to itself; it hands float32 batches of "
        f"{TRAIN.batch_size} images ({CIFAR10.batch_size} for CIFAR-10), normalized, channels × height × width, to a "
        f"loop that does nothing. {photographs}All files are in the page cache. In each round every contender is "
        "started anew, runs one epoch to warm up, whose batches are checked, and then whole epochs for some seconds "
        "with the clocks on. Rounds are interleaved; figures are medians over them.",
        "CPU time is that of the process and all its descendants, ended ones included, in user and system mode. Peak "
        "memory is the proportional set size of the same processes, sampled ten times a second in the epochs before "
        "and after the timed ones; it counts mapped files. × is over DataLoader with Pillow images, the faster of no "
        "workers and two. Storage is that of the data which is read, over that of the original files.",
    ]
    return ["## How it was measured", "", *(line for text in words for line in (text, ""))]


def settings(records: Records, contenders: Sequence[Contender]) -> list[str]:
    """What was set for each contender, which versions, and who is missing."""
    measured = records.rounds.keys() | records.growth.keys() | records.starts.keys()
    rows = [[f"{c.job}: {c.title}", c.settings] for c in contenders if c.name in measured]
    lines = ["## What was set", "", "| | |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows), ""]
    lines += ["## Versions", "", "| environment | |", "|---|---|"]
    for name, found in records.versions.items():
        lines.append(f"| {name} | {', '.join(f'{package} {version}' for package, version in found.items())} |")
    if records.skipped:
        reasons = [f"- {name}: {reason}" for name, reason in records.skipped.items()]
        lines += ["", "## Left out", "", *reasons]
    return [*lines, ""]


def rendered(records: Records, contenders: Sequence[Contender]) -> str:
    """The whole page."""
    lines = ["# Loading beside other loaders", ""]
    lines += ["| aim | wanted | measured | reached |", "|---|---:|---:|---|"]
    lines += ["| " + " | ".join(aim.row(records)) + " |" for aim in AIMS] + [""]
    for job in (TRAIN, EVAL, CIFAR10):
        lines += timings(records, job, contenders)
        lines += levels(records, contenders) if job is EVAL else []
    lines += memory(records, contenders) + starts(records, contenders)
    lines += method(records) + settings(records, contenders)
    return "\n".join(lines).rstrip() + "\n"
