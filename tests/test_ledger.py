"""The ledger: a look is on disk before it happens, in two places, and nothing makes it uncounted by accident."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import LedgerError
from sightline.ledger import Ledger, own_log
from sightline.samples import SampleTable
from sightline.splits import SealedSplit, split
from tests.tables import plain_samples

SAMPLES = plain_samples([40, 40])


def sealed(seed: int = 0, **options: Any) -> SealedSplit:
    test = split(SAMPLES, seed=seed, **options).test
    assert test is not None
    return test


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "study" / "ledger.jsonl")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_first_look(ledger: Ledger) -> None:
    assert ledger.looks() == ()
    assert ledger.require(sealed(), None) == 1
    assert not ledger.path.exists(), "asking writes nothing"
    look, ids = ledger.open(sealed(), checkpoints=["c1", "c2"], verb="run")
    assert (look.number, look.note, look.verb, look.n, look.checkpoints) == (1, "run", "run", 16, ("c1", "c2"))
    tested = [r["sample_id"] for r in split(SAMPLES).table.to_pylist() if r["split"] == "test"]
    assert list(ids) == tested, "in table order"
    assert ledger.looks(look.fingerprint) == (look,)
    assert [line["id"] for line in lines(ledger.path)] == [line["id"] for line in lines(own_log())] == [look.id]


def test_second_look_needs_a_reason_and_tells_of_the_first(ledger: Ledger) -> None:
    look, _ = ledger.open(sealed(), checkpoints=["c"], note="table 2")
    ledger.record(look, {"top1": {"value": 0.906, "low": 0.879, "high": 0.925, "n": 16}})
    said = (r'^this would be look 2 at the test split \(look 1: \d{4}-\d\d-\d\d \d\d:\d\d, "table 2", '
            r'top-1 90\.6 %\)\.\n'
            r'  Say why it is needed: --note "…"\. Every later number will carry it\.$')  # fmt: skip
    for note in (None, "", "  "):
        with pytest.raises(LedgerError, match=said):
            ledger.require(sealed(), note)
        with pytest.raises(LedgerError, match=said):
            ledger.open(sealed(), checkpoints=["c"], note=note)
    assert len(lines(ledger.path)) == 2, "a refusal is no look"
    assert ledger.require(sealed(), "the reviewer asked") == 2
    second, ids = ledger.open(sealed(), checkpoints=["c"], note="the reviewer asked")
    assert (second.number, second.note, len(ids)) == (2, "the reviewer asked", 16)
    assert [look.number for look in ledger.looks(second.fingerprint)] == [1, 2]
    assert ledger.looks()[0].result == {"top1": {"value": 0.906, "low": 0.879, "high": 0.925, "n": 16}}
    assert ledger.looks()[1].result is None


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"top1": 0.5}, "top-1 50.0 %"),
        ({"top1": [{"value": 0.5}, {"value": 0.25}]}, "top-1 50.0 %, 25.0 %"),
        ({"nll": 1.0}, "result recorded"),
        (None, "no result"),
    ],
)
def test_a_look_tells_what_came_of_it(ledger: Ledger, result: dict[str, Any] | None, said: str) -> None:
    look, _ = ledger.open(sealed(), checkpoints=["c"])
    if result is not None:
        ledger.record(look, result)
    assert str(ledger.looks()[0]).endswith(said)


def test_other_test_content_has_its_own_count(ledger: Ledger) -> None:
    ledger.open(sealed(0), checkpoints=["c"])
    assert ledger.require(sealed(1), None) == 1
    look, _ = ledger.open(sealed(1), checkpoints=["c"])
    assert look.number == 1
    assert len(ledger.looks()) == 2
    assert len(ledger.looks(look.fingerprint)) == 1


def test_deleting_a_study_does_not_reset_the_count(ledger: Ledger, tmp_path: Path) -> None:
    first, _ = ledger.open(sealed(), checkpoints=["c"])
    ledger.record(first, {"top1": 0.5})
    ledger.path.unlink()
    assert [look.result for look in ledger.looks()] == [{"top1": 0.5}]
    with pytest.raises(LedgerError, match="look 2"):
        Ledger(tmp_path / "another.jsonl").require(sealed(), None)


def test_a_study_carries_its_count_to_another_machine(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.open(sealed(), checkpoints=["c"])
    monkeypatch.setenv("SIGHTLINE_STATE", str(tmp_path / "elsewhere"))
    with pytest.raises(LedgerError, match="look 2"):
        ledger.require(sealed(), None)


def test_looks_made_apart_in_copies_of_a_study_both_count(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.open(sealed(), checkpoints=["c"])
    monkeypatch.setenv("SIGHTLINE_STATE", str(tmp_path / "elsewhere"))
    other = Ledger(tmp_path / "copy.jsonl")
    assert other.open(sealed(), checkpoints=["c"])[0].number == 1
    ledger.path.rename(tmp_path / "from the first machine.jsonl")
    assert [look.number for look in Ledger(tmp_path / "from the first machine.jsonl").looks()] == [1, 2]


def test_a_kill_before_the_result_leaves_a_counted_look(ledger: Ledger) -> None:
    code = f"""
import os, signal
from sightline.ledger import Ledger
from tests.test_ledger import sealed
Ledger({str(ledger.path)!r}).open(sealed(), checkpoints=["c"], note="doomed")
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    (look,) = ledger.looks()
    assert (look.number, look.note, look.result) == (1, "doomed", None)
    with pytest.raises(LedgerError, match='"doomed", no result'):
        ledger.require(sealed(), None)


def test_processes_do_not_interleave(ledger: Ledger) -> None:
    code = f"""
from sightline.ledger import Ledger
from tests.test_ledger import sealed
ledger, test = Ledger({str(ledger.path)!r}), sealed()
for i in range(8):
    look, _ = ledger.open(test, checkpoints=["c"], note="race")
    ledger.record(look, {{"top1": 0.5}})
"""
    root = Path(__file__).parents[1]
    running = [subprocess.Popen([sys.executable, "-c", code], cwd=root) for _ in range(3)]
    assert [p.wait() for p in running] == [0, 0, 0]
    assert ledger.verify() == 48
    assert sorted(line["number"] for line in lines(ledger.path) if line["kind"] == "look") == list(range(1, 25))
    assert all(look.result for look in ledger.looks())


def three_looks(ledger: Ledger) -> bytes:
    for i in range(3):
        ledger.open(sealed(), checkpoints=["c"], note=f"reason {i}")
    assert ledger.verify() == 3
    return ledger.path.read_bytes()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda d: d.replace(b"reason 1", b"reason x"), 2),
        (lambda d: d.replace(b"reason 2", b"reason x"), 3),
        (lambda d: b"\n".join(d.split(b"\n")[1:]), 1),
        (lambda d: b"\n".join(d.split(b"\n")[:1] + d.split(b"\n")[2:]), 2),
        (lambda d: b"\n".join([d.split(b"\n")[0], d.split(b"\n")[2], d.split(b"\n")[1], b""]), 2),
        (lambda d: d.replace(b"\n", b"\nnot json\n", 1), 2),
        (lambda d: d.replace(b"\n", b"\n[1]\n", 1), 2),
        (lambda d: b"\xff\n" + d, 1),
    ],
    ids=["edited", "last edited", "first removed", "middle removed", "swapped", "no json", "no object", "no text"],
)
def test_tampering_shows(ledger: Ledger, change: Any, line: int) -> None:
    data = three_looks(ledger)
    for path in (ledger.path, own_log()):
        path.write_bytes(change(data))
        for attempt in (ledger.verify, ledger.looks, lambda: ledger.open(sealed(), checkpoints=["c"], note="more")):
            with pytest.raises(LedgerError, match=re.escape(f"{path}, line {line} does not follow")):
                attempt()
        assert path.read_bytes() == change(data), "what is there stays as evidence"
        path.write_bytes(data)
    assert ledger.verify() == 3


def test_removing_the_last_line_does_not_uncount_it(ledger: Ledger) -> None:
    data = three_looks(ledger)
    ledger.path.write_bytes(b"".join(data.splitlines(keepends=True)[:2]))
    assert [look.number for look in ledger.looks()] == [1, 2, 3]
    assert ledger.open(sealed(), checkpoints=["c"], note="more")[0].number == 4


def test_a_line_cut_short_was_never_a_look(ledger: Ledger) -> None:
    data = three_looks(ledger)
    torn = data[: data.rindex(b'"note"')]
    ledger.path.write_bytes(torn)
    own_log().write_bytes(torn)
    assert len(ledger.looks()) == 2
    assert ledger.open(sealed(), checkpoints=["c"], note="again")[0].number == 3
    assert ledger.verify() == 3


def test_a_missing_newline_loses_no_look(ledger: Ledger) -> None:
    data = three_looks(ledger)
    ledger.path.write_bytes(data.rstrip(b"\n"))
    own_log().unlink()
    assert len(ledger.looks()) == 3
    assert ledger.open(sealed(), checkpoints=["c"], note="again")[0].number == 4
    assert ledger.verify() == 4


@pytest.mark.parametrize("failing_call", [1, 2, 3, 4], ids=["folder", "folder of log", "study", "log"])
def test_a_full_disk_opens_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, failing_call: int) -> None:
    calls = []

    def fsync(_: int) -> None:
        calls.append(1)
        if len(calls) == failing_call:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as m:
        m.setattr(os, "fsync", fsync)
        with pytest.raises(LedgerError, match=r"No space left on device.*stays sealed"):
            ledger.open(sealed(), checkpoints=["c"])
    assert len(calls) == failing_call
    assert ledger.looks() == ()
    assert ledger.open(sealed(), checkpoints=["c"])[0].number == 1
    assert ledger.verify() == 1


def test_a_log_that_cannot_be_written_is_no_silent_matter(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SIGHTLINE_STATE", str(tmp_path / "file"))
    with pytest.raises(LedgerError, match="set SIGHTLINE_STATE to a directory"):
        ledger.open(sealed(), checkpoints=["c"])
    monkeypatch.setenv("SIGHTLINE_STATE", str(tmp_path / "state"))
    assert ledger.looks() == ()


def test_a_look_is_for_checkpoints(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="at least one checkpoint"):
        ledger.open(sealed(), checkpoints=[])


def test_folds_of_a_plan_are_one_look(ledger: Ledger) -> None:
    looks = [ledger.open(sealed(folds=3, fold=k), checkpoints=[f"c{k}"])[0] for k in range(3)]
    assert [look.number for look in looks] == [1, 1, 1]
    assert [look.fold for look in looks] == [(0, 3), (1, 3), (2, 3)]
    with pytest.raises(LedgerError, match="look 2"):
        ledger.require(sealed(folds=3, fold=1), None)
    with pytest.raises(LedgerError, match="look 2"):  # other folds of the same data are another plan
        ledger.require(sealed(seed=1, folds=3, fold=1), None)
    again = [ledger.open(sealed(folds=3, fold=k), checkpoints=["d"], note="after a fix" if k == 1 else None)[0]
             for k in (1, 0, 2)]  # fmt: skip
    assert [look.number for look in again] == [2, 2, 2]
    assert [look.number for look in ledger.looks(looks[0].fingerprint)] == [1, 1, 1, 2, 2, 2]


def test_newer_line_is_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as m:
        m.setattr("sightline.ledger.lines.VERSION", 99)
        ledger.open(sealed(), checkpoints=["c"])
    with pytest.raises(LedgerError, match="newer version"):
        ledger.looks()


FORMER, NEW, NEWEST = (plain_samples([40, n]) for n in (40, 30, 20))


def sealed_of(samples: SampleTable, seed: int = 0) -> SealedSplit:
    found = split(samples, seed=seed).test
    assert found is not None
    return found


def test_a_corrected_test_goes_on_counting(ledger: Ledger) -> None:
    ledger.open(sealed_of(FORMER), checkpoints=["c"])
    assert ledger.require(sealed_of(NEW), None) == 1, "without a succession it is another test"
    ledger.succeed(FORMER.digest, NEW.digest, test=sealed_of(FORMER), corrected={"dropped": 1})
    with pytest.raises(LedgerError, match="look 2"):
        ledger.require(sealed_of(NEW), None)
    look, _ = ledger.open(sealed_of(NEW), checkpoints=["c"], note="corrected")
    assert (look.number, dict(look.corrected)) == (2, {"dropped": 1})
    assert look.correction == "the test was corrected in review: 1 dropped"
    assert [x.number for x in ledger.looks(look.fingerprint)] == [1, 2]
    assert [x.number for x in ledger.looks()] == [1, 2]
    with pytest.raises(LedgerError, match="look 3"):
        ledger.require(sealed_of(FORMER), None)


def test_corrections_of_corrections_add_up(ledger: Ledger) -> None:
    ledger.open(sealed_of(FORMER), checkpoints=["c"])
    ledger.succeed(FORMER.digest, NEW.digest, test=sealed_of(FORMER), corrected={"dropped": 1})
    ledger.succeed(NEW.digest, NEWEST.digest, test=sealed_of(NEW), corrected={"dropped": 1, "relabelled": 2})
    look, _ = ledger.open(sealed_of(NEWEST), checkpoints=["c"], note="twice corrected")
    assert look.number == 2, "nobody looked in between"
    assert dict(look.corrected) == {"dropped": 2, "relabelled": 2}
    assert [x.number for x in ledger.looks(sealed_of(FORMER))] == [1, 2]
    assert ledger.looks(sealed_of(FORMER)) == ledger.looks(sealed_of(NEWEST)) == ledger.looks(sealed_of(NEW))


def test_another_test_of_the_former_table_is_another(ledger: Ledger) -> None:
    ledger.open(sealed_of(FORMER, seed=1), checkpoints=["c"])
    ledger.succeed(FORMER.digest, NEW.digest, test=sealed_of(FORMER), corrected={})
    assert ledger.require(sealed_of(NEW), None) == 1
    assert ledger.require(sealed_of(FORMER), None) == 1
    with pytest.raises(LedgerError, match="look 2"):
        ledger.require(sealed_of(FORMER, seed=1), None)


def test_without_its_splits_every_look_at_the_former_table_counts(ledger: Ledger) -> None:
    ledger.open(sealed_of(FORMER, seed=1), checkpoints=["c"])
    ledger.succeed(FORMER.digest, NEW.digest, test=None, corrected={})
    with pytest.raises(LedgerError, match="look 2"):
        ledger.require(sealed_of(NEW), None)


def test_a_succession_is_known_where_the_study_is_not(ledger: Ledger, tmp_path: Path) -> None:
    ledger.open(sealed_of(FORMER), checkpoints=["c"])
    ledger.succeed(FORMER.digest, NEW.digest, test=sealed_of(FORMER), corrected={"relabelled": 1})
    with pytest.raises(LedgerError, match="look 2"):
        Ledger(tmp_path / "another.jsonl").require(sealed_of(NEW), None)
    assert ledger.verify() == 2


def test_lines_of_the_first_version_are_read(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that was written before there were successions, without the names of its table and its corrections."""
    from sightline.ledger.lines import appending

    with monkeypatch.context() as m:
        m.setattr("sightline.ledger.lines.VERSION", 1)
        with appending(ledger.path) as file:
            file.append({
                "kind": "look", "number": 1, "time": "2026-01-01T00:00:00+00:00", "n": 16, "verb": "evaluate",
                "fingerprint": sealed_of(FORMER).fingerprint, "note": "old", "checkpoints": ["c"], "fold": None,
                "plan": None, "id": "0123456789abcdef", "split_digest": "d",
            })  # fmt: skip
    (look,) = ledger.looks(sealed_of(FORMER))
    assert (look.number, look.note, look.samples, look.correction) == (1, "old", "", "")
    ledger.succeed(FORMER.digest, NEW.digest, test=sealed_of(FORMER), corrected={})
    with pytest.raises(LedgerError, match="look 2"):
        ledger.require(sealed_of(NEW), None)
