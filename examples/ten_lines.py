"""From a source to a number, one verb a line. Run: python examples/ten_lines.py [STUDY]"""

import sys
from pathlib import Path

import sightline as sl
from sightline.recipes import digits

study = Path(sys.argv[1] if len(sys.argv) > 1 else "study")

samples = sl.index("digits")  # 1,797 real scans, 10 classes
splits = sl.split(samples, val=0.1, test=0.2, seed=0)  # test is sealed
findings = sl.audit(samples, splits)
splits = splits.without(findings.leaks())  # a new value; the old one still exists
run = sl.train(digits.fast(), samples, splits, out=study / "runs")
score = sl.evaluate(run.best, samples, splits.test, ledger=study / "ledger.jsonl", note="the example")
sl.report(run, findings, score, to=study / "report.html")
print(score.top1)  # about 99 %, with its interval, n=360 and the look
