"""What a random split promises where nothing can be learnt. Run: python examples/patients.py [FOLDER]

A hundred patients have five scans each, and a coin decides who is ill. No model can know; a random split says that one
does, because four scans of every patient are in train when the fifth is asked about.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import sightline as sl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "scans")
folder.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(0)
rows = []
for patient in range(100):
    anatomy = Image.fromarray(rng.integers(40, 216, (8, 8), dtype=np.uint8)).resize((72, 72), Image.Resampling.BICUBIC)
    label = ("healthy", "ill")[patient % 2]  # anatomies are drawn at random: nothing in them knows of the label
    for scan in range(5):
        left, top = rng.integers(0, 9, 2).tolist()
        pixels = np.asarray(anatomy.crop((left, top, left + 64, top + 64)), np.float32) + rng.normal(0, 6, (64, 64))
        name = f"{patient:03d}-{scan}.png"
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / name)
        rows.append({"path": name, "label": label, "patient": f"{patient:03d}"})
with (folder / "scans.csv").open("w", newline="") as f:
    writer = csv.DictWriter(f, ["path", "label", "patient"])
    writer.writeheader()
    writer.writerows(rows)

samples = sl.index(folder / "scans.csv", group=("patient",))
splits = sl.split(samples, val=0.2, test=0.2, seed=0)  # by patient, because the table knows them
findings = sl.audit(samples, splits, checks=["optimism"])
(probe,) = [json.loads(e) for e in findings.table["evidence"].to_pylist()]
print(splits)
print(probe["message"])
naive, honest = 100 * probe["naive"], 100 * probe["honest"]
print(f"random folds: {naive:.1f} % · whole patients: {honest:.1f} % · n={probe['samples']}")
