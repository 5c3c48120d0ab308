"""One look at every image: its cost beside the peers', and what it calls odd in healthy photographs and bad files."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import sightline as sl
from benchmarks.auditing.bad_files import write_bad_files
from benchmarks.auditing.figure import SHARED, Figure, cpu_seconds, peak_bytes
from benchmarks.environments import Environment, UnavailableError, interpreter
from sightline.audits import audit
from sightline.inspection import inspect

ROUNDS = 5
TORCH = ("torch", "torchvision", "Pillow", "numpy")

CLEANVISION = Environment(name="cleanvision", requirements=("cleanvision==0.3.7",))
IMAGEDEDUP = Environment(name="imagededup", requirements=("imagededup==0.3.3.post2",))

PEER = """
import os, resource, sys
def cpu():
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)
folder, rounds = sys.argv[1], int(sys.argv[2])
files = sorted(os.path.join(folder, name) for name in os.listdir(folder))
{setup}
for turn in range(rounds + 1):
    before = cpu()
    {work}
    print("took", cpu() - before, flush=True)
"""
CODE = {
    "cleanvision": PEER.format(
        setup="from cleanvision import Imagelab", work="Imagelab(filepaths=files).find_issues(n_jobs=1, verbose=False)"
    ),
    "imagededup": PEER.format(
        setup="from imagededup.methods import PHash\nhasher = PHash(verbose=False)",
        work="assert len(hasher.encode_images(image_dir=folder, num_enc_workers=0)) == len(files)",
    ),
}


def figures(work: Path, is_quick: bool) -> list[Figure]:
    """Costs in turns, then what was found."""
    rounds = 1 if is_quick else ROUNDS
    bounded = _bounded(is_quick)  # first: the highest memory is that of the process so far
    samples = sl.index(str(SHARED / "imagenet-originals"))
    ours = {
        "verified": _median(lambda: inspect(samples), rounds),
        "unverified": _median(lambda: inspect(samples, verify=False), rounds),
    }
    found = [
        Figure(what=f"{len(samples)} originals, decoded whole, hashed, measured", got=_rate(len(samples), seconds))
        if name == "verified" else
        Figure(what=f"{len(samples)} originals, without verification", got=_rate(len(samples), seconds))
        for name, seconds in ours.items()
    ]  # fmt: skip
    # The peers verify nothing: imagededup's encoding is the like of our look without verification.
    aims = {"cleanvision": (("verified", 4.0), ("unverified", 5.0)), "imagededup": (("unverified", 1.4),)}
    for environment in (CLEANVISION, IMAGEDEDUP):
        found += _beside(environment, samples, work, rounds, ours, aims[environment.name])
    found += [*_healthy(samples), *_bad_files(), bounded]
    return found


def _median(run: Callable[[], object], rounds: int) -> float:
    """Processor seconds, after one round that does not count."""
    costs = []
    for turn in range(rounds + 1):
        before = cpu_seconds()
        run()
        if turn:
            costs.append(cpu_seconds() - before)
    return statistics.median(costs)


def _rate(count: int, seconds: float) -> str:
    return f"{count / seconds:,.0f} images per processor second"


def _beside(
    environment: Environment, samples: sl.SampleTable, work: Path, rounds: int, ours: dict[str, float],
    aims: tuple[tuple[str, float], ...],
) -> list[Figure]:  # fmt: skip
    name = environment.name
    try:
        python = interpreter(environment, work / "environments")
    except UnavailableError as e:
        return [Figure(what=name, got=f"not measured: {e}")]
    reader = samples.reader()
    with tempfile.TemporaryDirectory() as folder:
        for i in range(len(samples)):
            (Path(folder) / f"{i:04d}.jpg").symlink_to(reader.path(i).resolve())
        done = subprocess.run([str(python), "-c", CODE[name], folder, str(rounds)], capture_output=True, text=True)
    took = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("took ")][1:]
    if done.returncode or not took:
        return [Figure(what=name, got=f"not measured: {(done.stderr.strip().splitlines() or ['no reason'])[-1][:150]}")]
    theirs = statistics.median(took)
    what = environment.requirements[0].replace("==", " ")
    return [Figure(what=f"{what} on the same", got=_rate(len(samples), theirs))] + [
        Figure(what=f"our look, {how}, beside {name}", aim=f"≥ {aim} ×", got=f"{theirs / ours[how]:.2f} ×",
               holds=theirs / ours[how] >= aim)
        for how, aim in aims
    ]  # fmt: skip


def _healthy(samples: sl.SampleTable) -> list[Figure]:
    table = audit(samples, checks=["quality", "unreadable"]).table
    rows = [r for r in table.to_pylist() if r["level"] != "info"]
    odd = {r["sample_id"] for r in rows}
    share = len(odd) / len(samples)
    return [Figure(what="healthy originals called odd (warnings of quality)", aim="≤ 2 %",
                   got=f"{100 * share:.1f} % ({len(odd)} of {len(samples)})", holds=share <= 0.02)]  # fmt: skip


def _bad_files() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        wanted = write_bad_files(Path(folder), SHARED / "imagenet-originals")
        samples = sl.index(folder)
        found = audit(samples, checks=["quality", "unreadable", "exact-duplicates"]).to_pandas()
    told: dict[str, set[str]] = {}
    for row in found.itertuples():
        evidence = json.loads(row.evidence)
        kind = evidence.get("kind", row.check)
        for name in (row.subject, *([evidence["related"]] if "related" in evidence else [])):
            told.setdefault(name.split("/")[-1].partition("#")[0], set()).add(kind)  # pages of one file
    missed = [f"{name}: {sorted(kinds)} not told (told: {sorted(told.get(name, ()))})" for name, kinds in wanted.items()
              if not kinds <= told.get(name, set())]  # fmt: skip
    got = "; ".join([f"{len(wanted) - len(missed)} of {len(wanted)}", *missed])
    return [Figure(what=f"{len(wanted)} bad files, each told for what it is", aim="all, no crash", got=got,
                   holds=not missed)]  # fmt: skip


def _bounded(is_quick: bool) -> Figure:
    samples = sl.index(str(SHARED / "cifar10" / "plain_text"), limit=0.05 if is_quick else None)
    with tempfile.TemporaryDirectory() as folder:
        before, start = peak_bytes(), cpu_seconds()
        inspection = inspect(samples, to=Path(folder) / "inspection.parquet")
        seconds, grown = cpu_seconds() - start, peak_bytes() - before
        size = (Path(folder) / "inspection.parquet").stat().st_size
    return Figure(what=f"CIFAR-10, {len(inspection):,} images, into a file",
                  got=f"{_rate(len(inspection), seconds)}, {grown / 1e6:,.0f} MB of memory on top, "
                      f"{size / 1e6:,.0f} MB stored")  # fmt: skip
