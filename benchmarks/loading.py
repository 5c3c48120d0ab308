"""Loading, measured side by side with the loaders that people use.

    python benchmarks/loading.py --quick    # some minutes on 64 images: does everything run?
    python benchmarks/loading.py            # the figures: benchmarks/results/loading.md, docs/images/loading.svg
    python benchmarks/loading.py --only eval,train-dali     # jobs, environments or contenders

Each contender runs in a process of its own, in an environment that this script makes; the contenders take turns, round
after round, and medians over the rounds are compared. A peer that cannot be installed is left out, with the reason.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the package `benchmarks`, when run as a script

from benchmarks import chart, data, environments, machine, report
from benchmarks.contenders import CONTENDERS, Contender, chosen
from benchmarks.environments import UnavailableError
from benchmarks.jobs import CIFAR10, EVAL, GROWTH, ORDER, TRAIN, WORKERS
from benchmarks.peers.files import labelled
from benchmarks.records import Records
from benchmarks.turns import Turn

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = "eval-torch-pillow-0"
"""The contender whose evaluated pixels the others are compared with."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    beside = ROOT.parent / "shared" / "data"
    p.add_argument("--quick", action="store_true", help="64 images and one short round: does everything run?")
    p.add_argument("--only", default="", metavar="A,B", help="jobs, environments or contenders, by name")
    p.add_argument("--out", type=Path, help="results (the repository's; of a part: WORK/loading.md)")
    p.add_argument("--chart", type=Path, help="chart (the repository's; of a part: WORK/loading.svg)")
    p.add_argument("--photographs", type=Path, default=beside / "imagenet-originals", help="folder of class folders")
    p.add_argument("--cifar10", type=Path, default=beside / "cifar10", help="folder with CIFAR-10's Parquet files")
    p.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "sightline-benchmarks",
                   help="for environments, prepared data and logs: some gigabytes")  # fmt: skip
    p.add_argument("--rounds", type=int, default=5, help="turns of each contender")
    p.add_argument("--seconds", type=float, default=3.0, help="time taken in a turn, at least; whole epochs")
    p.add_argument("--render", type=Path, metavar="RECORDS", help="measure nothing; write results and chart again")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of the run: 0, or 2 for arguments that mean nothing."""
    p = parser()
    args = p.parse_args(arguments)
    is_whole = not (args.quick or args.only)  # a part never replaces the figures of the whole
    args.out = args.out or (ROOT / "benchmarks" / "results" if is_whole else args.work) / "loading.md"
    args.chart = args.chart or (ROOT / "docs" / "images" if is_whole else args.work) / "loading.svg"
    if args.render:
        write(Records.read(args.render), args)
        return 0
    try:
        contenders = chosen(args.only)
    except ValueError as e:
        p.error(str(e))
    args.work.mkdir(parents=True, exist_ok=True)
    if args.quick:
        args.rounds, args.seconds = 1, 0.5
    args.copies = 2 if args.quick else 4
    records = Records(facts=machine.facts() | {"command": command(args)})
    try:
        run(records, args, contenders)
    finally:  # an interrupted run leaves what it measured
        records.write(args.work / "records.json")
    write(records, args)
    return 0


def command(args: argparse.Namespace) -> str:
    """The command as it goes into the results: what changes figures, without the places on this machine."""
    words = ["python benchmarks/loading.py"]
    words += ["--quick"] if args.quick else [f"--rounds {args.rounds} --seconds {args.seconds:g}"]
    words += [f"--only {args.only}"] if args.only else []
    return " ".join(words)


def write(records: Records, args: argparse.Namespace) -> None:
    """Write the results, and the chart where the training job was measured."""
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(report.rendered(records, CONTENDERS))
    print(f"results   {args.out}")
    if records.rounds.keys() & {c.name for c in CONTENDERS if c.job == TRAIN.name}:
        args.chart.parent.mkdir(parents=True, exist_ok=True)
        args.chart.write_text(chart.rendered(records, CONTENDERS))
        print(f"chart     {args.chart}")


def run(records: Records, args: argparse.Namespace, contenders: Sequence[Contender]) -> None:
    """Prepare everything, then measure job by job."""
    jobs = {c.job for c in contenders}
    folders: dict[str, Path] = {}
    if jobs & {TRAIN.name, EVAL.name, GROWTH.name}:
        photographs = data.photographs(args.photographs, args.work, 64 if args.quick else 500, args.copies)
        folders |= dict.fromkeys((TRAIN.name, EVAL.name, GROWTH.name), photographs)
    if CIFAR10.name in jobs:
        folders[CIFAR10.name] = data.cifar10(args.cifar10, args.work, 2048 if args.quick else 50_000)
    records.facts |= {job: str(len(labelled(f))) for job, f in folders.items() if job != CIFAR10.name}
    turns = dict(prepared(records, args, contenders, folders))
    for job in (TRAIN, EVAL, CIFAR10):
        rounds(records, args, [t for t in turns.values() if t.contender.job == job.name])
    fidelity(records, args, [t for t in turns.values() if t.contender.job == EVAL.name])
    for turn in turns.values():
        long_run(records, turn, args)


def prepared(
    records: Records, args: argparse.Namespace, contenders: Sequence[Contender], folders: dict[str, Path]
) -> Iterator[tuple[str, Turn]]:
    """The turns of all contenders that can take part."""
    cpus = sorted(os.sched_getaffinity(0))[:WORKERS]
    ready: set[Path] = set()
    for contender in contenders:
        try:
            python = environments.interpreter(environments.BY_NAME[contender.environment], args.work / "environments")
            turn = Turn(contender, python, folders.get(contender.job, args.work), args.work, cpus)
            if turn.stored not in ready:
                turn.prepare()
                ready.add(turn.stored)
            if contender.job == TRAIN.name:
                records.stored[contender.name] = turn.storage()
        except UnavailableError as e:
            left_out(records, contender, str(e), args.work)
        else:
            print(f"ready     {contender.name}", flush=True)
            yield contender.name, turn


def rounds(records: Records, args: argparse.Namespace, turns: Sequence[Turn]) -> None:
    """Each contender in turn, round after round, so that whatever slows the machine for a while slows them all."""
    for number in range(args.rounds):
        for turn in turns:
            name = turn.contender.name
            if name in records.skipped:
                continue
            try:
                result = turn.time(args.seconds)
            except UnavailableError as e:
                left_out(records, turn.contender, str(e), args.work)
                continue
            records.rounds.setdefault(name, []).append(result)
            records.versions.setdefault(turn.contender.environment, turn.versions)
            print(f"round {number + 1}   {name}: {result}", flush=True)
        records.write(args.work / "records.json")


def fidelity(records: Records, args: argparse.Namespace, turns: Sequence[Turn]) -> None:
    """Evaluated pixels against torchvision's on Pillow images."""
    ready = {t.contender.name: t for t in turns if t.contender.name in records.rounds}
    if REFERENCE not in ready:
        return
    reference, other = (args.work / f"levels-{name}.npz" for name in ("reference", "other"))
    ready[REFERENCE].levels(reference)
    for name, turn in ready.items():
        try:
            turn.levels(other)
            records.levels[name] = data.compared(other, reference, args.copies)
        except (UnavailableError, ValueError) as e:
            left_out(records, turn.contender, str(e), args.work)
            continue
        found = records.levels[name]
        print(f"levels    {name}: at most {found.highest}, {found.mean:.4f} on average, "
              f"{found.identical}/{found.images} identical", flush=True)  # fmt: skip


def long_run(records: Records, turn: Turn, args: argparse.Namespace) -> None:
    """Memory over many epochs, or the starts of an epoch, for the contenders of these two jobs."""
    name = turn.contender.name
    try:
        if turn.contender.job == GROWTH.name:
            sizes = records.growth[name] = turn.growth(3) if args.quick else turn.growth()
            print(f"growth    {name}: " + " ".join(f"{b / 1e6:.0f}" for b in sizes) + " MB", flush=True)
        elif turn.contender.job == ORDER.name:
            start = records.starts[name] = turn.start()
            milliseconds = " ".join(f"{1000 * s:.0f}" for s in start.seconds)
            megabytes = " ".join(f"{b / 1e6:.0f}" for b in start.peaks)
            print(f"order     {name}: {milliseconds} ms · {megabytes} MB", flush=True)
        else:
            return
    except UnavailableError as e:
        left_out(records, turn.contender, str(e), args.work)
    records.versions.setdefault(turn.contender.environment, turn.versions)


def left_out(records: Records, contender: Contender, reason: str, work: Path) -> None:
    """Note and say why a contender takes no further part; the results name no place on this machine."""
    records.skipped[contender.name] = reason.replace(str(work), "WORK").replace(str(ROOT), ".")
    print(f"skipped   {contender.name}: {reason}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
