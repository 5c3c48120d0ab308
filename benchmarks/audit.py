"""Audit: what it finds on real ground truth and on planted faults, and what that costs.

    python benchmarks/audit.py                    # all parts: benchmarks/results/audit.md
    python benchmarks/audit.py --only pass,near   # some of them: WORK/audit.md
    python benchmarks/audit.py --quick            # a little of everything: does it run?

Parts: pass (one look at every image, beside the peers), near and edits (near duplicates), labels (label errors), plants
(shortcuts), scale (a million rows). Each runs in a process of its own, on the data beside the project; peers live in
environments of their own below --work. Costs are processor time, all threads together.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the package `benchmarks`, when run as a script

from benchmarks import machine
from benchmarks.auditing import PARTS
from benchmarks.auditing.figure import Figure

ROOT = Path(__file__).resolve().parents[1]

STORED = "audit-figures.json"
"""Figures of each part that ran, below --work: a part that runs again replaces its own lines alone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of the run: 0."""
    p = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    p.add_argument("--quick", action="store_true", help="little data: does everything run?")
    p.add_argument("--only", type=lambda text: tuple(text.split(",")), default=tuple(PARTS), metavar="PART,PART",
                   help=f"some of {', '.join(PARTS)}")  # fmt: skip
    p.add_argument("--out", type=Path, help="results (the repository's; of some parts: WORK/audit.md)")
    p.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "sightline-benchmarks")
    p.add_argument("--part", help=argparse.SUPPRESS)  # what a process of its own does
    args = p.parse_args(arguments)
    unknown = {*args.only, *([args.part] if args.part else [])} - {*PARTS}
    if unknown:
        p.error(f"no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    args.work.mkdir(parents=True, exist_ok=True)
    if args.part:
        module = importlib.import_module(f"benchmarks.auditing.{PARTS[args.part]}")
        print(json.dumps([asdict(figure) for figure in module.figures(args.work, args.quick)]))
        return 0
    found = measured(args.only, args.work, args.quick)
    is_whole = not args.quick and set(found) == set(PARTS)
    out = args.out or (ROOT / "benchmarks" / "results" if is_whole else args.work) / "audit.md"
    text = written(found)
    out.write_text(text)
    print(text)
    return 0


def measured(parts: Sequence[str], work: Path, is_quick: bool) -> dict[str, list[Figure]]:
    """Figures by part, in the parts' order: those of `parts` anew, the others as they were measured before."""
    stored = work / ("quick-" + STORED if is_quick else STORED)
    known = json.loads(stored.read_text()) if stored.exists() else {}
    for part in parts:
        print(f"{part} …", file=sys.stderr, flush=True)
        command = [sys.executable, __file__, "--part", part, "--work", str(work), *(["--quick"] if is_quick else [])]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True,
                              env=os.environ | {"OMP_NUM_THREADS": "1"})  # fmt: skip
        known[part] = json.loads(done.stdout.splitlines()[-1])
        stored.write_text(json.dumps(known))
    return {part: [Figure(**figure) for figure in known[part]] for part in PARTS if part in known}


def written(found: dict[str, list[Figure]]) -> str:
    """Results as Markdown."""
    marks = {True: "yes", False: "**no**", None: ""}
    lines = ["# Audit", "", "Costs are processor time, all threads together, on the machine named below."]
    for part, figures in found.items():
        rows = [f"| {f.what} | {f.aim} | {f.got} | {marks[f.holds]} |" for f in figures]
        lines += ["", f"## {part}", "", "| what | aim | measured | reached |", "|---|---|---|---|", *rows]
    return "\n".join([*lines, "", " · ".join(f"{name} {value}" for name, value in machine.facts().items()), ""])


if __name__ == "__main__":
    sys.exit(main())
