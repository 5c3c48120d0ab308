"""Indexing: what listing, archives and the table cost, beside what people use.

    python benchmarks/indexing.py --quick    # a minute on 2,000 files and 20,000 members: does everything run?
    python benchmarks/indexing.py            # the figures: benchmarks/results/indexing.md; 3 GB below --work

Each part runs in a process of its own, contenders in turns, with the files in the page cache. Medians over the rounds
are compared, of the time on the clock and of the processors' time; the latter does not count what others do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the package `benchmarks`, when run as a script

from benchmarks import machine
from benchmarks.timing import costs, in_turns
from benchmarks.trees import IMAGENET, imagenet_table, write_files, write_tar

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the results."""

    what: str
    aim: str
    got: str
    holds: bool | None = None
    """Whether the aim was reached; None where there is none."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much each part looks at."""

    files: int
    members: int
    rows: int
    rounds: int


WHOLE = Sizes(files=100_000, members=IMAGENET, rows=IMAGENET, rounds=5)
QUICK = Sizes(files=2_000, members=20_000, rows=50_000, rounds=2)


def files(work: Path, sizes: Sizes) -> list[Figure]:
    """Listing and headers of files in class folders, and the whole verb, against ImageFolder's bare listing."""
    from torchvision.datasets import ImageFolder

    from sightline.formats import Attributes, class_folders
    from sightline.formats.headers import with_headers
    from sightline.pipeline import verb

    folder, study = write_files(work / f"files-{sizes.files}", sizes.files), work / "study"

    def headers() -> int:
        found = [len(headers) for _, headers in with_headers(class_folders.read_blocks(folder, Attributes()))]
        return sum(found)

    found = costs(in_turns({
        "ImageFolder": lambda: ImageFolder(str(folder)),
        "listing": lambda: class_folders.read(folder, Attributes()),
        "headers": headers,
        "index": lambda: verb("index")(str(folder), study),
    }, sizes.rounds))  # fmt: skip
    theirs = found["ImageFolder"]
    what = f"{sizes.files:,} files"
    return [
        Figure(what=f"{what}: ImageFolder's bare listing", aim="", got=str(theirs)),
        Figure(what=f"{what}: listing", aim="", got=found["listing"].beside(theirs)),
        Figure(what=f"{what}: listing and headers", aim="≤ 2 × ImageFolder's listing",
               got=found["headers"].beside(theirs), holds=found["headers"].wall <= 2 * theirs.wall),
        Figure(what=f"{what}: the whole verb, ids and files written", aim="", got=found["index"].beside(theirs)),
    ]  # fmt: skip


def tar(work: Path, sizes: Sizes) -> list[Figure]:
    """Finding the members of a tar, against tarfile."""
    from sightline.formats.tar_folders import members_of

    figures = []
    for kind, name in ((tarfile.USTAR_FORMAT, "plain headers"), (tarfile.PAX_FORMAT, "a PAX header for each member")):
        number = sizes.members if kind == tarfile.USTAR_FORMAT else sizes.members // 10
        path = write_tar(work / f"members-{number}-{kind}.tar", number, kind)

        def standard(path: Path = path) -> int:
            with tarfile.open(path, "r:") as archive:
                return sum((m.name, m.offset_data, m.size) is not None for m in archive)

        found = costs(in_turns({"tarfile": standard, "ours": lambda path=path: members_of(path)},  # type: ignore[misc]
                               max(sizes.rounds // 2, 1)))  # fmt: skip
        ratio = found["tarfile"].wall / found["ours"].wall
        figures.append(Figure(
            what=f"tar of {number:,} members, {name}", aim="≥ 5 × tarfile", holds=ratio >= 5,
            got=f"{number / found['ours'].wall:,.0f}/s against {number / found['tarfile'].wall:,.0f}/s: {ratio:.1f} × "
                f"(processor time {found['tarfile'].cpu / found['ours'].cpu:.1f} ×)",
        ))  # fmt: skip
    return figures


def table(work: Path, sizes: Sizes) -> list[Figure]:
    """Bytes a row of a table like ImageNet's on disk, before and after the first full read; three columns read."""
    import pyarrow.parquet as pq

    figures = []
    path = work / "samples.parquet"
    for is_read, when in ((False, "after index"), (True, "after the first full read")):
        samples = imagenet_table(sizes.rows, is_read=is_read)
        samples.write(path, work / "classes.parquet")
        size = path.stat().st_size / sizes.rows
        figures.append(Figure(what=f"table of {sizes.rows:,} rows, {when}", aim="≤ 150 bytes a row",
                              got=f"{size:.1f} bytes a row", holds=size <= 150))  # fmt: skip
    names = ["sample_id", "label", "split"]
    found = costs(in_turns({"columns": lambda: pq.read_table(path, columns=names)}, sizes.rounds))["columns"]
    figures.append(Figure(what=f"three columns of {sizes.rows:,} rows ({', '.join(names)})", aim="≤ 0.5 s",
                          got=str(found), holds=found.wall <= 0.5))  # fmt: skip
    return figures


def memory(work: Path, sizes: Sizes) -> list[Figure]:
    """Highest memory of the verb, of a tar of class folders in place and of class folders, each at two sizes."""
    tars = [write_tar(work / f"members-{number}-{tarfile.USTAR_FORMAT}.tar", number, tarfile.USTAR_FORMAT)
            for number in (sizes.members // 8, sizes.members // 2)]  # fmt: skip
    trees = [write_files(work / f"files-{number}", number) for number in (sizes.files, 4 * sizes.files)]
    figures = []
    for what, sources in (("a tar in place", tars), ("class folders", trees)):
        peaks = [_peak(source, work / "study") for source in sources]
        grown = "; ".join(f"{peak / 1e6:,.0f} MB for {number:,} samples" for number, peak in peaks)
        figures.append(Figure(what=f"highest memory of indexing {what}, interpreter and libraries included",
                              aim="independent of the number of samples", got=grown,
                              holds=peaks[1][1] <= 1.2 * peaks[0][1]))  # fmt: skip
    return figures


def _peak(source: Path, study: Path) -> tuple[int, int]:
    """Samples of a source, and the bytes that a process needs at most to index it."""
    code = (
        "import re, sys\n"
        "from sightline.pipeline import verb\n"
        "samples = verb('index')(*sys.argv[1:]).facts['samples']\n"
        "print(samples, re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    command = [sys.executable, "-c", code, str(source), str(study)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    samples, peak = run.stdout.split()
    return int(samples), 1024 * int(peak)


PARTS: dict[str, Callable[[Path, Sizes], list[Figure]]] = {"files": files, "tar": tar, "table": table, "memory": memory}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of the run: 0."""
    p = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    p.add_argument("--quick", action="store_true", help="small sizes, two rounds: does everything run?")
    p.add_argument("--only", choices=PARTS, action="append", help="a part; may be given several times")
    p.add_argument("--out", type=Path, help="results (the repository's; of a part: WORK/indexing.md)")
    p.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "sightline-benchmarks")
    p.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)  # what a process of its own does
    args = p.parse_args(arguments)
    sizes = QUICK if args.quick else WHOLE
    args.work.mkdir(parents=True, exist_ok=True)
    if args.part:
        print(json.dumps([asdict(figure) for figure in PARTS[args.part](args.work, sizes)]))
        return 0
    is_whole = not (args.quick or args.only)
    out = args.out or (ROOT / "benchmarks" / "results" if is_whole else args.work) / "indexing.md"
    figures = []
    for part in args.only or PARTS:
        print(f"{part} …", file=sys.stderr, flush=True)
        figures += run(part, args.work, is_quick=args.quick)
    text = written(figures, sizes)
    out.write_text(text)
    print(text)
    return 0


def run(part: str, work: Path, *, is_quick: bool) -> list[Figure]:
    """The figures of a part, from a process of its own."""
    command = [sys.executable, __file__, "--part", part, "--work", str(work), *(["--quick"] if is_quick else [])]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    return [Figure(**figure) for figure in json.loads(done.stdout.splitlines()[-1])]


def written(figures: Sequence[Figure], sizes: Sizes) -> str:
    """Results as Markdown."""
    facts = machine.facts()
    marks = {True: "yes", False: "**no**", None: ""}
    rows = [f"| {f.what} | {f.aim} | {f.got} | {marks[f.holds]} |" for f in figures]
    return "\n".join([
        "# Indexing", "",
        f"Medians over {sizes.rounds} rounds in turns, files in the page cache. Times are on the clock, and of all "
        "processors together.", "",
        "| what | aim | measured | reached |", "|---|---|---|---|", *rows, "",
        " · ".join(f"{name} {value}" for name, value in facts.items()), "",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())

