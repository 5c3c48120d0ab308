"""Records with round figures for the tests of results and chart."""

from __future__ import annotations

from benchmarks.records import Levels, Records, Round, Start


def turn(rate: float, cpu_ms: float = 2.0, megabytes: int = 500) -> Round:
    return Round(
        images=1000, wall=1000 / rate, cpu=cpu_ms, others=0.1 * 2000 / rate, pss=megabytes * 10**6, mean=0.0, std=1.0
    )


def some() -> Records:
    """Two rounds of a few contenders, one left out."""
    rates = {
        "train-sightline-files": (1500, 1700, 1600), "train-sightline-packed": (2000, 2000, 2000),
        "train-torch-pillow-0": (300, 300, 300), "train-torch-pillow-2": (700, 800, 900),
        "train-dali": (1000, 1000, 1000), "train-ffcv-raw": (3000, 3000, 3000),
        "eval-sightline-fast": (900, 900, 900), "eval-torch-pillow-2": (500, 500, 500),
    }  # fmt: skip
    facts = {
        "command": "python benchmarks/loading.py --rounds 3", "date": "2026-01-02", "processor": "A processor, 2 cores",
        "memory": "8 GiB", "system": "A system", "python": "3.11.7", "load": "0.1", "train": "2000",
    }  # fmt: skip
    return Records(
        facts=facts, rounds={name: [turn(r) for r in row] for name, row in rates.items()},
        skipped={"train-spdl": "pip: no such wheel"}, versions={"own": {"torch": "2.0"}},
        stored={"train-sightline-packed": 0.981, "train-ffcv-raw": 4.8},
        levels={"eval-sightline-fast": Levels(highest=7, mean=0.0051, identical=3, images=500)},
        growth={"growth-sightline-files": [500_000_000, 510_000_000, 511_000_000, 510_000_000]},
        starts={"order-sightline": Start(seconds=(2.0, 0.03, 0.04, 0.02), peaks=(3 * 10**8, 9 * 10**7, 10**8, 10**7))},
    )  # fmt: skip
